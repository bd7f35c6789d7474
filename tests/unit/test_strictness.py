"""With WAGATE_TESTS_STRICT=1 whatever is skipped fails, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
OURS = ("-p", "xdist", "-p", "tests.strictness")
SKIPS = """
import pytest

@pytest.fixture
def server():
    pytest.skip("no server here")

def test_that_says_so(): pytest.skip("not today")
@pytest.mark.skip(reason="never")
def test_that_is_marked(): pass
def test_that_needs_a_server(server): pass
@pytest.mark.xfail
def test_that_is_known_to_fail(): assert False
def test_that_passes(): pass
"""
MODULE = "import pytest\npytest.importorskip('no_such_module')\n"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # all that is installed costs a second for each run
    pytester.makepyfile(test_some=SKIPS, test_module=MODULE)
    return pytester


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_skip_fails_with_its_reason(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    monkeypatch.setenv("WAGATE_TESTS_STRICT", "1")
    done = run.runpytest_subprocess(*OURS, "-n", workers, "--continue-on-collection-errors")
    output = done.stdout.str()
    assert done.ret != 0
    done.assert_outcomes(passed=1, xfailed=1, failed=1, errors=3)
    for reason in ("not today", "never", "no server here", "no_such_module"):
        assert reason in output


def test_elsewhere_a_skip_is_a_skip(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAGATE_TESTS_STRICT", raising=False)
    done = run.runpytest_subprocess(*OURS)
    done.assert_outcomes(passed=1, xfailed=1, skipped=4)
