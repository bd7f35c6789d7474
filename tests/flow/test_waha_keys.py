"""WAHA's keys are clients' tokens, made and revoked by the admin alone; and WAHA's stop."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest
import trio

from tests.gateway import gateway as as_process
from tests.inprocess import Gateway
from tests.provider_sites import Meta, gateway
from wagate.storage.database import FILE

NODE = {"isAdmin": False, "isActive": True}
"""What the n8n node sends beside the session."""
NOBODYS = "0190aaaa-0000-7000-8000-000000000000"


def acts(found: Gateway) -> list[tuple[str, str, str]]:
    """The audit, oldest first."""
    with closing(sqlite3.connect(found.folder / "data" / FILE)) as db:
        return db.execute("SELECT action, object, who FROM audit ORDER BY id").fetchall()


async def works(found: Gateway, key: str) -> bool:
    answer = await found.http.get("/api/sessions", headers={"Authorization": "", "X-Api-Key": key})
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


async def refused(answer: httpx2.Response, status: int, field: str, word: str) -> None:
    """In WAHA's shape, with the field's name."""
    said = answer.json()
    assert (answer.status_code, said["statusCode"]) == (status, status), answer.text
    assert word in said["message"]
    assert [each["field"] for each in said.get("errors", [])] == ([field] if field else [])


async def test_a_key_is_shown_once_works_and_is_revoked() -> None:
    async with gateway(Meta()) as found:
        made = (await found.http.post("/api/keys", json={"session": "main", **NODE})).json()
        assert (made["isActive"], made["isAdmin"], made["session"]) == (True, False, "main")
        assert await works(found, made["key"])

        listed = await found.http.get("/api/keys")
        assert [(each["id"], each["key"], each["session"]) for each in listed.json()] == [(made["id"], "", "main")]
        assert made["key"] not in listed.text

        path = f"/api/keys/{made['id']}"
        same = await found.http.put(path, json={"session": "main", **NODE})
        assert (same.status_code, same.json()["key"], same.json()["isActive"]) == (200, "", True)
        off = await found.http.put(path, json={"session": "main", **NODE, "isActive": False})
        assert (off.status_code, off.json()["isActive"]) == (200, False)
        assert not await works(found, made["key"])
        again = await found.http.put(path, json={"session": "main", **NODE})
        await refused(again, 404, "", "a revoked one is gone for good")

        second = (await found.http.post("/api/keys", json={"session": "main", **NODE})).json()
        assert (await found.http.delete(f"/api/keys/{second['id']}")).status_code == 200
        assert not await works(found, second["key"])
        assert (await found.http.delete(f"/api/keys/{second['id']}")).status_code == 404
        assert acts(found) == [
            ("add token", "default", "admin"),
            ("revoke token", "default", "admin"),
            ("add token", "default", "admin"),
            ("revoke token", "default", "admin"),
        ]


async def test_a_clients_token_does_nothing_with_keys_and_stops_nothing() -> None:
    async with gateway(Meta()) as found:
        theirs = await found.client("theirs")
        admins = (await found.http.post("/api/keys", json={"session": "main", **NODE})).json()
        before, client = acts(found), {"Authorization": f"Bearer {theirs['token']}"}
        body = {"session": "main", **NODE, "isActive": False}
        for method, path in (
            ("GET", "/api/keys"),
            ("POST", "/api/keys"),
            ("PUT", f"/api/keys/{admins['id']}"),
            ("DELETE", f"/api/keys/{admins['id']}"),
            ("DELETE", f"/api/keys/{NOBODYS}"),
            ("POST", "/api/server/stop"),
        ):
            content = json.dumps(body) if method in {"POST", "PUT"} else None
            answer = await found.http.request(method, path, content=content, headers=client)
            await refused(answer, 403, "", "admin token")
            answer = await found.http.request(method, path, content=content, headers={"Authorization": "Bearer no"})
            await refused(answer, 401, "", "token")
        assert await works(found, admins["key"])
        assert acts(found) == before
        assert not found.stop.is_set()


NO_TOKENS: list[Any] = [
    ({"session": None, **NODE}, "session", "name the session"),
    ({"session": "", **NODE}, "session", "name the session"),
    ({"session": "main", "isAdmin": True, "isActive": True}, "isAdmin", "auth.admin_token"),
    ({"session": None, "isAdmin": True, "isActive": True}, "isAdmin", "auth.admin_token"),
    ({"session": "main", "isAdmin": False, "isActive": False}, "isActive", "when it is needed"),
    ({"session": "main", **NODE, "actions": {"read": True}}, "actions", "no scopes"),
    ({"session": "main", **NODE, "actions": {}}, "actions", "no scopes"),
    ({"session": "both", **NODE}, "session", "here also both-too"),
    ({"session": ["main"], **NODE}, "session", "Expected"),
    ({"session": "main", "isAdmin": "true"}, "isAdmin", "Expected"),
]
"""(body, field, word of the answer)"""


async def test_a_key_that_no_token_can_be_is_refused_with_the_cure() -> None:
    async with gateway(Meta()) as found:
        await two_numbers(found)
        for body, field, word in NO_TOKENS:
            await refused(await found.http.post("/api/keys", json=body), 422, field, word)
        assert [each["_data"]["name"] for each in (await found.http.get("/api/keys")).json()] == ["first"]


async def two_numbers(found: Gateway) -> dict[str, Any]:
    """A client with two."""
    both = await found.client("both")
    for name in ("both", "both-too"):
        account = {"name": name, "provider": "session", "tenant_id": "both"}
        await found.ask("POST", "/api/accounts", 201, json=account)
    return both


async def test_a_key_stays_with_its_client() -> None:
    async with gateway(Meta()) as found:
        both = await two_numbers(found)
        [first] = [each for each in (await found.http.get("/api/keys")).json() if each["_data"]["client"] == "both"]
        assert first["session"] is None
        path = f"/api/keys/{first['id']}"
        for active in (True, False):
            moved = await found.http.put(path, json={"session": "main", "isAdmin": False, "isActive": active})
            await refused(moved, 422, "session", "stays with its client")
        await refused(await found.http.put(path, json={"session": "both", **NODE}), 422, "session", "here also")
        assert (await found.http.put(path, json={"session": None, **NODE})).status_code == 200
        await refused(await found.http.put(path, json={"session": "nobodys", **NODE}), 404, "", "Session not found")
        await refused(await found.http.put(f"/api/keys/{NOBODYS}", json=NODE), 404, "", "no such token")
        assert await works(found, both["token"])
        off = await found.http.put(path, json={"session": "both", "isAdmin": False, "isActive": False})
        assert off.status_code == 200
        assert not await works(found, both["token"])


async def test_bodies_that_are_none_or_huge_are_refused_and_limits_hold() -> None:
    async with gateway(Meta(), limits={"api": "off", "tokens": 1}) as found:
        for content, status in (
            (b"", 400),
            (b"[1", 400),
            (b"[]", 422),
            (b'{"session":"' + b"x" * 3_000_000 + b'"}', 413),
        ):
            answer = await found.http.post("/api/keys", content=content)
            assert answer.status_code == status, answer.text[:200]
        assert (await found.http.post("/api/keys", json={"session": "main", **NODE})).status_code == 201
        await refused(await found.http.post("/api/keys", json={"session": "main", **NODE}), 409, "", "limits.tokens")


@pytest.mark.parametrize("body", [{"force": False}, {"force": True}, {"force": None}, {}, None])
async def test_a_stop_is_answered_written_down_and_then_done(body: Any) -> None:
    async with gateway(Meta()) as found:
        wrong = await found.http.post("/api/server/stop", json={"force": "yes"})
        assert wrong.status_code == 422
        answer = await found.http.post("/api/server/stop", json=body)
        assert (answer.status_code, answer.json()) == (201, {"stopping": True})
        assert acts(found)[-1] == ("stop gateway", "gateway", "admin")
        with trio.fail_after(5):
            await found.stop.wait()


async def test_a_stop_ends_the_process_as_a_signal_does() -> None:
    async with as_process({}) as found:
        assert (await found.http.post("/api/server/stop", json={"force": False})).status_code == 201
        assert found.process is not None
        with trio.fail_after(60):
            assert await trio.to_thread.run_sync(found.process.wait, abandon_on_cancel=True) == 0
        assert [each["asked_by"] for each in found.logged("stopping")] == ["api"]
        assert len(found.logged("stopped")) == 1
