"""``GET /api/doctor`` of a whole gateway, and ``wagate doctor`` with and without one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.fake_gateway import TOKEN, fake_gateway
from tests.fake_provider import Pigeon, installed
from tests.flow.dashboard import browser
from tests.inprocess import running_gateway
from tests.valkey import free_port
from wagate.cli import app
from wagate.hooks import Finding, ProviderAccount
from wagate.process.checkup import FIRST

PIGEON = {"provider": "pigeon", "api_token": "a token of the fake"}


async def test_the_running_gateway_asks_its_real_things() -> None:
    pigeon = Pigeon()
    pigeon.findings = [Finding(level="warn", what="token", detail="ends tomorrow", next_step="make another")]
    with installed(pigeon=pigeon):
        async with running_gateway({"accounts.main": PIGEON}) as running:
            lines = (await running.ask("GET", "/api/doctor"))["data"]
            client = await running.client("acme")
            refused = await running.http.get("/api/doctor", headers={"Authorization": f"Bearer {client['token']}"})
    assert refused.status_code == 403
    found = {(each["part"], each["what"]): each["level"] for each in lines}
    assert found["database", "writable"] == "ok"
    assert found["redis", "policy"] == "ok"
    assert found["disk", "space"] in {"ok", "warn"}
    assert found["clock", "time"] == "ok"
    assert found["public_url", "set"] == "warn"
    assert found["account main", "token"] == "warn"


async def test_what_fails_needs_somebody_on_the_overview_and_no_page_asks_for_it() -> None:
    pigeon = Counted()
    with installed(pigeon=pigeon):
        async with running_gateway({"accounts.main": PIGEON}) as running, browser(running) as http:
            pigeon.findings = [Finding(level="fail", what="token", detail=f"{PIGEON['api_token']} is refused")]
            assert "Account main</a>" not in (await http.get("/ui/")).text
            await running.passes(FIRST)

            async def told() -> bool:
                return "Account main</a> does not work, says the doctor" in (await http.get("/ui/")).text

            await running.until(told)
            page = (await http.get("/ui/")).text
            assert "Token: ••• is refused." in page
            assert pigeon.looks == 1
            pigeon.findings = []
            assert "account main" in (await http.get("/ui/doctor")).text
            assert "Account main</a>" not in (await http.get("/ui/")).text
            assert pigeon.looks == 2


CHATTY = """
from wagate.hooks import Finding, SecretText, hookimpl
import msgspec

class Settings(msgspec.Struct, frozen=True, kw_only=True):
    phrase: SecretText

class Chatty:
    @hookimpl
    def settings_type(self):
        return Settings

    @hookimpl
    def register_checks(self, context):
        async def look():
            return [Finding(level="warn", what="told", detail=f"it said {context.settings.phrase}")]

        return [look]

plugin = Chatty()
"""


async def test_what_a_connector_declares_as_secret_is_blotted_out(tmp_path: Path) -> None:
    file = tmp_path / "chatty.py"
    file.write_text(CHATTY)
    tables = {"plugins.chatty": {"file": str(file), "phrase": "open sesame"}}
    async with running_gateway(tables) as running:
        lines = (await running.ask("GET", "/api/doctor"))["data"]
    assert [each["detail"] for each in lines if each["part"] == "chatty"] == ["it said •••"]


class Counted(Pigeon):
    """It notes how often it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    async def check(self, account: ProviderAccount) -> Sequence[Finding]:
        self.looks += 1
        return await super().check(account)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def lines_of(result: Result) -> dict[str, dict[str, Any]]:
    return {each["part"]: each for each in json.loads(result.stdout)}


def test_without_a_gateway_the_command_asks_itself_and_makes_nothing(folder: Path) -> None:
    pigeon = Pigeon()
    (folder / "config.toml").write_text('[accounts.main]\nprovider = "pigeon"\napi_token = "a token of the fake"\n')
    with installed(pigeon=pigeon, broken=ImportError("no pigeons")):
        pigeon.findings = [Finding(level="fail", what="token", detail="a token of the fake is wrong")]
        result = run("doctor", "--json")
    assert result.exit_code == 1
    found = lines_of(result)
    assert found["gateway"]["level"] == "warn"
    assert found["account main"]["detail"] == "••• is wrong"
    assert "no pigeons" in found["provider broken"]["detail"]
    assert not (folder / "data").exists()


def test_accounts_made_by_api_are_asked_about_too(folder: Path) -> None:
    run("client", "add", "acme")
    (folder / "config.toml").write_text("")
    assert run("doctor").exit_code == 1
    assert "secret_key is missing" in run("doctor").stdout
    (folder / "data/secret_key").write_text("a passphrase for tests")
    result = run("doctor", "--json")
    assert result.exit_code == 0
    assert lines_of(result)["database"]["what"] == "writable"


def test_a_redis_that_is_away_fails_with_its_reason(folder: Path) -> None:
    (folder / "config.toml").write_text(f'[redis]\nurl = "redis://127.0.0.1:{free_port()}"\n')
    result = run("doctor")
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if "\tredis\t" in line]
    assert line.startswith("FAIL\t")


def test_a_running_gateway_is_asked_for_its_lines(tmp_path: Path) -> None:
    line = {"level": "ok", "part": "redis", "what": "policy", "detail": "reachable", "next_step": ""}
    (tmp_path / "config.toml").write_text('[data]\ndir = "."\n')
    (tmp_path / "admin_token").write_text(TOKEN)
    with fake_gateway(tmp_path) as gateway:
        gateway.answers["GET /api/doctor"] = (200, {"data": [line]})
        result = run("doctor", "--config", str(tmp_path / "config.toml"))
        assert (result.exit_code, result.stdout.splitlines()[1]) == (0, "ok\tredis\tpolicy\treachable\t")
        assert "1 ok, 0 to look at, 0 failed" in result.stderr
        gateway.answers["GET /api/doctor"] = (200, {"data": [line | {"level": "fail"}]})
        assert run("doctor", "--config", str(tmp_path / "config.toml"), "--json").exit_code == 1


def test_check_reads_accounts_as_their_providers_want_them(folder: Path) -> None:
    (folder / "config.toml").write_text('[accounts.main]\nprovider = "pigeon"\napi_tokn = "x"\n')
    with installed(pigeon=Pigeon()):
        result = run("check")
    assert result.exit_code == 1
    assert "accounts.main.api_tokn: unknown key; did you mean accounts.main.api_token?" in result.stderr
