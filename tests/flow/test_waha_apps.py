"""WAHA's apps are inboxes of the connector for Chatwoot: seen, paused and resumed, and without their secrets."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest
import trio

from tests.inprocess import Gateway
from tests.provider_sites import Meta, gateway
from wagate.storage.database import FILE
from wagate_chatwoot.inboxes import Pause

SECRETS = ("access-token-of-chatwoot", "secret-of-the-inbox")
INBOX = {
    "url": "http://127.0.0.1:9",
    "account_id": 3,
    "inbox_id": 4,
    "token": SECRETS[0],
    "secret": SECRETS[1],
    "locale": "pt",
}
TABLES: Any = {
    "plugins.chatwoot.inboxes.support": {**INBOX, "accounts": ["main"]},
    "plugins.chatwoot.inboxes.all": {**INBOX, "inbox_id": 5},
    "plugins.chatwoot.inboxes.theirs": {**INBOX, "inbox_id": 6, "client": "theirs"},
}
APP = {
    "id": "support",
    "session": "main",
    "app": "chatwoot",
    "enabled": True,
    "config": {"url": "http://127.0.0.1:9", "accountId": 3, "inboxId": 4, "locale": "pt"},
}


def shown(app: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in app.items() if name != "_data"}


def acts(found: Gateway) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(found.folder / "data" / FILE)) as db:
        return db.execute("SELECT action, object, who FROM audit WHERE action LIKE '%inbox' ORDER BY id").fetchall()


async def refused(answer: httpx2.Response, status: int, field: str, word: str) -> None:
    said = answer.json()
    assert (answer.status_code, said["statusCode"]) == (status, status), answer.text
    assert word in said["message"]
    assert [each["field"] for each in said.get("errors", [])] == ([field] if field else [])


async def test_inboxes_are_apps_of_the_sessions_that_they_show() -> None:
    async with gateway(Meta(), **TABLES) as found:
        theirs = await found.client("theirs")
        client: Any = {"headers": {"Authorization": f"Bearer {theirs['token']}"}}
        answer = await found.http.get("/api/apps", params={"session": "main"})
        assert [each["id"] for each in answer.json()] == ["support", "all"]
        assert all(secret not in answer.text for secret in SECRETS)
        one = await found.http.get("/api/apps/support")
        assert shown(one.json()) == APP
        assert all(secret not in one.text for secret in SECRETS)
        assert len((await found.http.get("/api/apps", params={"session": ""})).json()) == 3
        assert [each["id"] for each in (await found.http.get("/api/apps", **client)).json()] == ["theirs"]
        await refused(await found.http.get("/api/apps", params={"session": "main"}, **client), 404, "", "Session")
        for name in ("support", "none", "..%2Fpulls"):
            await refused(await found.http.get(f"/api/apps/{name}", **client), 404, "", "")


async def test_an_app_is_paused_and_resumed_and_keeps_the_rest() -> None:
    async with gateway(Meta(), **TABLES) as found:
        theirs = await found.client("theirs")
        path, node = "/api/apps/support", {**APP, "config": {}}
        off = await found.http.put(path, json={**node, "enabled": False})
        assert (off.status_code, off.json()["enabled"]) == (200, False)
        assert (await found.http.get(path)).json()["enabled"] is False
        for body in ({**APP, "enabled": False}, {"enabled": None, "config": None}, {}):  # nothing to do
            assert (await found.http.put(path, json=body)).json()["enabled"] is False
        assert (await found.http.put(path, json=node)).json()["enabled"] is True
        for body, field, word in (
            ({**node, "app": "calls"}, "app", "calls/reject"),
            ({**node, "app": "mcp"}, "app", "MCP"),
            ({**node, "app": "mine"}, "app", "chatwoot only"),
            ({**node, "id": "other"}, "id", "keeps its id"),
            ({**node, "config": {"url": "http://other.example"}}, "config.url", "config.toml"),
            ({**node, "config": {"accountToken": "mine"}}, "config.accountToken", "config.toml"),
            ({**node, "enabled": "no"}, "enabled", "Expected"),
            ({**node, "config": []}, "config", "Expected"),
        ):
            await refused(await found.http.put(path, json=body), 422, field, word)
        await refused(await found.http.put("/api/apps/theirs", json=node), 422, "id", "keeps its id")
        wrong = await found.http.put("/api/apps/theirs", json={**node, "id": "theirs"})
        await refused(wrong, 422, "session", "does not show main")
        client = {"Authorization": f"Bearer {theirs['token']}"}
        await refused(await found.http.put(path, json={**node, "enabled": False}, headers=client), 404, "", "App")
        assert (await found.http.put(path, content=b"x" * 3_000_000)).status_code == 413
        assert (await found.http.get(path)).json()["enabled"] is True
        assert acts(found) == [
            ("pause inbox", "chatwoot:support", "admin"),
            ("resume inbox", "chatwoot:support", "admin"),
        ]


@pytest.mark.parametrize("path", ["/api/apps/support", "/plugins/chatwoot/inboxes/support"])
async def test_a_resume_is_answered_and_written_down_however_long_the_calls_take(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = list[str]()

    async def for_ever(_pause: Pause, target: str, **_whose: Any) -> int:
        called.append(target)
        await trio.sleep_forever()
        return 0

    monkeypatch.setattr(Pause, "ring", for_ever)
    waha = path.startswith("/api")

    async def put(found: Gateway, *, paused: bool) -> None:
        body = {"enabled": not paused} if waha else {"paused": paused}
        with trio.fail_after(20):
            answer = await found.http.request("PUT" if waha else "PATCH", path, json=body)
        assert (answer.status_code, answer.json()["enabled" if waha else "paused"]) == (200, paused != waha)

    async with gateway(Meta(), **TABLES) as found:
        await put(found, paused=False)
        assert called == []
        await put(found, paused=True)
        await put(found, paused=False)
        assert [each[0] for each in acts(found)][-2:] == ["pause inbox", "resume inbox"]
        with trio.fail_after(20):
            while called != ["in/support"]:
                await trio.sleep(0.01)


async def test_what_needs_a_restart_is_refused_with_the_way_to_do_it() -> None:
    async with gateway(Meta(), **TABLES) as found:
        await refused(await found.http.post("/api/apps", json=APP), 501, "", "wagate chatwoot connect")
        await refused(await found.http.post("/api/apps", json={**APP, "app": "mcp"}), 422, "app", "MCP")
        await refused(await found.http.delete("/api/apps/support"), 501, "", "plugins.chatwoot.inboxes.support")
        await refused(await found.http.delete("/api/apps/none"), 404, "", "App not found")


async def test_languages_are_those_that_the_connector_has() -> None:
    async with gateway(Meta(), **TABLES) as found:
        told = (await found.http.get("/api/apps/chatwoot/locales")).json()
        assert [each["locale"] for each in told] == ["en", "pt", "es", "de", "fr", "it", "id", "ar", "tr", "ru"]
        assert {"name": "Português", "locale": "pt"} in told


@pytest.mark.parametrize("path", ["/plugins/chatwoot/inboxes/support", "/plugins/chatwoot/inboxes/none"])
async def test_a_client_pauses_its_own_inboxes_only(path: str) -> None:
    async with gateway(Meta(), **TABLES) as found:
        theirs = await found.client("theirs")
        client = {"Authorization": f"Bearer {theirs['token']}"}
        assert (await found.http.patch(path, json={"paused": True}, headers=client)).status_code == 404
        own = await found.http.patch("/plugins/chatwoot/inboxes/theirs", json={"paused": True}, headers=client)
        assert (own.status_code, own.json()["paused"]) == (200, True)
        assert acts(found) == [("pause inbox", "chatwoot:theirs", "theirs")]


async def test_without_the_connector_there_are_no_apps_and_no_languages() -> None:
    async with gateway(Meta()) as found:
        assert (await found.http.get("/api/apps", params={"session": "main"})).json() == []
        locales = await found.http.get("/api/apps/chatwoot/locales")
        await refused(locales, 501, "", "[plugins.chatwoot]")
