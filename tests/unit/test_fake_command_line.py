"""The kit's command line: a plugin's command runs as in ``wagate <plugin> …``, and what it asked is noted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest
import trio
import typer

from wagate.errors import BadRequestError
from wagate.hooks import SecretText
from wagate.hooks.commands import CommandLine, command_line
from wagate.testing import FakeCommandLine, FakeHttp

app = typer.Typer()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    token: SecretText
    room: str = "support"


@app.command("send")
def send(
    context: typer.Context,
    text: Annotated[str, typer.Argument()] = "",
    *,
    quietly: Annotated[bool, typer.Option("--quietly")] = False,
) -> None:
    line = command_line(context)
    settings = line.settings("crm", Settings)
    if not text:
        raise line.refuse("say what to send\x1b")
    if not line.runs():
        answer = trio.run(line.http().request, "POST", "https://crm.example/")
        typer.echo(f"sent without a gateway: {answer.status}")
        return
    found = line.ask("POST", "/plugins/crm/send", {"text": text, "room": settings.room})
    if not quietly:
        typer.echo(f"sent {found['id']}, {typer.prompt('From')}")


def made() -> FakeCommandLine:
    line = FakeCommandLine({"crm": {"token": " hush\n"}})
    line.answer("POST", "/plugins/crm/send", {"id": 7})
    return line


def test_it_is_a_command_line() -> None:
    line: CommandLine = FakeCommandLine(public_url="https://wa.example", accounts={"main": "meta"})
    assert (line.public_url, line.accounts) == ("https://wa.example", {"main": "meta"})
    assert (line.config_file, line.data_dir) == (Path("/nowhere/config.toml"), Path("/nowhere/data"))
    assert line.config_file.is_absolute()


def test_what_the_command_asks_and_prints_is_noted() -> None:
    line = made()
    ran = line.run(app, "send", "Hi", typed="Ana\n")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "From: Ana\nsent 7, Ana\n", "")
    [asked] = line.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/plugins/crm/send", {"text": "Hi", "room": "support"})


def test_what_is_refused_is_one_line_and_exit_code_1() -> None:
    line = made()
    ran = line.run(app, "send")
    assert (ran.exit_code, ran.stdout, line.asked) == (1, "", [])
    assert ran.stderr.startswith("error: say what to send")
    assert "\x1b" not in ran.stderr
    line.answer("POST", "/plugins/crm/send", BadRequestError("there is no such room"))
    assert line.run(app, "send", "Hi", "--quietly").stderr == "error: there is no such room\n"
    assert line.run(app, "snd").exit_code == 2


def test_settings_that_are_wrong_are_named() -> None:
    ran = FakeCommandLine({"crm": {"tokn": "x"}}).run(app, "send", "Hi")
    assert ran.exit_code == 1
    assert "plugins.crm.tokn: unknown key; did you mean plugins.crm.token?" in ran.stderr


def test_without_a_gateway_the_command_has_http() -> None:
    line = FakeCommandLine({"crm": {"token": "x"}}, running=False, http=FakeHttp(202))
    assert line.run(app, "send", "Hi").stdout == "sent without a gateway: 202\n"
    assert [each.url for each in line.client.sent] == ["https://crm.example/"]
    assert line.asked == []


def test_a_request_that_the_test_did_not_expect_fails_it() -> None:
    with pytest.raises(AssertionError, match="POST /plugins/crm/send"):
        FakeCommandLine({"crm": {"token": "x"}}).run(app, "send", "Hi")
