"""A public name that ends works on, and whoever uses it is told what replaces it and since when."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import wagate.hooks
from wagate.cli import app
from wagate.hooks.ending import EndingWarning
from wagate.hooks.public import is_public

PLUGIN = """import warnings

from wagate.hooks import Handler, OldTarget, hookimpl

warnings.warn("its own business", UserWarning)


@hookimpl
def register_handlers(context):
    return [Handler(name="mine", targets=lambda event: [OldTarget(id="one")])]
"""
OLD, NEVER = "OldTarget", "Nonesuch"
SAID = "wagate.hooks.OldTarget is deprecated since 0.4; use wagate.hooks.Target"


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(wagate.hooks.ENDING, "OldTarget", ("Target", "0.4"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", [["check"], ["plugins", "check"]])
def test_checks_name_file_line_and_cure_of_each_old_use_once(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "config.toml").write_text('[plugins.mine]\nfile = "mine.py"\n')
    with pytest.warns(UserWarning, match="its own business"):
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert re.findall(r"warning: (.*deprecated.*)", done.stderr) == [f"{tmp_path / 'mine.py'}:3: {SAID}"]


def test_who_uses_nothing_old_is_told_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN.replace("OldTarget", "Target"))
    (tmp_path / "config.toml").write_text('[plugins.mine]\nfile = "mine.py"\n')
    with pytest.warns(UserWarning, match="its own business"):
        done = CliRunner().invoke(app, ["check"])
    assert (done.exit_code, done.stderr) == (0, "")


def test_an_old_name_is_the_new_one_and_warns_as_python_does() -> None:
    with pytest.warns(EndingWarning, match=re.escape(SAID)) as caught:
        assert getattr(wagate.hooks, OLD) is wagate.hooks.Target
    assert caught[0].filename == __file__
    assert issubclass(EndingWarning, DeprecationWarning)


def test_a_name_that_never_was_is_an_error_as_ever() -> None:
    with pytest.raises(AttributeError, match=r"module 'wagate\.hooks' has no attribute 'Nonesuch'"):
        getattr(wagate.hooks, NEVER)
    assert not is_public("wagate.hooks.ending")


def test_a_check_that_fails_names_them_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN + '\nraise OSError("no licence")\n')
    (tmp_path / "config.toml").write_text('[plugins.mine]\nfile = "mine.py"\n')
    with pytest.warns(UserWarning, match="its own business"):
        done = CliRunner().invoke(app, ["check"])
    assert done.exit_code != 0
    assert SAID in done.stderr


def test_each_name_that_ends_has_a_public_one_in_its_place() -> None:
    for old, (new, since) in wagate.hooks.ENDING.items():
        assert new in wagate.hooks.__all__, f"{old}: there is no {new}"
        assert old not in vars(wagate.hooks), f"{old} is there itself, so nobody is warned"
        assert re.fullmatch(r"\d+\.\d+", since), f"{old}: {since!r} is no version"
