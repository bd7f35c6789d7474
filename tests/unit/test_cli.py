"""The command line as a whole: how it is called, how it fails, what it costs to start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from wagate import __version__
from wagate.cli import app
from wagate.cli.root import config_first

WAGATE = [sys.executable, "-m", "wagate"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "WAGATE_ADMIN_TOKEN", "WAGATE_SECRET_KEY", "WAGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_it_says_its_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"wagate {__version__}\n")


def groups(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """``()`` is wagate itself; ``("import",)`` is one that has commands of its own."""
    if commands := getattr(command, "commands", {}):
        yield path
    for name, each in commands.items():
        yield from groups(each, *path, name)


@pytest.mark.parametrize("path", [*groups(typer.main.get_command(app))], ids=lambda path: " ".join(path) or "wagate")
def test_no_line_of_help_is_cut_at_80_columns(folder: Path, path: tuple[str, ...]) -> None:
    lines = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).output.splitlines()
    assert "Commands:" in lines
    assert [line for line in lines if line.endswith("...") and not line.startswith("Usage: ")] == []
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("arguments", [["bogus"], ["jobs", "list", "--bogus"], ["send", "one"], ["jobs", "retry"]])
def test_a_wrong_call_is_exit_code_2(folder: Path, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_wrong_configuration_is_exit_code_1_with_one_line_for_each_fault(folder: Path) -> None:
    (folder / "config.toml").write_text('[server]\nprot = 1\nport = "x"\n')
    result = CliRunner().invoke(app, ["jobs", "list"])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: config.toml: server.prot: unknown key; did you mean server.port?",
        "error: config.toml: server.port: must be a whole number, not text; for example port = 8080",
    ]


@pytest.mark.parametrize(
    ("arguments", "sorted_out"),
    [
        (["jobs", "list", "--config", "c"], ["--config", "c", "jobs", "list"]),
        (["jobs", "list", "--config=c", "--json"], ["--config=c", "jobs", "list", "--json"]),
        (["--config", "c", "check"], ["--config", "c", "check"]),
        (["send", "a", "b", "--", "--config", "c"], ["send", "a", "b", "--", "--config", "c"]),
        (["check", "--config"], ["check", "--config"]),
    ],
)
def test_the_configuration_may_be_named_anywhere(arguments: list[str], sorted_out: list[str]) -> None:
    assert config_first(arguments) == sorted_out


def test_the_named_configuration_is_used(folder: Path) -> None:
    result = CliRunner().invoke(app, ["client", "list", "--config", "nope.toml"])
    assert result.exit_code == 1
    assert result.stderr == 'error: nope.toml: there is no such file; "wagate init" writes one\n'


@pytest.mark.parametrize("module", ["httpx2", "peewee", "cryptography", "rich", "trio", "quart"])
def test_help_does_not_pay_for_what_commands_import(module: str) -> None:
    code = f"import sys, wagate.cli; wagate.cli.app(['-h'], standalone_mode=False); sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=90, check=False).returncode == 0


def test_a_real_process_goes_from_init_to_a_client(folder: Path) -> None:
    def wagate(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*WAGATE, *arguments], capture_output=True, text=True, timeout=90, check=False)

    made = wagate("init")
    assert made.returncode == 0
    assert made.stdout.strip() == (folder / "data/admin_token").read_text().strip()
    assert wagate("check").returncode == 0
    added = wagate("client", "add", "acme", "--json")
    assert json.loads(added.stdout)["slug"] == "acme"
    listed = wagate("client", "list")
    assert [line.split("\t")[1] for line in listed.stdout.splitlines()] == ["slug", "default", "acme"]
    again = wagate("client", "add", "acme")
    assert (again.returncode, again.stdout, again.stderr) == (1, "", "error: a client 'acme' exists\n")
