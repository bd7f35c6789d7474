"""``[plugins.x] file = "x.py"``: a plugin without a package, and a start without a plugin."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from wagate.cli import app
from wagate.config import load
from wagate.errors import ConfigError
from wagate.hooks import public

ROOT = Path(__file__).parents[2]

SOURCE = """
from __future__ import annotations

import msgspec
import typer
from wagate.hooks import Handler, Receipt, Target, hookimpl

class Settings(msgspec.Struct):
    word: str = "hello"

@hookimpl
def settings_type():
    return Settings

@hookimpl
def register_handlers(context):
    async def handle(delivery):
        return Receipt()
    return [Handler(name=context.name, targets=lambda event: [Target(id=context.settings.word)], handle=handle)]

@hookimpl
def register_commands():
    commands = typer.Typer(name="tiny")
    @commands.command()
    def shout(text: str):
        typer.echo(text.upper())
    @commands.command()
    def whisper(text: str):
        typer.echo(text.lower())
    return [commands]
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "tiny.py").write_text(SOURCE)
    (tmp_path / "config.toml").write_text('[plugins.tiny]\nfile = "tiny.py"\nword = "ahoy"\n')
    yield
    sys.modules.pop("wagate_file_tiny", None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_file_is_a_plugin_with_settings(tmp_path: Path) -> None:
    assert run("check").stdout == f"{tmp_path}/config.toml is valid; plugins: tiny; accounts: none\n"
    assert run("plugins", "check").exit_code == 0
    [row] = [each for each in json.loads(run("plugins", "list", "--json").stdout) if each["name"] == "tiny"]
    assert row["on"]
    assert row["error"] is None
    assert row["entry_point"] == f"{tmp_path}/tiny.py"
    assert row["hooks"] == ["register_commands", "register_handlers", "settings_type"]


def test_its_settings_are_checked_like_any_others(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[plugins.tiny]\nfile = "tiny.py"\nwrod = "ahoy"\n')
    assert "plugins.tiny.wrod: unknown key; did you mean plugins.tiny.word?" in run("check").stderr


def test_its_commands_run_under_its_name_once_and_stand_in_the_help(tmp_path: Path) -> None:
    assert run("tiny", "shout", "hello").stdout == "HELLO\n"
    assert "Commands of the plugin tiny." in run("--help").stdout
    (tmp_path / "config.toml").rename(tmp_path / "other.toml")
    assert run("tiny", "shout", "hello").exit_code == 2
    assert run("--config", "other.toml", "tiny", "shout", "hello").stdout == "HELLO\n"


def test_help_is_there_when_the_configuration_is_broken(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[plugins\n")
    assert run("--help").exit_code == 0
    (tmp_path / "config.toml").write_text("plugins = 5\n")
    assert run("--help").exit_code == 0


def test_a_path_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[plugins.tiny]\nfile = "gone.py"\n')
    assert run("check").stderr == f"error: [plugins.tiny] file: there is no file {tmp_path}/gone.py\n"
    (tmp_path / "tiny.txt").write_text("")
    (tmp_path / "config.toml").write_text('[plugins.tiny]\nfile = "tiny.txt"\n')
    assert "tiny.txt is not a Python file (its name must end in .py)" in run("check").stderr


def test_a_file_that_breaks_is_named_and_not_half_there(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text("import nonesuch\n")
    result = run("check")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: [plugins.tiny]: {tmp_path}/tiny.py can't be imported: ModuleNotFound")
    assert "wagate_file_tiny" not in sys.modules


def test_an_import_of_what_is_private_is_named(tmp_path: Path) -> None:
    assert "warning" not in run("plugins", "check").stderr
    private = "from wagate.storage.database import Database  # noqa\nfrom wagate import rate\nimport wagate.queue\n"
    (tmp_path / "tiny.py").write_text(SOURCE + private)
    said = [line for line in run("plugins", "check").stderr.splitlines() if line.startswith("warning")]
    modules = ("wagate.storage.database", "wagate.rate", "wagate.queue")
    first = len(SOURCE.splitlines()) + 1
    assert said == [
        f"warning: plugin tiny: {tmp_path}/tiny.py:{line} imports {module}, which is private and may change"
        for line, module in enumerate(modules, first)
    ]


def test_the_linter_lets_our_own_plugins_import_what_is_public_and_nothing_else() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [ours] = [each for each in contracts if each["name"].startswith("Plugins import only")]
    packages = {each for each in public.PACKAGES if each != "wagate.testing"}
    wanted = {*packages, *(f"{each}.**" for each in packages), *public.MODULES}
    assert {each.removeprefix("** -> ") for each in ours["ignore_imports"]} == wanted


def test_a_hook_that_takes_what_there_is_not_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(SOURCE.replace("register_handlers(context)", "register_handlers(contxt)"))
    said = " ".join(run("check").stderr.split())
    assert said.startswith("error: [plugins.tiny]: Plugin 'tiny' for hook 'register_handlers'")
    assert said.endswith("Argument(s) {'contxt'} are declared in the hookimpl but can not be found in the hookspec")


def test_an_installed_plugin_wins_over_a_file_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[plugins.webhook]\nfile = "tiny.py"\n')
    assert run("check").stderr == "error: [plugins.webhook] takes no settings, but has: file\n"


def test_a_plugin_is_left_out_for_one_start(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[plugins.tiny]\nfile = "gone.py"\ntoken = "env:NONESUCH"\n[plugins.webhook]\n'
    )
    config = load(without=["tiny"])
    assert list(config.plugins) == ["webhook"]
    assert config.without == ("tiny",)
    with pytest.raises(ConfigError, match=r"plugins\.tniy: is not there, so --without tniy has nothing to leave out"):
        load(without=["tniy"])
