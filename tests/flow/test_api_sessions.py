"""Session pages: status, list, view tokens, and the two streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from trio_websocket import HandshakeError, open_websocket_url

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from wagate.storage.models import Account
from wagate.storage.owners.accounts import delete_account
from wagate.testing.rest import at_rest

BASE = "/api/whatsapp/session"
QR = {"event": "qr", "data": {"qr": "1@ABC123"}}
READY: dict[str, Any] = {"event": "ready", "data": {}}


async def tell(site: ApiSite, session: str, event: dict[str, Any], token: str = ACME) -> None:
    async with site.as_(token) as http:
        answer = await http.post(f"/api/whatsapp/webhook/{session}", json=event)
        assert answer.status_code == 200, answer.text


async def view_token(site: ApiSite, session: str, **body: int) -> str:
    async with site.as_(ACME) as http:
        made = await http.post(f"{BASE}/{session}/view-token", json=body)
        assert made.status_code == 201
        assert made.json()["sessionId"] == session
        token: str = made.json()["token"]
        return token


async def events(http: httpx2.AsyncClient, path: str) -> AsyncIterator[tuple[str, Any]]:
    """(event, data) of Server-Sent Events; comments as ("", text)."""
    async with http.stream("GET", path) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))
            elif line.startswith(":"):
                yield "", line


async def test_status_answers_as_specified(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        await tell(site, "session-123", QR)
        answer = (await http.get(f"{BASE}/status/session-123")).json()
        assert answer["success"] is True
        data = answer["data"]
        assert list(data) == [
            *("sessionId", "status", "message", "qr", "qrImage", "userId", "createdAt", "updatedAt"),
            *("isConnected", "needsQR", "isLoading", "hasError"),
        ]
        assert data["qrImage"].startswith("data:image/png;base64,")
        assert (data["qr"], data["userId"], data["needsQR"]) == ("1@ABC123", "acme", True)
        assert data["updatedAt"].endswith("Z")
        await tell(site, "session-123", READY)
        data = (await http.get(f"{BASE}/status/session-123")).json()["data"]
        assert (data["status"], data["qr"], data["qrImage"], data["isConnected"]) == (
            "session_connected",
            None,
            None,
            True,
        )


async def test_the_list_is_filtered_and_its_summary_counts_all(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        await tell(site, "a", READY)
        await tell(site, "b", QR)
        await tell(site, "c", QR, token=OTHER)
        everything = (await http.get(f"{BASE}/list-realtime")).json()
        assert (everything["success"], everything["summary"]["total"]) == (True, 3)
        assert everything["timestamp"].endswith("Z")
        assert {"hasQR", "lastUpdated"} <= set(everything["data"][0])
        for owner in ("acme", "2"):
            mine = (await http.get(f"{BASE}/list-realtime?userId={owner}&status=needsQR")).json()
            assert [each["sessionId"] for each in mine["data"]] == ["b"]
            assert (mine["summary"]["connected"], mine["summary"]["needsQR"], mine["summary"]["total"]) == (1, 1, 2)
        wrong = await http.get(f"{BASE}/list-realtime?status=fine")
        assert (wrong.status_code, wrong.json()["success"]) == (400, False)
        assert (await http.get(f"{BASE}/list-realtime?userId=nobody")).status_code == 404


async def test_a_view_token_looks_at_one_session_and_does_nothing_else(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        await tell(site, "a", QR)
        await tell(site, "b", QR)
        token = await view_token(site, "a", expires_in=60)
        given = {"params": {"token": token}}
        assert (await http.get(f"{BASE}/status/a", **given)).json()["data"]["sessionId"] == "a"
        assert (await http.get(f"{BASE}/status/b", **given)).status_code == 404
        listed = (await http.get(f"{BASE}/list-realtime", **given)).json()
        assert ([each["sessionId"] for each in listed["data"]], listed["summary"]["total"]) == (["a"], 1)
        assert (await http.get("/api/accounts", **given)).status_code == 401
        assert (await http.get("/api/accounts", headers={"Authorization": f"Bearer {token}"})).status_code == 401
        assert (await http.post(f"{BASE}/a/view-token", **given)).status_code == 401
        assert (await http.get(f"{BASE}/status/a?token={token}x")).status_code == 401
        assert (await http.get(f"{BASE}/status/a?token={ACME}")).status_code == 401
        site.clock.shift(61)
        assert (await http.get(f"{BASE}/status/a", **given)).status_code == 401


async def test_a_view_token_ends_with_its_account(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as nobody, site.as_(ACME) as acme:
        await tell(site, "a", QR)
        token = await view_token(site, "a")
        await acme.delete("/api/accounts/a")
        await tell(site, "a", QR, token=OTHER)
        assert (await nobody.get(f"{BASE}/status/a?token={token}")).status_code == 401


async def test_the_stream_begins_with_a_snapshot_and_pushes_every_change(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with api_site(tmp_path) as site, site.as_(ACME) as http:
            await tell(site, "a", QR)
            async with aclosing(events(http, f"{BASE}/stream")) as stream:
                name, snapshot = await anext(stream)
                assert name == "snapshot"
                assert [each["sessionId"] for each in snapshot["data"]] == ["a"]
                await tell(site, "a", READY)
                name, change = await anext(stream)
                assert (name, change["data"]["status"]) == ("session", "session_connected")
                await tell(site, "elsewhere", QR, token=OTHER)
                await tell(site, "b", QR)
                name, change = await anext(stream)
                while change["data"]["sessionId"] == "a":  # The look at the table each second tells it once more.
                    name, change = await anext(stream)
                assert (name, change["data"]["sessionId"]) == ("session", "b")
                assert change["data"]["qrImage"].startswith("data:image/png")


async def test_a_browser_watches_one_session_with_a_view_token_until_it_expires(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with api_site(tmp_path) as site, site.as_(None) as http:
            await tell(site, "a", QR)
            token = await view_token(site, "a", expires_in=60)
            async with aclosing(events(http, f"{BASE}/stream?sessionId=a&token={token}")) as stream:
                assert (await anext(stream))[1]["data"]["sessionId"] == "a"
                await tell(site, "b", READY)
                await tell(site, "a", READY)
                assert (await anext(stream))[1]["data"]["isConnected"] is True
                site.clock.shift(61)
                # What was under way may come, or the look at the table tell the change once more; then it is over.
                assert {change["data"]["sessionId"] async for _, change in stream} <= {"a"}
            assert (await http.get(f"{BASE}/stream?sessionId=b&token={await view_token(site, 'a')}")).status_code == 404


async def test_a_quiet_stream_beats_and_sees_what_others_changed(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with api_site(tmp_path) as site, site.as_(ACME) as http:
            await tell(site, "a", QR)
            async with aclosing(events(http, f"{BASE}/stream")) as stream:
                assert (await anext(stream))[0] == "snapshot"
                await at_rest()
                site.clock.shift(16)
                assert await anext(stream) == ("", ": heartbeat")

                def connect(db: Any) -> None:  # As another process would.
                    change = Account.update(status="session_connected", updated_at=site.clock.now())
                    change.where(Account.name == "a").execute(db)

                await site.database.write(connect)
                assert (await anext(stream))[1]["data"]["status"] == "session_connected"
                await site.database.write(delete_account, "a")
                assert await anext(stream) == ("gone", {"success": True, "sessionId": "a"})


async def test_the_websocket_says_the_same(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with api_site(tmp_path) as site:
            await tell(site, "a", QR)
            url = f"{site.url.replace('http', 'ws')}{BASE}/stream?sessionId=a"
            async with open_websocket_url(f"{url}&token={await view_token(site, 'a')}") as socket:
                first = json.loads(await socket.get_message())
                assert (first["event"], first["data"]["needsQR"]) == ("snapshot", True)
                await socket.send_message("anything")
                await tell(site, "a", READY)
                second = json.loads(await socket.get_message())
                assert (second["event"], second["data"]["isConnected"]) == ("session", True)
            for wrong in (url, f"{url}&token=x", f"{url.replace('=a', '=b')}&token={await view_token(site, 'a')}"):
                with pytest.raises(HandshakeError):
                    async with open_websocket_url(wrong):
                        pass


async def test_streams_end_when_the_process_stops(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with (
            api_site(tmp_path) as site,
            site.as_(ACME) as http,
            aclosing(events(http, f"{BASE}/stream")) as stream,
        ):
            assert (await anext(stream))[0] == "snapshot"
            site.hub.close()
            assert [each async for each in stream] == []
