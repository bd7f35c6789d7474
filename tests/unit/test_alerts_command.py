"""``wagate alerts test`` and ``wagate check`` without a gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
from typer.testing import CliRunner, Result

from tests.sink import https_sink
from wagate.cli import app
from wagate.config import load
from wagate.testing import FakeCommandLine
from wagate_alerts import trial


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def write(folder: Path, *channels: str) -> None:
    text = "\n".join(
        f"[plugins.alerts.channels.{name}]\n{lines}" for name, _, lines in (c.partition(": ") for c in channels)
    )
    (folder / "config.toml").write_text(text)


def test_check_names_the_key_of_a_url_that_means_nothing_and_not_the_url(folder: Path) -> None:
    write(folder, 'a: apprise = "tgrm://12345:ABCDEFGH/999"', 'b: apprise = "json://localhost/x"')
    answer = run("check")
    assert answer.exit_code == 1
    assert "plugins.alerts.channels.a.apprise: " in answer.output
    assert "channels.b" not in answer.output
    assert "ABCDEFGH" not in answer.output


def test_check_names_the_key_of_a_channel_that_leads_nowhere(folder: Path) -> None:
    write(folder, 'phone: account = "main"')
    answer = run("check")
    assert answer.exit_code == 1
    assert "plugins.alerts.channels.phone: to: is missing" in answer.output


def test_a_url_in_the_file_is_a_secret_like_any_other(folder: Path) -> None:
    write(folder, 'a: apprise = "ntfys://host/secret-topic"')
    assert "ntfys://host/secret-topic" in load(folder / "config.toml", {}).secrets


async def test_without_a_gateway_the_channels_of_apprise_are_tried(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with https_sink(lambda got: 500 if "broken" in got.path else 200) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.ca_file))
        url = sink.url.replace("https://", "jsons://")
        write(
            folder,
            f'a: apprise = "{url}"',
            f'b: apprise = "{url}/broken-topic"',
            'phone: account = "main"\nto = ["+12025550142"]',
        )
        answer = await in_thread("alerts", "test", "--json")
        one = await in_thread("alerts", "test", "a")
        none = await in_thread("alerts", "test", "fax")
    found = json.loads(answer.stdout)
    assert [(each["channel"], each["ok"]) for each in found] == [("a", True), ("b", False), ("phone", False)]
    assert "500" in found[1]["detail"]
    assert "broken-topic" not in answer.output
    assert answer.exit_code == 1
    assert (one.exit_code, one.output.strip()) == (0, "ok   a")
    assert none.exit_code == 1
    assert "channels are: a, b, phone" in none.output


def test_a_gateway_that_runs_is_asked_to_try() -> None:
    line = FakeCommandLine({"alerts": {"channels": {"a": {"apprise": "json://localhost/x"}}}})
    taken = {"channel": "a", "ok": True, "detail": ""}
    line.answer("POST", "/plugins/alerts/test", [taken])
    ran = line.run(trial.app, "test", "a")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "ok   a\n", "")
    assert [each.body for each in line.asked] == [{"channel": "a"}]
    line.answer("POST", "/plugins/alerts/test", [taken, {"channel": "phone 1", "ok": False, "detail": "is down\x1b"}])
    ran = line.run(trial.app, "test")
    assert ran.exit_code == 1
    assert ran.stdout.splitlines()[1].startswith("FAIL phone 1: is down")
    assert "\x1b" not in ran.stdout
    assert line.asked[-1].body == {"channel": ""}


async def in_thread(*arguments: str) -> Result:

    return await trio.to_thread.run_sync(lambda: run(*arguments))
