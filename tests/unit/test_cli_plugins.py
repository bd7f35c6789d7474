"""Plugins on the command line, and the project that is written for a new one."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.bad_plugin import bad_plugin
from wagate.cli import app
from wagate.config.declared import declared_secrets
from wagate.events import Event
from wagate.hooks import Handler, PluginContext, Target, hookimpl
from wagate.plugins import loader


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def echo_plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An installed plugin ``echo`` with a command, beside a broken one."""

    @hookimpl
    def register_commands() -> list[typer.Typer]:
        commands = typer.Typer()

        @commands.command()
        def shout(text: str) -> None:
            typer.echo(text.upper())

        @commands.command()
        def whisper(text: str) -> None:
            typer.echo(text.lower())

        return [commands]

    module = ModuleType("wagate_echo")
    module.register_commands = register_commands  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wagate_echo", module)
    points = {
        "echo": EntryPoint("echo", "wagate_echo", "wagate"),
        "broken": EntryPoint("broken", "wagate_nowhere", "wagate"),
    }
    monkeypatch.setattr(loader, "installed", lambda: points)
    provider = {"heron": EntryPoint("heron", "wagate_echo", "wagate.providers")}
    monkeypatch.setattr(loader, "installed_providers", lambda: provider)
    return module


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_installed_plugins_are_listed_with_hooks_and_faults(echo_plugin: ModuleType) -> None:
    broken, echo, heron = json.loads(run("plugins", "list", "--json").stdout)
    assert (echo["name"], echo["on"], echo["hooks"], echo["error"]) == ("echo", False, ["register_commands"], None)
    assert broken["error"].startswith("plugin broken: wagate_nowhere can't be used: ModuleNotFoundError")
    assert (heron["name"], heron["kind"], heron["on"]) == ("heron", "provider", True)
    assert len(run("plugins", "list").stdout.splitlines()) == 4
    result = run("plugins", "check")
    assert result.exit_code == 1
    assert result.stderr == f"error: {broken['error']}\n"


def test_a_plugins_commands_run_under_its_name(echo_plugin: ModuleType) -> None:
    assert run("echo", "shout", "hello").stdout == "HELLO\n"
    assert run("broken").exit_code == 1
    assert run("nothing").exit_code == 2


def test_check_names_the_plugin_that_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[plugins.nonesuch]\n")
    result = run("check")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path}/config.toml: [plugins.nonesuch]: no such plugin is installed")


def test_check_says_what_was_checked(tmp_path: Path) -> None:
    assert (
        run("check").stdout
        == f"{tmp_path}/config.toml (no file: all defaults) is valid; plugins: webhook; accounts: none\n"
    )
    (tmp_path / "mine.toml").write_text('[accounts.main]\nprovider = "session"\n')
    assert (
        run("check", "--config", "mine.toml").stdout
        == f"{tmp_path}/mine.toml is valid; plugins: none; accounts: main\n"
    )


@pytest.mark.parametrize("options", [[], ["--provider"]])
def test_a_new_project_is_written_with_all_that_a_package_has(options: list[str]) -> None:
    result = run("plugins", "new", "crm", *options)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "wagate-crm/pyproject.toml",
        "wagate-crm/README.md",
        "wagate-crm/LICENSE",
        "wagate-crm/.github/workflows/ci.yml",
        "wagate-crm/wagate_crm/__init__.py",
        "wagate-crm/wagate_crm/py.typed",
        "wagate-crm/tests/test_wagate_crm.py",
    ]


def test_a_new_projects_plugin_is_found_and_its_settings_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("plugins", "new", "crm")
    monkeypatch.syspath_prepend(str(tmp_path / "wagate-crm"))
    monkeypatch.setattr(loader, "installed", lambda: {"crm": EntryPoint("crm", "wagate_crm", "wagate")})
    (tmp_path / "config.toml").write_text('[plugins.crm]\nulr = "https://example.org/messages"\n')
    assert run("check").stderr.splitlines() == [
        f"error: {tmp_path}/config.toml: plugins.crm.ulr: unknown key; did you mean plugins.crm.url?",
        f"error: {tmp_path}/config.toml: plugins.crm.url: is missing, and has no default",
    ]
    url = "https://hooks.example.org/T0/B0/who-knows-it-may-post"
    (tmp_path / "config.toml").write_text(f'[plugins.crm]\nurl = "{url}"\n')
    assert run("check").exit_code == 0
    settings = importlib.import_module("wagate_crm").Settings
    assert list(declared_secrets(settings, {"url": url})) == [url], "it may be in no log"


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "wagate-crm").mkdir()
    result = run("plugins", "new", "crm")
    assert (result.exit_code, result.stderr) == (1, "error: wagate-crm already exists; nothing was changed\n")
    assert list((tmp_path / "wagate-crm").iterdir()) == []


