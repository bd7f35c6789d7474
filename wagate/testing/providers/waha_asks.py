"""What WAHA's fake does beyond messages: groups, channels, labels, people, our own profile, stories.

Source: WAHA's OpenAPI document (2026.7.1); the forms of groups are its engines' own.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from wagate.testing.server import Reply, Seen

Answer = Callable[[Seen, list[str]], Awaitable[Reply]]
Unready = Callable[..., Reply | None]
CODE = "AbCdEfGhIjKlMnOpQrStUv"
"""The invite that leads to the group of `WahaPhone.invited`."""
ME = "15550000001@c.us"
EVENT = {
    "id": f"true_{ME}_EVENT", "timestamp": 1767225600, "from": ME, "fromMe": True, "source": "api", "to": ME,
    "participant": None, "body": "An event", "hasMedia": False, "mediaUrl": None, "ack": 1, "ackName": "SERVER",
}  # fmt: skip
_MARKS = ("archive", "unarchive", "unread")
_CONVERTED = {"voice": "audio/ogg; codecs=opus", "video": "video/mp4"}


@dataclass
class FakeGroup:
    """A group, of which we are the owner."""

    subject: str
    people: dict[str, str]
    """Chat → ``""``, ``admin`` or ``superadmin``."""
    description: str = ""
    info_admin_only: bool = False
    messages_admin_only: bool = False
    code: str = CODE


@dataclass
class WahaPhone:
    """The phone behind one WAHA."""

    engine: str
    unready: Unready
    answer_of: Callable[[str, str], dict[str, Any]]
    groups: dict[str, FakeGroup] = field(default_factory=dict)
    invited: str = "120363000000000099@g.us"
    """Where `CODE` leads."""
    unwilling: frozenset[str] = frozenset()
    """People who can't be added to groups."""
    channels: dict[str, str] = field(default_factory=dict)
    """Channel → name."""
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    labeled: dict[str, list[str]] = field(default_factory=dict)
    """Chat → ids of its labels."""
    known: set[str] = field(default_factory=set)
    """Digits of numbers that are on WhatsApp."""
    abouts: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    done: list[tuple[str, ...]] = field(default_factory=list)
    """(what, to what, …) of all that leaves no other trace."""
    stories: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Bare id → the body it was published with."""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path, and what answers; before those of `FakeWaha`."""
        groups, channels, labels = "/api/*/groups", "/api/*/channels", "/api/*/labels"
        return [
            ("GET", "/api/contacts/check-exists", self._exists),
            ("GET", "/api/contacts/about", self._about),
            ("POST", "/api/contacts/block", self._block),
            ("POST", "/api/contacts/unblock", self._block),
            ("PUT", "/api/*/contacts/*", self._noted("name", 200, {"success": True})),
            ("PUT", "/api/star", self._in_body("star")),
            ("POST", "/api/sendPollVote", self._in_body("vote", 201)),
            ("POST", "/api/send/buttons/reply", self._in_body("press", 201)),
            ("POST", "/api/*/events", self._noted("event", 201, EVENT)),
            ("GET", "/api/screenshot", self._screenshot),
            ("POST", "/api/*/media/convert/*", self._convert),
            ("POST", "/api/*/chats/*/messages/*/pin", self._noted("pin", 201, {"success": True})),
            ("POST", "/api/*/chats/*/messages/*/unpin", self._noted("unpin", 201, {"success": True})),
            *(("POST", f"/api/*/chats/*/{mark}", self._noted(mark, 201, {})) for mark in _MARKS),
            ("POST", "/api/*/chats/*/messages/read", self._noted("read", 201, {"ids": []})),
            ("DELETE", "/api/*/chats/*", self._noted("delete", 200, {})),
            ("DELETE", "/api/*/chats/*/messages", self._noted("clear", 200, {})),
            ("POST", "/api/*/presence", self._noted("presence", 201, None)),
            ("POST", "/api/*/calls/reject", self._noted("reject", 201, None)),
            ("PUT", "/api/*/profile/name", self._noted("own name", 200, {"success": True})),
            ("PUT", "/api/*/profile/status", self._noted("own about", 200, {"success": True})),
            ("PUT", "/api/*/profile/picture", self._noted("own picture", 200, {"success": True})),
            ("DELETE", "/api/*/profile/picture", self._noted("no own picture", 200, {"success": True})),
            ("POST", "/api/*/status/delete", self._delete_story),
            ("POST", "/api/*/status/*", self._story),
            ("GET", groups, self._list),
            ("POST", groups, self._create),
            ("GET", f"{groups}/join-info", self._join_info),
            ("POST", f"{groups}/join", self._join),
            ("DELETE", f"{groups}/*", self._delete_group),
            ("POST", f"{groups}/*/leave", self._leave),
            ("PUT", f"{groups}/*/picture", self._of_group("group picture")),
            ("DELETE", f"{groups}/*/picture", self._of_group("no group picture")),
            ("PUT", f"{groups}/*/*", self._change),
            ("PUT", f"{groups}/*/settings/security/*", self._secure),
            ("GET", f"{groups}/*/invite-code", self._code),
            ("POST", f"{groups}/*/invite-code/revoke", self._new_code),
            ("POST", f"{groups}/*/participants/*", self._members),
            ("POST", f"{groups}/*/admin/*", self._members),
            ("GET", channels, self._channels),
            ("POST", channels, self._create_channel),
            ("GET", f"{channels}/search/*", self._words),
            ("POST", f"{channels}/search/*", self._found),
            ("GET", f"{channels}/*/messages/preview", self._of_channel("preview", [])),
            ("DELETE", f"{channels}/*", self._of_channel("delete channel", None)),
            *(
                ("POST", f"{channels}/*/{mark}", self._of_channel(mark, None, 201))
                for mark in ("follow", "unfollow", "mute", "unmute")
            ),
            ("GET", labels, self._labels),
            ("POST", labels, self._put_label),
            ("PUT", f"{labels}/*", self._put_label),
            ("DELETE", f"{labels}/*", self._delete_label),
            ("GET", f"{labels}/chats/*", self._labels_of),
            ("PUT", f"{labels}/chats/*", self._label_chat),
            ("GET", f"{labels}/*/chats", self._labeled),
        ]

    def _noted(self, what: str, status: int, answer: Any) -> Answer:
        async def note(seen: Seen, parts: list[str]) -> Reply:
            if (refusal := self.unready(parts[0])) is not None:
                return refusal
            said = [str(value) for value in seen.json.values() if not isinstance(value, dict)] if seen.body else []
            self.done.append((what, *parts[1:], *said))
            return Reply(status=status, json=answer)

        return note

    def _in_body(self, what: str, status: int = 200) -> Answer:
        async def note(seen: Seen, _parts: list[str]) -> Reply:
            return await self._noted(what, status, {})(seen, [seen.json["session"]])

        return note

    async def _exists(self, seen: Seen, _parts: list[str]) -> Reply:
        there = seen.query["phone"] in self.known
        found = {"numberExists": there} | ({"chatId": f"{seen.query['phone']}@c.us"} if there else {})
        return self.unready(seen.query["session"]) or Reply(json=found)

    async def _about(self, seen: Seen, _parts: list[str]) -> Reply:
        about = {"about": self.abouts.get(seen.query["contactId"])}
        return self.unready(seen.query["session"]) or Reply(json=about)

    async def _block(self, seen: Seen, _parts: list[str]) -> Reply:
        if (refusal := self.unready(seen.json["session"])) is not None:
            return refusal
        (self.blocked.discard if seen.path.endswith("unblock") else self.blocked.add)(seen.json["contactId"])
        return Reply(status=201, json={})

    async def _screenshot(self, seen: Seen, _parts: list[str]) -> Reply:
        """Of a browser; one that waits for a scan shows the QR code."""
        session, picture = (
            seen.query["session"],
            Reply(body=b"\xff\xd8\xff\xe0", headers={"content-type": "image/jpeg"}),
        )
        return (self.unready(session, "SCAN_QR_CODE") and self.unready(session)) or picture

    async def _convert(self, seen: Seen, parts: list[str]) -> Reply:
        kind, data = _CONVERTED.get(parts[1]), seen.json.get("data")
        if kind is None or not isinstance(data, str):
            return _bad("data must be a string")
        return Reply(status=201, body=base64.b64decode(data), headers={"content-type": kind})

    async def _story(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self.unready(parts[0])) is not None:
            return refusal
        if (wrong := _unread_file(seen.json)) is not None:
            return wrong
        bare = f"3EB0{next(self._numbers):016d}"
        self.stories[bare] = seen.json | {"_type": parts[1]}
        return Reply(status=201, json=self.answer_of("status@broadcast", bare))

    async def _delete_story(self, seen: Seen, parts: list[str]) -> Reply:
        self.stories.pop(seen.json["id"], None)
        return self.unready(parts[0]) or Reply(status=201, json={})

    def form(self, chat: str) -> dict[str, Any]:
        """A group in the engine's form."""
        group = self.groups[chat]
        people = group.people.items()
        told: list[dict[str, Any]]
        if self.engine == "GOWS":
            told = [{"JID": _jid(each), "IsAdmin": bool(r), "IsSuperAdmin": r == "superadmin"} for each, r in people]
            found: dict[str, Any] = {
                "JID": chat,
                "Name": group.subject,
                "Topic": group.description,
                "Participants": told,
            }
            found |= {"IsAnnounce": group.messages_admin_only, "IsLocked": group.info_admin_only}
            return found | {"OwnerJID": _jid(ME), "GroupCreated": "2026-11-21T01:44:41Z"}
        if self.engine == "NOWEB":
            told = [{"id": _jid(each), "admin": r or None} for each, r in people]
            found = {"id": chat, "subject": group.subject, "desc": group.description, "participants": told}
            found |= {"announce": group.messages_admin_only, "restrict": group.info_admin_only}
            return found | {"owner": _jid(ME), "creation": 1_795_225_481}
        told = [
            {"id": {"_serialized": each}, "isAdmin": bool(r), "isSuperAdmin": r == "superadmin"} for each, r in people
        ]
        about = {"subject": group.subject, "desc": group.description, "participants": told, "creation": 1_795_225_481}
        about |= {"announce": group.messages_admin_only, "restrict": group.info_admin_only}
        about |= {"owner": {"_serialized": ME}}
        return {"id": {"_serialized": chat}, "name": group.subject, "isGroup": True, "groupMetadata": about}

    def _lacks(self, parts: list[str]) -> Reply | None:
        return self.unready(parts[0]) or (None if parts[1] in self.groups else _missing("Group not found"))

    async def _list(self, _seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self.unready(parts[0])) is not None:
            return refusal
        rows = {chat: self.form(chat) for chat in self.groups}
        return Reply(json=rows if self.engine == "NOWEB" else list(rows.values()))

    async def _create(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self.unready(parts[0])) is not None:
            return refusal
        chat = f"12036300000{next(self._numbers):07d}@g.us"
        people = {ME: "superadmin"} | {each["id"]: "" for each in seen.json["participants"]}
        self.groups[chat] = FakeGroup(subject=seen.json["name"], people=people)
        made = {"gid": {"_serialized": chat}, "title": seen.json["name"]}
        return Reply(status=201, json=made if self.engine == "WEBJS" else self.form(chat))

    async def _join_info(self, seen: Seen, parts: list[str]) -> Reply:
        refusal = self.unready(parts[0]) or (None if seen.query["code"] == CODE else _missing("no such invite"))
        about = {"id": self.invited, "subject": "Invited", "desc": "", "participants": []}
        return refusal or Reply(json=about)

    async def _join(self, seen: Seen, parts: list[str]) -> Reply:
        refusal = self.unready(parts[0]) or (None if seen.json["code"] == CODE else _missing("no such invite"))
        if refusal is None:
            self.groups.setdefault(self.invited, FakeGroup(subject="Invited", people={ME: ""}))
        return refusal or Reply(status=201, json={"id": self.invited})

    async def _delete_group(self, _seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._lacks(parts)) is not None:
            return refusal
        del self.groups[parts[1]]
        return Reply(json=None)

    async def _leave(self, _seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._lacks(parts)) is not None:
            return refusal
        self.groups[parts[1]].people.pop(ME, None)
        return Reply(status=201, json=None)

    def _of_group(self, what: str) -> Answer:
        async def note(seen: Seen, parts: list[str]) -> Reply:
            return self._lacks(parts) or await self._noted(what, 200, {"success": True})(seen, parts)

        return note

    async def _change(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._lacks(parts)) is not None:
            return refusal
        setattr(self.groups[parts[1]], parts[2], seen.json[parts[2]])
        return Reply(json=True)

    async def _secure(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._lacks(parts)) is not None:
            return refusal
        setattr(self.groups[parts[1]], parts[2].replace("-", "_"), seen.json["adminsOnly"])
        return Reply(json=True)

    async def _code(self, _seen: Seen, parts: list[str]) -> Reply:
        """NestJS writes a text as it is, without quotes."""
        return self._lacks(parts) or _plain(self.groups[parts[1]].code)

    async def _new_code(self, _seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._lacks(parts)) is not None:
            return refusal
        self.groups[parts[1]].code = f"New{next(self._numbers):019d}"
        return _plain(self.groups[parts[1]].code, 201)

    async def _members(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self._lacks(parts)) is not None:
            return refusal
        people, change, codes = self.groups[parts[1]].people, parts[2], {}
        for each in (one["id"] for one in seen.json["participants"]):
            refused = change == "add" and each in self.unwilling
            codes[each] = 403 if refused else 200 if change == "add" or each in people else 404
            if codes[each] == 200:
                people[each] = "admin" if change == "promote" else ""
            if change == "remove":
                people.pop(each, None)
        if self.engine == "GOWS":
            return Reply(status=201, json=[{"JID": _jid(e), "Error": 0 if c == 200 else c} for e, c in codes.items()])
        if self.engine == "NOWEB":
            return Reply(status=201, json=[{"jid": _jid(e), "status": str(c)} for e, c in codes.items()])
        return Reply(status=201, json={e: {"code": c, "message": ""} for e, c in codes.items()})

    def channel(self, chat: str) -> dict[str, Any]:
        """A channel that is known."""
        about = {"id": chat, "name": self.channels[chat], "invite": f"https://whatsapp.com/channel/{CODE}"}
        return about | {"role": "SUBSCRIBER", "verified": False, "picture": None, "subscribersCount": 3}

    async def _channels(self, _seen: Seen, parts: list[str]) -> Reply:
        return self.unready(parts[0]) or Reply(json=[self.channel(chat) for chat in self.channels])

    async def _create_channel(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self.unready(parts[0])) is not None:
            return refusal
        chat = f"12036399900{next(self._numbers):07d}@newsletter"
        self.channels[chat] = seen.json["name"]
        return Reply(status=201, json=self.channel(chat))

    def _of_channel(self, what: str, answer: Any, status: int = 200) -> Answer:
        async def note(seen: Seen, parts: list[str]) -> Reply:
            if parts[1] not in self.channels:
                return _missing("Channel not found")
            return await self._noted(what, status, answer)(seen, parts)

        return note

    async def _words(self, _seen: Seen, parts: list[str]) -> Reply:
        known = {"views": ("value", "RECOMMENDED"), "countries": ("code", "US"), "categories": ("value", "SPORTS")}
        name, value = known[parts[1]]
        return Reply(json=[{name: value, "name": value.title()}])

    async def _found(self, _seen: Seen, parts: list[str]) -> Reply:
        page = {"startCursor": None, "endCursor": None, "hasNextPage": False, "hasPreviousPage": False}
        return self.unready(parts[0]) or Reply(status=201, json={"page": page, "channels": []})

    async def _labels(self, _seen: Seen, parts: list[str]) -> Reply:
        return self.unready(parts[0]) or Reply(json=list(self.labels.values()))

    async def _put_label(self, seen: Seen, parts: list[str]) -> Reply:
        if (refusal := self.unready(parts[0])) is not None:
            return refusal
        number = parts[1] if len(parts) > 1 else str(next(self._numbers))
        if len(parts) > 1 and number not in self.labels:
            return _missing("Label not found")
        self.labels[number] = {"id": number, "color": 0, "colorHex": "#ff9485"} | seen.json
        return Reply(status=201 if len(parts) == 1 else 200, json=self.labels[number])

    async def _delete_label(self, _seen: Seen, parts: list[str]) -> Reply:
        gone = self.labels.pop(parts[1], None)
        return self.unready(parts[0]) or (Reply(json={"result": True}) if gone else _missing("Label not found"))

    async def _labels_of(self, _seen: Seen, parts: list[str]) -> Reply:
        return self.unready(parts[0]) or Reply(json=[self.labels[each] for each in self.labeled.get(parts[1], [])])

    async def _label_chat(self, seen: Seen, parts: list[str]) -> Reply:
        ids = [each["id"] for each in seen.json["labels"]]
        if not all(each in self.labels for each in ids):
            return _missing("Label not found")
        self.labeled[parts[1]] = ids
        return self.unready(parts[0]) or Reply(json=None)

    async def _labeled(self, _seen: Seen, parts: list[str]) -> Reply:
        chats = [chat for chat, ids in self.labeled.items() if parts[1] in ids]
        ids = [{"_serialized": each} if self.engine == "WEBJS" else each for each in chats]
        return self.unready(parts[0]) or Reply(json=[{"id": each} for each in ids])


def _jid(chat: str) -> str:
    """As GOWS and NOWEB write people."""
    return chat.replace("@c.us", "@s.whatsapp.net")


def _unread_file(body: dict[str, Any]) -> Reply | None:
    """What is said of a file that is neither a link nor base64."""
    file = body.get("file")
    if file is None or "url" in file:
        return None
    try:
        base64.b64decode(file["data"], validate=True)
    except (KeyError, binascii.Error):
        return _bad("file.data must be base64")
    return None


def _plain(text: str, status: int = 200) -> Reply:
    return Reply(status=status, body=text.encode(), headers={"content-type": "text/html; charset=utf-8"})


def _missing(what: str) -> Reply:
    return Reply(status=404, json={"message": what, "error": "Not Found", "statusCode": 404})


def _bad(what: str) -> Reply:
    return Reply(status=400, json={"message": [what], "error": "Bad Request", "statusCode": 400})
