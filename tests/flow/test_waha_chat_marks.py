"""WAHA's archive, unread, clear, delete and star: kept in wagate, and told to the phone by providers that can."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import msgspec
import pytest

from tests.inprocess import Gateway
from tests.provider_sites import THEM, Dialog360, Infobip, Meta, Site, Twilio, Waha, gateway, post
from wagate.outbound import outbox
from wagate.storage.database import FILE
from wagate.storage.threads.chat_marks import mark_chat
from wagate.web.waha import chats

CHAT = f"{THEM}@c.us"
CHATS = "/api/main/chats"
ONE = f"{CHATS}/{CHAT}"


def told(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


async def write(site: Site, found: Gateway, text: str) -> None:
    """A message from THEM."""
    body = site.text(text)
    await post(found, body, site.proof(body))


async def chat(found: Gateway) -> dict[str, Any]:
    """Archived, and how much is unread, in both lists."""
    [listed] = told(await found.http.get(CHATS))
    [summary] = told(await found.http.get(f"{CHATS}/overview"))
    assert summary["_chat"] == listed
    return {name: listed[name] for name in ("archived", "unreadCount")}


async def messages(found: Gateway) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = told(await found.http.get(f"{ONE}/messages"))
    return listed


@pytest.mark.parametrize("kind", [Meta, Dialog360, Infobip, Twilio], ids=lambda kind: kind.provider)
async def test_marks_are_kept_and_shown_where_the_provider_has_none(kind: type[Site]) -> None:
    site = kind()
    async with gateway(site) as found:
        http = found.http
        await write(site, found, "hello")
        assert await chat(found) == {"archived": False, "unreadCount": 1}
        told(await http.post(f"{ONE}/archive"), 201)
        assert await chat(found) == {"archived": True, "unreadCount": 1}
        told(await http.post("/api/sendSeen", json={"session": "main", "chatId": CHAT}), 201)
        assert await chat(found) == {"archived": True, "unreadCount": 0}
        told(await http.post(f"{ONE}/unread"), 201)
        assert await chat(found) == {"archived": True, "unreadCount": -1}
        told(await http.post(f"{ONE}/messages/read"), 201)
        told(await http.post(f"{ONE}/unarchive"), 201)
        assert await chat(found) == {"archived": False, "unreadCount": 0}
        told(await http.post(f"{ONE}/archive"), 201)
        await write(site, found, "again")
        assert await chat(found) == {"archived": False, "unreadCount": 1}

        [newer, older] = await messages(found)
        star = {"session": "main", "chatId": CHAT, "messageId": older["id"], "star": True}
        told(await http.put("/api/star", json=star))
        assert [each["_data"]["star"] for each in await messages(found)] == [False, True]
        shown = told(await http.get(f"{ONE}/messages/{older['id']}"))
        assert (shown["_data"]["star"], shown["_data"]["starred"]) == (True, True)
        told(await http.put("/api/star", json=star | {"star": False}))
        assert [each["_data"]["starred"] for each in await messages(found)] == [False, False]
        told(await http.put("/api/star", json=star | {"messageId": newer["id"]}))
        [summary] = told(await http.get(f"{CHATS}/overview"))
        assert summary["lastMessage"]["_data"]["star"] is True

        assert told(await http.put("/api/star", json=star | {"messageId": "no-such"}), 404)["message"] == (
            "Message not found"
        )
        for verb in ("DELETE", "POST"):
            path = f"{CHATS}/15550009999@c.us" + ("" if verb == "DELETE" else "/archive")
            answer = await http.request(verb, path)
            assert answer.status_code == (404 if verb == "DELETE" else 201), answer.text
        assert len(told(await http.get(CHATS))) == 1
        with closing(sqlite3.connect(found.folder / "data" / FILE)) as db:
            acts = [name for (name,) in db.execute("SELECT DISTINCT action FROM audit ORDER BY action")]
        assert acts == ["archive chat", "mark chat unread", "star message", "unarchive chat"]


async def test_a_chat_that_is_cleared_or_deleted_is_gone_from_the_lists_and_what_waits_is_delivered() -> None:
    site = Meta()
    async with gateway(site) as found:
        http = found.http
        await write(site, found, "one")
        [first] = await messages(found)
        told(await http.delete(f"{ONE}/messages"))
        assert await messages(found) == []
        [summary] = told(await http.get(f"{CHATS}/overview"))
        assert (summary["lastMessage"], summary["_chat"]["messages"]) == (None, 0)
        told(await http.get(f"{ONE}/messages/{first['id']}"), 404)
        await write(site, found, "two")
        assert [each["body"] for each in await messages(found)] == ["two"]
        assert told(await http.get(CHATS))[0]["messages"] == 1

        told(await http.post(f"{ONE}/archive"), 201)
        told(await http.delete(ONE))
        assert told(await http.get(CHATS)) == told(await http.get(f"{CHATS}/overview")) == []
        assert await messages(found) == []
        bodies = list[str]()
        for _ in range(2):
            job = told(await http.get("/queue/next-job", params={"wait": 20, "lease": 60}))
            bodies.append(job["payload"]["message"])
            done = {"status": "completed", "lease_id": job["lease_id"], "result": {}}
            told(await http.patch(f"/queue/job/{job['job_id']}", json=done))
        assert bodies == ["one", "two"]
        await write(site, found, "three")
        assert [each["body"] for each in await messages(found)] == ["three"]
        assert await chat(found) == {"archived": False, "unreadCount": 1}
        # Our own list of conversations shows all that is stored.
        stored = told(await http.get(f"/api/conversations/{CHAT}/messages"))
        assert len(stored["data"]) == 3


async def test_read_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[str]()

    def note(db: Any, *, mark: Any, **which: Any) -> bool:
        written.append(mark)
        return mark_chat(db, mark=mark, **which)

    for place in (chats, outbox):
        monkeypatch.setattr(place, "mark_chat", note)
    site = Meta()
    async with gateway(site) as found:
        await write(site, found, "hello")
        for known in (1, 0):
            answer = told(await found.http.post(f"{ONE}/messages/read", params={"days": 9999}), 201)
            assert (len(answer["ids"]), written) == (known, ["read"])
            assert (await chat(found))["unreadCount"] == 0
            told(await found.http.delete(f"{ONE}/messages"))
            written.clear()


async def test_chats_are_sorted_as_waha_sorts_them() -> None:
    site = Meta()
    async with gateway(site) as found:
        for each in (THEM, "15550000002", "15550000001"):
            body = msgspec.json.encode(site.fake.incoming(site.fake.text("hello", sender=each)))
            await post(found, body, site.proof(body))

        async def ids(**query: Any) -> list[str]:
            return [each["id"] for each in told(await found.http.get(CHATS, params=query))]

        newest = await ids()
        assert newest == ["15550000001@c.us", "15550000002@c.us", CHAT]
        assert await ids(sortBy="conversationTimestamp", sortOrder="desc") == newest
        assert await ids(sortOrder="asc") == newest[::-1]
        assert await ids(sortBy="id") == await ids(sortBy="name", sortOrder="asc") == sorted(newest)
        assert await ids(sortBy="id", sortOrder="desc", limit=1, offset=1) == sorted(newest)[1:2]
        told(await found.http.get(CHATS, params={"sortBy": "age"}), 422)


async def test_with_waha_behind_the_phone_is_told_and_the_lists_show_it_too() -> None:
    site = Waha()
    async with gateway(site) as found:
        await write(site, found, "hello")
        told(await found.http.post(f"{ONE}/archive"), 201)
        assert any(each.path.endswith("/archive") for each in site.server.seen)
        assert await chat(found) == {"archived": True, "unreadCount": 1}
        told(await found.http.delete(ONE))
        assert told(await found.http.get(CHATS)) == []
        theirs = {"Authorization": f"Bearer {(await found.client('theirs'))['token']}"}
        told(await found.http.delete(ONE, headers=theirs), 404)
