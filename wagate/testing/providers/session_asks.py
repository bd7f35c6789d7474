"""What a session engine answers about people, chats and groups.

Source: avoylenko/wwebjs-api, src/controllers/; whatsapp-web.js 1.34, src/Client.js, src/structures/GroupChat.js.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wagate.testing.server import Reply

Body = dict[str, Any]


@dataclass
class EngineGroup:
    """A group of the engine's number."""

    subject: str
    people: dict[str, str]
    """Chat id → '', admin, superadmin; `ours` is one of them."""
    description: str = ""
    announce: bool = False
    restrict: bool = False
    code: str = "AbCdEfGhIjKlMnOpQrStUv"


@dataclass
class EnginePhone:
    """What the engine's WhatsApp Web knows."""

    ours: str
    registered: set[str] = field(default_factory=set)
    """Digits."""
    lids: dict[str, str] = field(default_factory=dict)
    abouts: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    done: list[tuple[str, ...]] = field(default_factory=list)
    """(what, of what was given the values) for all that leaves no other trace."""
    groups: dict[str, EngineGroup] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def answer(self, head: str, body: Body) -> Reply | None:
        """None: this is about something else."""
        if head.startswith("/groupChat/"):
            return self._of_group(head.rpartition("/")[2], body)
        act = _ACTS.get(head)
        return None if act is None else act(self, body)

    def _note(self, what: str, body: Body, **answer: Any) -> Reply:
        self.done.append((what, *map(str, body.values())))
        return _ok(**answer)

    def _number(self, body: Body) -> Reply:
        number = body["number"]
        wid = {"server": "c.us", "user": number, "_serialized": f"{number}@c.us"}
        return _ok(result=wid if number in self.registered else None)

    def _lids(self, body: Body) -> Reply:
        return _ok(data=[{"lid": self.lids.get(each), "pn": each} for each in body["userIds"]])

    def _block(self, body: Body, *, on: bool) -> Reply:
        (self.blocked.add if on else self.blocked.discard)(body["contactId"])
        return _ok(result=True)

    def _chats(self, _body: Body) -> Reply:
        return _ok(chats=[{"id": _wid(self.ours), "isGroup": False}, *map(self._shown, self.groups)])

    def _chat(self, body: Body) -> Reply:
        chat = body["chatId"]
        return _ok(chat=self._shown(chat) if chat in self.groups else {"id": _wid(chat), "isGroup": False})

    def _create(self, body: Body) -> Reply:
        chat = f"12036300{next(self._numbers):04d}@g.us"
        people = {self.ours: "superadmin"} | dict.fromkeys(body["participants"], "")
        self.groups[chat] = EngineGroup(subject=body["title"], people=people)
        return _ok(response={"title": body["title"], "gid": _wid(chat), "participants": {}})

    def _join(self, body: Body) -> Reply:
        for chat, group in self.groups.items():
            if group.code == body["inviteCode"]:
                group.people.setdefault(self.ours, "")
                return _ok(acceptInvite=chat)
        return Reply(status=500, json={"success": False, "error": "Evaluation failed: 406"})

    def _shown(self, chat: str) -> Body:
        group = self.groups[chat]
        people = [
            {"id": _wid(each), "isAdmin": role != "", "isSuperAdmin": role == "superadmin"}
            for each, role in group.people.items()
        ]
        owner = next((each for each, role in group.people.items() if role == "superadmin"), None)
        about: Body = {
            "id": _wid(chat),
            "owner": owner and _wid(owner),
            "subject": group.subject,
            "creation": 1_795_225_481,
        }
        about |= {"desc": group.description, "announce": group.announce, "restrict": group.restrict}
        about |= {"participants": people}
        return {"id": _wid(chat), "name": group.subject, "isGroup": True, "groupMetadata": about}

    def _of_group(self, what: str, body: Body) -> Reply:
        group = self.groups.get(body["chatId"])
        if group is None:
            return Reply(status=500, json={"success": False, "error": "The chat is not a group"})
        admin = group.people.get(self.ours, "") != ""
        if what == "leave":
            del group.people[self.ours]
            return _ok()
        if what == "getInviteCode":
            return _ok(inviteCode=group.code if admin else None)
        if what == "revokeInvite":
            group.code = f"{group.code[:-4]}{next(self._numbers):04d}"
            return _ok(result=group.code)
        if what.endswith("Participants"):
            return self._members(what.removesuffix("Participants"), group, body["participantIds"])
        if admin:
            setattr(group, *_CHANGES[what](body))
        return _ok(result=admin)

    def _members(self, change: str, group: EngineGroup, people: list[str]) -> Reply:
        if change == "add":
            codes = {each: 200 if each.partition("@")[0] in self.registered else 404 for each in people}
            group.people |= {each: "" for each, code in codes.items() if code == 200}
            return _ok(result={each: {"code": code, "message": ""} for each, code in codes.items()})
        for each in people:
            if change == "remove":
                group.people.pop(each, None)
            else:
                group.people[each] = "admin" if change == "promote" else ""
        return _ok(result={"status": 200})


def _ok(**answer: Any) -> Reply:
    return Reply(json={"success": True, **answer})


def _wid(chat: str) -> Body:
    user, _, server = chat.partition("@")
    return {"server": server, "user": user, "_serialized": chat}


def _noted(what: str, **answer: Any) -> Callable[[EnginePhone, Body], Reply]:
    return lambda phone, body: phone._note(what, body, **answer)  # noqa: SLF001  (its own table)


_ACTS: dict[str, Callable[[EnginePhone, Body], Reply]] = {
    "/client/getNumberId": EnginePhone._number,  # noqa: SLF001
    "/client/getContactLidAndPhone": EnginePhone._lids,  # noqa: SLF001
    "/contact/getAbout": lambda phone, body: _ok(result=phone.abouts.get(body["contactId"])),
    "/contact/block": lambda phone, body: phone._block(body, on=True),  # noqa: SLF001
    "/contact/unblock": lambda phone, body: phone._block(body, on=False),  # noqa: SLF001
    "/client/archiveChat": _noted("archive", result=True),
    "/client/unarchiveChat": _noted("unarchive", result=False),
    "/client/markChatUnread": _noted("unread"),
    "/chat/delete": _noted("delete", result=True),
    "/chat/clearMessages": _noted("clear", result=True),
    "/message/star": _noted("star"),
    "/message/unstar": _noted("unstar"),
    "/client/sendPresenceAvailable": _noted("online"),
    "/client/sendPresenceUnavailable": _noted("offline"),
    "/client/setDisplayName": _noted("name", result=True),
    "/client/setStatus": _noted("about"),
    "/client/getChats": EnginePhone._chats,  # noqa: SLF001
    "/client/getChatById": EnginePhone._chat,  # noqa: SLF001
    "/client/createGroup": EnginePhone._create,  # noqa: SLF001
    "/client/acceptInvite": EnginePhone._join,  # noqa: SLF001
}
_CHANGES: dict[str, Callable[[Body], tuple[str, Any]]] = {
    "setSubject": lambda body: ("subject", body["subject"]),
    "setDescription": lambda body: ("description", body["description"]),
    "setMessagesAdminsOnly": lambda body: ("announce", body["adminsOnly"]),
    "setInfoAdminsOnly": lambda body: ("restrict", body["adminsOnly"]),
}
