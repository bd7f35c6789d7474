"""``wagate chatwoot connect`` and ``test`` before a fake Chatwoot, with and without a gateway."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from typer.testing import CliRunner, Result

from tests.inprocess import running_gateway
from wagate.cli import app
from wagate.config import load
from wagate.testing.chatwoot import FakeChatwoot
from wagate.testing.server import running

BEFORE = '# mine\n[server]\npublic_url = "https://wa.example.org"'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.toml").write_text(BEFORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("wagate_chatwoot.setup.trial.PATIENCE", 60.0)
    return tmp_path


@asynccontextmanager
async def a_chatwoot() -> AsyncIterator[FakeChatwoot]:
    server = FakeChatwoot()
    server.habits.timeout = 60  # Not one webhook is given up because the machine stands still.
    async with running(server):
        yield server


async def run(*arguments: str, **environment: str) -> Result:
    call = partial(CliRunner().invoke, app, ["chatwoot", *arguments], env=environment)
    return await trio.to_thread.run_sync(call)


async def connect(server: FakeChatwoot, *arguments: str, token: str = "", **environment: str) -> Result:
    return await run("connect", "--url", server.url, "--token", token or server.admin.token, *arguments, **environment)


def inboxes(folder: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = tomllib.loads((folder / "config.toml").read_text())["plugins"]["chatwoot"][
        "inboxes"
    ]
    return found


async def test_it_makes_the_inbox_and_adds_a_table_whose_secrets_are_files_of_the_owner(folder: Path) -> None:
    async with a_chatwoot() as server:
        result = await connect(server, "--name", "desk", "--inbox-name", "Shop")
        assert result.exit_code == 0, result.output
        made = server.state.inboxes[-1]
    assert (made.name, made.webhook_url) == ("Shop", "https://wa.example.org/webhooks/chatwoot/default/desk")
    assert (folder / "config.toml").read_text().startswith(BEFORE + "\n\n[plugins.chatwoot.inboxes.")
    table = inboxes(folder)["desk"]
    assert table["token"] == "file:secrets/chatwoot-desk-token"
    for name, text in (("token", server.admin.token), ("secret", made.secret)):
        file = folder / f"secrets/chatwoot-desk-{name}"
        assert file.read_text() == text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700
    assert load(folder / "config.toml", {}).plugins["chatwoot"]["inboxes"]["desk"]["secret"] == made.secret
    assert server.admin.token not in result.output
    assert made.secret not in result.output


async def test_a_token_from_the_environment_stays_there(folder: Path) -> None:
    async with a_chatwoot() as server:
        result = await connect(server, token="env:CHAT_TOKEN", CHAT_TOKEN=server.admin.token)
        assert result.exit_code == 0, result.output
    assert inboxes(folder)["support"]["token"] == "env:CHAT_TOKEN"
    assert not (folder / "secrets/chatwoot-support-token").exists()


async def test_a_second_table_of_the_name_is_refused_before_anything_is_made(folder: Path) -> None:
    async with a_chatwoot() as server:
        await connect(server)
        before, count = (folder / "config.toml").read_text(), len(server.state.inboxes)
        result = await connect(server)
        assert result.exit_code == 1
        assert "already exists" in result.stderr
        assert len(server.state.inboxes) == count
    assert (folder / "config.toml").read_text() == before


async def test_an_inbox_that_posts_here_already_is_taken_and_not_made_again(folder: Path) -> None:
    async with a_chatwoot() as server:
        await connect(server)
        (folder / "config.toml").write_text(BEFORE)
        result = await connect(server, "--json")
        assert json.loads(result.stdout)["did"] == "found"
        assert len(server.state.inboxes) == 2


async def test_an_inbox_that_posts_elsewhere_is_told_of_and_changed_only_when_asked(folder: Path) -> None:
    async with a_chatwoot() as server:
        server.inbox.webhook_url = "https://elsewhere.example/hook"
        told = json.loads((await connect(server, "--inbox", "7", "--json")).stdout)
        assert "set the webhook URL to https://wa.example.org/webhooks/chatwoot/default/support" in told["next_step"]
        assert server.inbox.webhook_url == "https://elsewhere.example/hook"
        (folder / "config.toml").write_text(BEFORE)
        told = json.loads((await connect(server, "--inbox", "7", "--change", "--json")).stdout)
        assert (told["did"], told["webhook_url"]) == ("changed", server.inbox.webhook_url)


async def test_numbers_with_the_24_hour_rule_get_it_in_chatwoot(folder: Path) -> None:
    (folder / "config.toml").write_text(f'{BEFORE}\n[accounts.shop]\nprovider = "meta"\n')
    async with a_chatwoot() as server:
        await connect(server, "--account", "shop")
        assert server.state.inboxes[-1].additional_attributes == {"agent_reply_time_window": 24}
        assert server.state.inboxes[-1].webhook_url.endswith("/webhooks/chatwoot/shop/support")
    assert inboxes(folder)["support"]["accounts"] == ["shop"]


async def test_a_server_that_does_not_sign_gets_a_token_in_the_url(folder: Path) -> None:
    async with a_chatwoot() as server:
        server.inbox.secret = ""
        result = await connect(server, "--inbox", "7", "--change")
        assert result.exit_code == 0, result.output
        token = (folder / "secrets/chatwoot-support-webhook_token").read_text()
        assert server.inbox.webhook_url.endswith(f"/support?token={token}")
    assert "secret" not in inboxes(folder)["support"]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("user", "only an administrator's token may make an inbox"),
        ("bot", "a bot's may not see contacts"),
        ("nobody", "underscores_in_headers"),
    ],
)
async def test_a_token_that_does_not_do_is_refused_with_the_cure(folder: Path, who: str, said: str) -> None:
    async with a_chatwoot() as server:
        token = "wrong" if who == "nobody" else getattr(server, who).token
        result = await connect(server, token=token)
        assert result.exit_code == 1
        assert said in result.stderr
    assert (folder / "config.toml").read_text() == BEFORE
    assert not (folder / "secrets").exists()


async def test_an_agents_token_does_with_an_inbox_that_is_there_and_its_secret(folder: Path) -> None:
    async with a_chatwoot() as server:
        refused = await connect(server, "--inbox", "7", token=server.user.token)
        assert "give --secret" in refused.stderr
        result = await connect(server, "--inbox", "7", "--secret", server.inbox.secret, token=server.user.token)
        assert result.exit_code == 0, result.output
        assert "set the webhook URL" in result.stderr
    assert (folder / "secrets/chatwoot-support-secret").read_text() == server.inbox.secret


async def test_several_accounts_want_a_choice(folder: Path) -> None:
    async with a_chatwoot() as server:
        assert "no such account; it has: 1 Acme" in (await connect(server, "--account-id", "5")).stderr
    assert (folder / "config.toml").read_text() == BEFORE


async def test_trying_an_inbox_shows_both_directions(folder: Path) -> None:
    async with a_chatwoot() as server:
        tables = {"plugins.chatwoot.inboxes.desk": server.settings(token=server.admin.token)}
        async with running_gateway(tables) as gateway:
            server.inbox.webhook_url = f"{gateway.url}/webhooks/chatwoot/default/desk"
            file = str(gateway.folder / "config.toml")
            good = await run("test", "--config", file)
            assert good.exit_code == 0, good.output
            assert "ok    wagate to Chatwoot: a note was written" in good.stdout
            assert "ok    Chatwoot to wagate: its webhook came" in good.stdout
            server.habits.refuse_private = True
            lan = await run("test", "desk", "--config", file)
            assert lan.exit_code == 1
            assert "SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true" in lan.stdout
            server.habits.refuse_private, server.habits.wrong_secret = False, True
            assert "compare secret" in (await run("test", "--config", file)).stdout
            notes = [each for each in server.posted("whatsapp.integration") if each.private]
            assert len(notes) == 3
    assert folder


async def test_a_gateway_that_does_not_know_the_inbox_yet_is_reached_and_to_be_restarted(folder: Path) -> None:
    async with a_chatwoot() as server, running_gateway({"server": {"public_url": "https://x.example"}}) as gateway:
        result = await connect(server, "--gateway", gateway.url, "--config", str(gateway.folder / "config.toml"))
        assert result.exit_code == 0, result.output
        assert "Chatwoot reaches a gateway (404)" in result.stdout
        assert "restart the gateway" in result.stderr
    assert folder
