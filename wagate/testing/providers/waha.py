"""WAHA as a real HTTP server: takes messages, answers as its engines do, makes signed webhooks.

Source: WAHA 2026.2.1 and its OpenAPI document (2026.7.1); waha-py works with it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from wagate.http.signing import waha_headers
from wagate.testing.providers.waha_asks import WahaPhone
from wagate.testing.server import FakeServer, Reply, Seen

Engine = Literal["GOWS", "NOWEB", "WEBJS"]
ME = {"id": "15550000001@c.us", "pushName": "Fake", "lid": "990000001@lid", "jid": "15550000001:1@s.whatsapp.net"}
_MOMENT = 1_795_225_481
_SENDS = {
    "/api/sendText": ("chatId", "text"),
    "/api/sendImage": ("chatId", "file"),
    "/api/sendFile": ("chatId", "file"),
    "/api/sendVoice": ("chatId", "file", "convert"),
    "/api/sendVideo": ("chatId", "file", "convert"),
    "/api/sendLocation": ("chatId", "latitude", "longitude", "title"),
    "/api/sendContactVcard": ("chatId", "contacts"),
    "/api/sendPoll": ("chatId", "poll"),
    "/api/sendButtons": ("chatId", "header", "body", "footer", "buttons"),
    "/api/sendList": ("chatId", "message"),
    "/api/send/link-custom-preview": ("chatId", "text", "preview"),
    "/api/reaction": ("messageId", "reaction"),
}
_SIGNALS = frozenset({"/api/sendSeen", "/api/startTyping", "/api/stopTyping"})


class FakeWaha(FakeServer):
    """One WAHA with its sessions. Give ``faults`` with `fail` for what goes wrong."""

    def __init__(self, *, engine: Engine = "GOWS", api_key: str = "", session: str = "default") -> None:
        super().__init__(self._reply)
        self.engine = engine
        self.api_key = api_key
        self.statuses = {session: "WORKING"}
        """Session → WAHA's status word."""
        self.webhooks: list[str] = []
        """URLs that the sessions say they post to."""
        self.sent: list[dict[str, Any]] = []
        """Bodies of the messages that were taken, with their ``id`` as ``_id``."""
        self.signals: list[tuple[str, str]] = []
        """(path, chat) of what was told to a chat."""
        self.watched: list[str] = []
        """Chats of which presence was asked for, as often as that was done."""
        self.edited: list[tuple[str, str, str]] = []
        """(chat, message, new text)"""
        self.revoked: list[tuple[str, str]] = []
        """(chat, id) of each message that was deleted for everyone, as often as that was asked."""
        self.chats: dict[str, list[dict[str, Any]]] = {}
        """Chat → messages in WAHA's store, as payloads."""
        self.files: dict[str, bytes] = {}
        """Path below /api/files/ → content, for `lifetime` seconds; a message that is asked for with its media brings
        its file back for as long again."""
        self.lifetime = 180.0
        """WHATSAPP_FILES_LIFETIME; 0: for ever."""
        self._deleted_at: dict[str, float] = {}
        self.names: dict[str, str] = {}
        """Group or channel → what it is called; others are not there."""
        self.lids: dict[str, str] = {}
        """LID → number, as ids (``…@lid``, ``…@c.us``); of others WAHA knows no number."""
        self.pictures: dict[str, str] = {}
        """Chat → URL of its picture."""
        self.now = time.time
        """Unix seconds; when a message was written."""
        self.qr = "2@fake-qr"
        """What sessions that are SCAN_QR_CODE show."""
        self._ids = itertools.count(1)
        self.phone = WahaPhone(engine=engine, unready=self._unready, answer_of=self._answer_of)
        """Groups, channels, labels, people, stories."""
        self._routes: list[tuple[str, str, Callable[[Seen, list[str]], Awaitable[Reply]]]] = [
            ("POST", "/api/*/auth/request-code", self._pair),
            ("GET", "/api/*/lids/pn/*", self._lid_of),
            ("GET", "/api/server/version", self._version),
            ("GET", "/api/sessions", self._sessions),
            ("GET", "/api/sessions/*", self._session),
            ("POST", "/api/sessions/*/*", self._control),
            ("GET", "/api/*/auth/qr", self._qr),
            ("GET", "/api/*/chats/overview", self._overview),
            ("GET", "/api/*/chats/*/messages", self._messages),
            ("GET", "/api/*/chats/*/messages/*", self._message),
            ("DELETE", "/api/*/chats/*/messages/*", self._revoke),
            ("PUT", "/api/*/chats/*/messages/*", self._edit),
            ("GET", "/api/*/chats/*/picture", self._picture),
            ("GET", "/api/*/lids/*", self._lid),
            ("POST", "/api/*/presence/*/subscribe", self._subscribe),
            ("GET", "/api/files/*", self._file),
            *self.phone.routes(),
            ("GET", "/api/*/groups/*", self._group),
            ("GET", "/api/*/channels/*", self._channel),
        ]

    def webhook(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        key: str = "",
        session: str = "default",
        envelope: Mapping[str, Any] | None = None,
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of one webhook, signed when ``key`` is given. ``envelope``: fields in place of the usual."""
        number = next(self._ids)
        document = {
            "id": f"evt_{number:026d}",
            "timestamp": _MOMENT * 1000 + number,
            "event": event,
            "session": session,
            "me": ME,
            "payload": payload,
            "environment": {"version": "2026.2.1", "engine": self.engine, "tier": "CORE", "browser": None},
        }
        body = msgspec.json.encode(document | dict(envelope or {}))
        headers = {"content-type": "application/json", "user-agent": "WAHA/2026.2.1"}
        if key:
            headers |= {name.lower(): text for name, text in waha_headers(key, f"r{number}", _MOMENT, body).items()}
        return body, headers

    def echo(self, sent: Mapping[str, Any], *, lid: str = "") -> dict[str, Any]:
        """The payload of ``message.any`` about a message in ``sent``, as WEBJS writes it.

        Its id is not the one that was answered: in a group it names who wrote it, and with ``lid`` the chat is that.
        """
        said = {"timestamp": int(self.now()), "source": "api", "body": sent.get("text", ""), "ack": 1, "_data": {}}
        return self._about(sent, lid) | said

    def ack(self, sent: Mapping[str, Any], ack: int, *, lid: str = "", reader: str = "") -> dict[str, Any]:
        """The payload of ``message.ack`` (with ``reader``, of ``message.ack.group``) about a message in ``sent``."""
        return self._about(sent, lid) | {"ack": ack, "participant": reader or None}

    def _about(self, sent: Mapping[str, Any], lid: str) -> dict[str, Any]:
        chat, bare = lid or sent["chatId"], sent["_id"].split("_")[2]
        writer = f"_{ME['id']}" if chat.endswith("@g.us") else ""
        return {"id": f"true_{chat}_{bare}{writer}", "from": ME["id"], "to": chat, "fromMe": True}

    def revocation(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """The payload of ``message.revoked`` about a message in ``sent``."""
        chat, number = sent["chatId"], next(self._ids)
        after = {"id": f"true_{chat}_3EB0{number:016d}", "timestamp": int(self.now()), "from": ME["id"], "to": chat}
        after |= {"fromMe": True, "participant": None, "body": ""}
        return {"after": after, "before": None, "revokedMessageId": sent["_id"].split("_")[2]}

    def incoming(self, text: str, *, sender: str = "19990000000@c.us", bare: str = "") -> dict[str, Any]:
        """The payload of a text that came in."""
        number = next(self._ids)
        return {
            "id": f"false_{sender}_{bare or f'IN{number:014d}'}",
            "timestamp": int(self.now()),
            "from": sender,
            "fromMe": False,
            "source": "app",
            "body": text,
            "to": None,
            "participant": None,
            "hasMedia": False,
            "media": None,
            "ack": 2,
            "ackName": "DEVICE",
            "location": None,
            "vCards": None,
            "replyTo": None,
            "_data": {},
        }

    async def _reply(self, seen: Seen) -> Reply:
        if seen.path == "/ping":
            return Reply(json={"message": "pong"})
        if self.api_key and self.api_key not in {seen.headers.get("x-api-key"), seen.query.get("x-api-key")}:
            return Reply(status=401, json={"message": "Unauthorized", "statusCode": 401})
        if seen.path in _SENDS or seen.path in _SIGNALS:
            return self._taken(seen)
        for method, pattern, answer in self._routes:
            parts = _matched(pattern, seen.path)
            if method == seen.method and parts is not None:
                return await answer(seen, parts)
        return _missing(f"Cannot {seen.method} {seen.path}")

    def _taken(self, seen: Seen) -> Reply:
        body = seen.json
        needed = ("chatId",) if seen.path in _SIGNALS else _SENDS[seen.path]
        wrong = [f"{name} should not be null or undefined" for name in ("session", *needed) if body.get(name) is None]
        if wrong:
            return Reply(status=400, json={"message": wrong, "error": "Bad Request", "statusCode": 400})
        if (refusal := self._unready(body["session"])) is not None:
            return refusal
        if seen.path in _SIGNALS:
            self.signals.append((seen.path, body["chatId"]))
            return Reply(status=201, json={})
        chat = body.get("chatId") or body["messageId"].split("_")[1]
        bare = f"3EB0{next(self._ids):016d}"
        self.sent.append(body | {"_id": f"true_{chat}_{bare}", "_path": seen.path})
        return Reply(status=200 if seen.method == "PUT" else 201, json=self._answer_of(chat, bare))

    def _unready(self, session: str, expected: str = "WORKING") -> Reply | None:
        """What is answered while a session is not as it must be."""
        status = self.statuses.get(session)
        if status is None:
            return _missing("Session not found")
        if status == expected:
            return None
        said = "Session status is not as expected. Try again later or restart the session"
        return Reply(status=422, json={"error": said, "session": session, "status": status, "expected": [expected]})

    def _answer_of(self, chat: str, bare: str) -> dict[str, Any]:
        """What each engine answers a send."""
        whole = f"true_{chat}_{bare}"
        if self.engine == "NOWEB":
            remote = chat.replace("@c.us", "@s.whatsapp.net")
            key = {"remoteJid": remote, "fromMe": True, "id": bare}
            return {"key": key, "message": {}, "messageTimestamp": str(_MOMENT), "status": "PENDING"}
        if self.engine == "WEBJS":
            key = {"fromMe": True, "remote": chat, "id": bare, "_serialized": whole}
            return {"id": key, "ack": 0, "fromMe": True, "to": chat, "type": "chat", "timestamp": _MOMENT}
        return {"id": whole, "_data": {"Info": {"ID": bare}, "Message": {}}}

    async def _version(self, _seen: Seen, _parts: list[str]) -> Reply:
        return Reply(json={"version": "2026.2.1", "engine": self.engine, "tier": "CORE", "browser": None})

    def _info(self, name: str) -> dict[str, Any]:
        status = self.statuses[name]
        config = {"webhooks": [{"url": url, "events": ["*"]} for url in self.webhooks]}
        return {"name": name, "status": status, "config": config, "me": ME if status == "WORKING" else None}

    async def _sessions(self, _seen: Seen, _parts: list[str]) -> Reply:
        return Reply(json=[self._info(name) for name in self.statuses])

    async def _session(self, _seen: Seen, parts: list[str]) -> Reply:
        return Reply(json=self._info(parts[0])) if parts[0] in self.statuses else _missing("Session not found")

    async def _control(self, _seen: Seen, parts: list[str]) -> Reply:
        name, action = parts
        becomes = {"start": "STARTING", "restart": "STARTING", "stop": "STOPPED", "logout": "SCAN_QR_CODE"}
        if name not in self.statuses or action not in becomes:
            return _missing("Session not found")
        if not (action == "logout" and self.statuses[name] == "STOPPED"):
            self.statuses[name] = becomes[action]
        return Reply(status=201, json=self._info(name))

    async def _qr(self, _seen: Seen, parts: list[str]) -> Reply:
        return self._unready(parts[0], "SCAN_QR_CODE") or Reply(json={"value": self.qr})

    async def _pair(self, seen: Seen, parts: list[str]) -> Reply:
        refusal = self._unready(parts[0], "SCAN_QR_CODE")
        return refusal or Reply(status=201, json={"code": f"CODE-{seen.json['phoneNumber'][-4:]}"})

    async def _lid_of(self, _seen: Seen, parts: list[str]) -> Reply:
        lid = next((lid for lid, number in self.lids.items() if number == parts[1]), None)
        return self._unready(parts[0]) or Reply(json={"lid": lid, "pn": parts[1]})

    async def _overview(self, seen: Seen, _parts: list[str]) -> Reply:
        latest = [(max(found, key=lambda one: one["timestamp"]), chat) for chat, found in self.chats.items() if found]
        latest.sort(key=lambda each: -each[0]["timestamp"])
        rows = [{"id": chat, "name": None, "picture": None, "lastMessage": one, "_chat": {}} for one, chat in latest]
        return Reply(json=_page(rows, seen))

    async def _messages(self, seen: Seen, parts: list[str]) -> Reply:
        after = float(seen.query.get("filter.timestamp.gte", 0))
        found = [one for one in self.chats.get(parts[1], []) if one["timestamp"] >= after]
        found.sort(key=lambda one: one["timestamp"], reverse=seen.query.get("sortOrder") != "asc")
        return Reply(json=_page(found, seen))

    async def _message(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._unready(parts[0])) is not None:
            return refusal
        found = [one for one in self.chats.get(parts[1], []) if one["id"] == parts[2]]
        if not found:
            return _missing("Message not found")
        media = found[0].get("media")
        if seen.query.get("downloadMedia", "true") == "true" and media and media.get("url"):
            self._deleted_at.pop(media["url"].rpartition("/api/files/")[2], None)
        return Reply(json=found[0])

    async def _revoke(self, _seen: Seen, parts: list[str]) -> Reply:
        session, chat, message_id = parts
        if (refusal := self._unready(session)) is not None:
            return refusal
        self.revoked.append((chat, message_id))
        return Reply(json={})

    async def _edit(self, seen: Seen, parts: list[str]) -> Reply:
        session, chat, message_id = parts
        if (refusal := self._unready(session)) is not None:
            return refusal
        if not isinstance(seen.json.get("text"), str):
            wrong = ["text must be a string"]
            return Reply(status=400, json={"message": wrong, "error": "Bad Request", "statusCode": 400})
        self.edited.append((chat, message_id, seen.json["text"]))
        return Reply(json={})

    async def _picture(self, _seen: Seen, parts: list[str]) -> Reply:
        return self._unready(parts[0]) or Reply(json={"url": self.pictures.get(parts[1])})

    async def _lid(self, _seen: Seen, parts: list[str]) -> Reply:
        session, lid = parts
        lid = lid if lid.endswith("@lid") else f"{lid}@lid"
        return self._unready(session) or Reply(json={"lid": lid, "pn": self.lids.get(lid)})

    async def _subscribe(self, _seen: Seen, parts: list[str]) -> Reply:
        session, chat = parts
        if (refusal := self._unready(session)) is not None:
            return refusal
        self.watched.append(chat)
        return Reply(status=201)

    def _nameless(self, session: str, chat: str) -> Reply | None:
        return self._unready(session) or (None if chat in self.names else _missing("Not found"))

    async def _group(self, _seen: Seen, parts: list[str]) -> Reply:
        if parts[1] in self.phone.groups:
            return self._unready(parts[0]) or Reply(json=self.phone.form(parts[1]))
        if (refusal := self._nameless(*parts)) is not None:
            return refusal
        chat = parts[1]
        name = self.names[chat]
        forms: dict[Engine, dict[str, Any]] = {
            "GOWS": {"JID": chat, "Name": name, "Topic": "", "Participants": []},
            "NOWEB": {"id": chat, "subject": name, "desc": None, "participants": []},
            "WEBJS": {"id": {"_serialized": chat}, "name": name, "isGroup": True, "groupMetadata": {"subject": name}},
        }
        return Reply(json=forms[self.engine])

    async def _channel(self, _seen: Seen, parts: list[str]) -> Reply:
        if parts[1] in self.phone.channels:
            return self._unready(parts[0]) or Reply(json=self.phone.channel(parts[1]))
        if (refusal := self._nameless(*parts)) is not None:
            return refusal
        chat = parts[1]
        about = {"id": chat, "name": self.names[chat], "invite": "", "role": "SUBSCRIBER", "verified": False}
        return Reply(json=about | {"picture": self.pictures.get(chat), "subscribersCount": 1})

    async def _file(self, _seen: Seen, parts: list[str]) -> Reply:
        content = self.files.get(parts[0])
        # Its time begins when it is first looked for: a test puts it there long before.
        deleted_at = self._deleted_at.setdefault(parts[0], self.now() + self.lifetime)
        gone = content is None or (self.lifetime and self.now() >= deleted_at)
        return _missing("Not Found") if gone else Reply(body=content or b"")


def _matched(pattern: str, path: str) -> list[str] | None:
    """What stands at the stars; None when the path is another."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given) or any(w not in {"*", g} for w, g in zip(wanted, given, strict=True)):
        return None
    return [unquote(g) for w, g in zip(wanted, given, strict=True) if w == "*"]


def _page(rows: list[dict[str, Any]], seen: Seen) -> list[dict[str, Any]]:
    offset = int(seen.query.get("offset", 0))
    return rows[offset : offset + int(seen.query.get("limit", 10))]


def _missing(what: str) -> Reply:
    return Reply(status=404, json={"message": what, "error": "Not Found", "statusCode": 404})
