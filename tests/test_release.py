"""``scripts/release`` in a copy of the repository. pip asks no registry: it finds the libraries that the tests have."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wheels import quick_python
from wagate import __version__

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout, so nothing is committed")
UNRELEASED = "## [Unreleased]\n"


class Repository:
    """A copy with one commit."""

    def __init__(self, folder: Path, libraries: Path) -> None:
        self.root = folder / "wagate"
        self.environment = {
            **os.environ,
            "CI": "",  # else scripts/setup may install a browser
            "PYTHON": "python3",
            "PATH": f"{quick_python(folder / 'bin')}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's spelling of "no isolation"
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_COMPILE": "1",
            "PYTHONPATH": str(libraries),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "A test",
            "GIT_AUTHOR_EMAIL": "test@wagate.example",
            "GIT_COMMITTER_NAME": "A test",
            "GIT_COMMITTER_EMAIL": "test@wagate.example",
        }
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file() and not name.startswith("tests/"):
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)
        self.git("init", "-q")
        self.commit()

    def read(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, env=self.environment, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "All of it")

    def release(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.root / "scripts/release"), *options]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=250
        )  # fmt: skip

    def built(self) -> list[str]:
        return sorted(path.name for path in (self.root / "dist").glob("*"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, libraries: Path) -> Repository:
    return Repository(tmp_path_factory.mktemp("release"), libraries)


def test_what_the_changelog_does_not_have_is_no_release(copy: Repository) -> None:
    ran = copy.release()
    assert (ran.returncode, copy.built()) == (1, []), ran.stdout + ran.stderr
    assert f"CHANGELOG.md has no section ## [{__version__}]: write it, or build a wheel of this commit" in ran.stderr


def test_an_option_that_there_is_not_builds_nothing(copy: Repository) -> None:
    for options in (["--unrelease"], ["--unreleased", "now"]):
        ran = copy.release(*options)
        assert (ran.returncode, copy.built()) == (1, [])
        assert ran.stderr == "release: usage: scripts/release [--unreleased]\n"


def test_what_is_not_committed_is_not_built(copy: Repository) -> None:
    (copy.root / "new.txt").write_text("new")
    ran = copy.release("--unreleased")
    (copy.root / "new.txt").unlink()
    assert (ran.returncode, copy.built()) == (1, [])
    assert "there are changes that are not committed" in ran.stderr


def test_an_unreleased_build_is_tried_and_says_that_it_is_none(copy: Repository) -> None:
    ran = copy.release("--unreleased")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    names = [f"wagate-{__version__}-py3-none-any.whl", f"wagate-{__version__}.tar.gz"]
    assert copy.built() == names
    assert [line for line in ran.stdout.splitlines() if line.startswith("ok ")] == [f"ok dist/{each}" for each in names]
    assert f"note: not a release: {__version__} as of commit " in ran.stderr


def test_a_version_that_the_changelog_has_is_a_release(copy: Repository) -> None:
    """It is built, which here ends at a missing file: the test above builds and tries all of it."""
    text = copy.read("CHANGELOG.md").replace(UNRELEASED, f"{UNRELEASED}\n## [{__version__}] - 2026-01-31\n", 1)
    (copy.root / "CHANGELOG.md").write_text(text, "utf-8")
    (copy.root / "README.md").unlink()
    copy.commit()
    ran = copy.release()
    assert "Readme file does not exist: README.md" in ran.stdout + ran.stderr
    assert "release:" not in ran.stderr
    assert (ran.returncode, copy.built()) == (1, [])


def test_the_page_names_a_way_that_works() -> None:
    page = (ROOT / "docs/how-to/operate.md").read_text("utf-8")
    assert "`scripts/release --unreleased`" in page, "CHANGELOG.md has no version yet"