@pytest.mark.parametrize("name", ["CRM", "1crm", "c-rm", "../crm"])
def test_a_name_that_python_could_not_import_is_refused(name: str) -> None:
    assert run("plugins", "new", name).exit_code == 2


@pytest.mark.parametrize("name", ["webhook", "waha"])
def test_a_name_that_is_taken_is_refused(name: str, tmp_path: Path) -> None:
    result = run("plugins", "new", name)
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: '{name}' is already the name of a plugin in wagate; choose another one\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_two_packages_that_bring_one_name_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("wagate-crm", "acme-crm"):
        info = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[wagate]\ncrm = wagate_crm\n")
    (tmp_path / "wagate_crm.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for command in ("list", "check"):
        said = run("plugins", command).stderr
        assert "warning: acme-crm and wagate-crm both provide a plugin crm; the one from " in said


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    os.utime(tmp_path, (1, 1))
    assert "late" not in loader.installed()
    (tmp_path / "late-1.dist-info").mkdir()
    (tmp_path / "late-1.dist-info/METADATA").write_text("Name: late\nVersion: 1\n")
    (tmp_path / "late-1.dist-info/entry_points.txt").write_text("[wagate]\nlate = wagate_late\n")
    assert "late" in loader.installed()


WRONG_HOOKS: list[tuple[dict[str, Callable[..., Any]], str]] = [
    ({"register_handlers": lambda context: ["a"]}, "register_handlers gave str, not Handler"),
    ({"register_handlers": lambda context: 5}, "register_handlers gave int, nothing to iterate over"),
    ({"register_tasks": lambda context: [5]}, "register_tasks gave int, no function"),
    ({"register_checks": lambda context: "ab"}, "register_checks gave str, nothing to iterate over"),
    ({"register_routes": lambda context: [object()]}, "register_routes gave object, not Blueprint"),
    ({"register_providers": lambda context: [{}]}, "register_providers gave dict, not Provider"),
    ({"register_commands": lambda: [len]}, "register_commands gave builtin_function_or_method, not Typer"),
    ({"lifespan": lambda context: context}, "lifespan gave PluginContext, no async context manager"),
    ({"choose_account": lambda message, accounts: 5}, "choose_account gave int, not str or None"),
    (
        {"register_handlers": lambda context: [Handler(name="bad", targets=lambda _event: ["a"])]},
        "targets gave str, not Target",
    ),
]


@pytest.mark.parametrize(("hooks", "said"), WRONG_HOOKS, ids=[said.partition(" ")[0] for _, said in WRONG_HOOKS])
def test_check_calls_every_hook_and_says_what_is_wrong(
    tmp_path: Path, hooks: dict[str, Callable[..., Any]], said: str
) -> None:
    (tmp_path / "config.toml").write_text("[plugins.bad]\n")
    with bad_plugin(**hooks):
        for command in (("check",), ("plugins", "check")):
            result = run(*command)
            assert (result.exit_code, result.stderr) == (1, f"error: plugin bad: {said}\n")


def test_check_lets_pass_what_only_a_gateway_could_answer(tmp_path: Path) -> None:
    def register_handlers(context: PluginContext) -> list[Handler]:
        later = context.store.get  # is called once a gateway runs

        def targets(_event: Event) -> list[Target]:
            return [Target(id=each.slug) for each in (*context.accounts.clients(), context.auth.owner(None))]

        assert callable(later)
        return [Handler(name="bad", targets=targets)]

    (tmp_path / "config.toml").write_text("[plugins.bad]\n")
    with bad_plugin(register_handlers=register_handlers):
        assert run("check").exit_code == 0


def test_the_plugins_that_come_with_wagate_pass() -> None:
    result = run("plugins", "check")
    assert (result.exit_code, result.stdout) == (0, "all installed plugins are usable\n")
