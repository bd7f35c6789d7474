"""A changed configuration is taken up while the gateway serves: by command, by SIGHUP; a wrong one is refused."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from typer.testing import CliRunner, Result

from tests.gateway import TOKEN, GatewayProcess, gateway
from wagate.cli import app

SETTINGS = {"plugins.chatwoot": {}, "accounts.main": {"provider": "session", "webhook_secret": "file:secret"}}


@asynccontextmanager
async def a_gateway(tables: dict[str, dict[str, Any]]) -> AsyncIterator[GatewayProcess]:
    async with gateway(tables, start=False) as server:
        (server.folder / "secret").write_text("first-secret-0123")
        await server.start()
        yield server


async def run(server: GatewayProcess, *arguments: str, **environment: str) -> Result:
    call = partial(CliRunner().invoke, app, ["--config", str(server.config), *arguments], env=environment)
    return await trio.to_thread.run_sync(call)


async def posts(server: GatewayProcess, secret: str) -> int:
    """The status of an engine's webhook that carries this secret."""
    body = {"event": "ready", "sessionId": "main", "data": {}}
    headers = {"Authorization": "", "X-Webhook-Secret": secret}
    return (await server.http.post("/api/whatsapp/webhook/main", json=body, headers=headers)).status_code


async def until(there: Callable[[], Any]) -> None:
    with trio.fail_after(60):
        while not there():
            await trio.sleep(0.02)


async def test_a_changed_secret_is_taken_up_by_command_and_by_signal() -> None:
    async with a_gateway(SETTINGS) as server:
        (server.folder / "secret").write_text("second-secret-0123")
        result = await run(server, "reload", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == {"taken_up": ["accounts.main"], "restart": []}
        assert [await posts(server, secret) for secret in ("first-secret-0123", "second-secret-0123")] == [401, 200]
        (server.folder / "secret").write_text("third-secret-0123")
        os.kill(server.pid, signal.SIGHUP)
        await until(lambda: len(server.logged("configuration reloaded")) == 2)
        assert [await posts(server, secret) for secret in ("second-secret-0123", "third-secret-0123")] == [401, 200]
        assert (await run(server, "reload")).stdout == "taken up: nothing has changed\n"
        assert server.process is not None
        assert server.process.poll() is None


async def test_a_fresh_variable_comes_with_the_command_and_stays() -> None:
    tables = {"accounts.main": {"provider": "session", "webhook_secret": "env:MAIN_SECRET"}}
    async with gateway(tables, start=False) as server:
        server.environment["MAIN_SECRET"] = "first-secret-0123"
        await server.start()
        assert await posts(server, "first-secret-0123") == 200
        more = {"MAIN_SECRET": "second-secret-0123", "UNNAMED": "x"}
        assert (await run(server, "reload", **more)).stdout == "taken up: accounts.main\n"
        os.kill(server.pid, signal.SIGHUP)  # It keeps what it was given.
        await until(lambda: len(server.logged("configuration reloaded")) == 2)
        assert [await posts(server, secret) for secret in ("first-secret-0123", "second-secret-0123")] == [401, 200]
        assert "second-secret-0123" not in server.log.read_text()


async def test_a_wrong_configuration_is_refused_with_its_reasons_and_the_old_one_goes_on() -> None:
    async with a_gateway(SETTINGS) as server:
        right = server.config.read_text()
        wrong = {
            'prot = 1\n[server]\nport = "x"\n': ["prot: unknown key", "server.port: must be a whole number"],
            right + '[accounts.other]\nprovider = "mta"\n': ["accounts.other.provider"],
            right + "[plugins.bogus]\n": ["no such plugin is installed"],
            right.replace("file:secret", "file:absent"): ["accounts.main.webhook_secret: can't read"],
            "[": ["line 1"],
        }
        for number, (text, reasons) in enumerate(wrong.items(), 1):
            server.config.write_text(text)
            os.kill(server.pid, signal.SIGHUP)
            # One at a time: two signals that come together are one.
            await until(lambda: len(server.logged("configuration refused, the old one goes on")) >= number)  # noqa: B023
            answer = await server.http.post("/api/reload")
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"].startswith("refused; the old one stays in use: ")
            for reason in reasons:
                assert reason in answer.text
        assert await posts(server, "first-secret-0123") == 200
        server.config.write_text(right)
        result = await run(server, "reload")
        assert (result.exit_code, result.stdout) == (0, "taken up: nothing has changed\n")


async def test_what_needs_a_restart_is_said_and_not_taken_up() -> None:
    async with a_gateway(SETTINGS) as server:
        text = server.config.read_text() + '[retention]\nevents = "1d"\n[accounts.new]\nprovider = "session"\n'
        server.config.write_text(text.replace("[plugins.n8n]", '[plugins.n8n]\nexpires = "9h"'))
        for _ in range(2):
            said = json.loads((await run(server, "reload", "--json")).stdout)
            assert said["restart"] == ["plugins.n8n", "retention.events"]
        names = [row["name"] for row in (await server.http.get("/api/accounts")).json()["data"]]
        assert sorted(names) == ["main", "new"]


async def test_a_new_admin_token_ends_the_old_one() -> None:
    async with a_gateway(SETTINGS) as server:
        server.config.write_text(server.config.read_text().replace(TOKEN, "another-admin-token-0123"))
        os.kill(server.pid, signal.SIGHUP)
        await until(lambda: server.logged("configuration reloaded"))
        assert (await server.http.get("/api/clients")).status_code == 401
        new = {"Authorization": "Bearer another-admin-token-0123"}
        assert (await server.http.get("/api/clients", headers=new)).status_code == 200


async def test_only_the_admin_reloads() -> None:
    async with a_gateway(SETTINGS) as server:
        token = (await server.http.post("/api/clients", json={"slug": "acme"})).json()["token"]
        answer = await server.http.post("/api/reload", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403


@pytest.mark.parametrize("closed", [True, False])
async def test_a_closed_terminal_stops_a_gateway_that_was_started_there(closed: bool) -> None:
    ours, theirs = os.openpty()
    async with gateway(start=False) as server:
        process = server.spawn(terminal=theirs)
        os.close(theirs)
        await until(lambda: server.logged("serving"))
        if closed:
            os.close(ours)
        os.kill(process.pid, signal.SIGHUP)
        if closed:
            with trio.fail_after(60):
                assert await trio.to_thread.run_sync(process.wait) == 0
            return
        await until(lambda: server.logged("configuration reloaded"))
        os.close(ours)
        assert process.poll() is None


CHATWOOT = {
    "plugins.chatwoot.inboxes.support": {
        "url": "http://127.0.0.1:9",
        "account_id": 1,
        "inbox_id": 3,
        "token": "an-agents-token-0123",
        "webhook_token": "file:secret",
    }
}


async def knocks(server: GatewayProcess, token: str) -> int:
    """The status of a webhook of Chatwoot's that carries this token."""
    path = f"/webhooks/chatwoot/default/support?token={token}"
    return (await server.http.post(path, json={"event": "none"}, headers={"Authorization": ""})).status_code


async def test_a_plugins_secret_is_taken_up_and_another_inbox_waits_for_a_restart() -> None:
    async with a_gateway(CHATWOOT) as server:
        assert [await knocks(server, token) for token in ("first-secret-0123", "second-secret-0123")] == [200, 401]
        (server.folder / "secret").write_text("second-secret-0123")
        said = json.loads((await run(server, "reload", "--json")).stdout)
        assert said == {"taken_up": ["plugins.chatwoot"], "restart": []}
        assert [await knocks(server, token) for token in ("first-secret-0123", "second-secret-0123")] == [401, 200]
        assert (await run(server, "reload")).stdout == "taken up: nothing has changed\n"

        right = server.config.read_text()
        server.config.write_text(right.replace('url = "http://127.0.0.1:9"', 'url = "chat.example"'))
        answer = await server.http.post("/api/reload")
        assert answer.status_code == 422
        assert "plugins.chatwoot.inboxes.support.url: must be like" in answer.text

        (server.folder / "secret").write_text("third-secret-0123")
        server.config.write_text(right.replace("inbox_id = 3", "inbox_id = 4"))
        said = json.loads((await run(server, "reload", "--json")).stdout)
        assert said == {"taken_up": [], "restart": ["plugins.chatwoot"]}
        assert [await knocks(server, token) for token in ("second-secret-0123", "third-secret-0123")] == [200, 401]


async def test_alerts_take_up_their_channels() -> None:
    channel = {"account": "gone", "to": ["+12025550142"]}
    async with a_gateway({"plugins.alerts": {}, "plugins.alerts.channels.phone": channel}) as server:
        (before,) = (await server.http.post("/plugins/alerts/test")).json()
        assert before["detail"] == "there is no account 'gone'"
        right = server.config.read_text()
        server.config.write_text(right.replace('"gone"', '"another"').replace("channels.phone", "channels.night"))
        said = json.loads((await run(server, "reload", "--json")).stdout)
        assert said == {"taken_up": ["plugins.alerts"], "restart": []}
        (after,) = (await server.http.post("/plugins/alerts/test")).json()
        assert (after["channel"], after["detail"]) == ("night", "there is no account 'another'")
        server.config.write_text(right.replace('["+12025550142"]', "[]"))
        answer = await server.http.post("/api/reload")
        assert answer.status_code == 422
        assert "plugins.alerts.channels.phone: to: is missing" in answer.text
