"""Groups at the fake server: what a client asks and changes (``w:g2``), and hears of others' changes (``w:gp2``).

Source of the stanzas: whatsmeow, ``group.go``, both what it sends and what it reads (``parseGroupNotification``); of a
member's errors (404, 409): Baileys, ``groupParticipantsUpdate``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wagate.testing.whatsapp.library import JID, Node, as_jid
from wagate.testing.whatsapp.people import Person

if TYPE_CHECKING:
    from wagate.testing.whatsapp.connection import Connection
    from wagate.testing.whatsapp.server import FakeWhatsApp

LONGEST_SUBJECT = 100


class RefusedError(Exception):
    """The query is refused, with a code and its text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


def forbidden() -> RefusedError:
    """One who may not."""
    return RefusedError("403", "forbidden")


@dataclass
class Group:
    """People who write to each other."""

    id: str
    """Without ``@g.us``."""
    subject: str
    members: tuple[str, ...]
    """Their phones; the first one made it."""
    admins: set[str] = field(default_factory=set)
    """Who made it is one of them."""
    description: str = ""
    description_id: str = ""
    announcement: bool = False
    """Only admins write."""
    locked: bool = False
    """Only admins edit."""
    invite: str = field(default_factory=lambda: os.urandom(11).hex())
    picture: bytes = b""
    created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.owner = self.members[0]
        self.admins.add(self.owner)

    def rules(self, phone: str) -> bool:
        """Whether somebody is an admin."""
        return phone in self.admins


class Groups:
    """Answers queries about groups."""

    def __init__(self, server: FakeWhatsApp) -> None:
        self._server = server

    def answer(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        """One query; RefusedError."""
        us, to = _us(connection), as_jid(node.attrs["to"])
        if not to.user:
            return self._of_all(us, inner, node.get_str("type"))
        group = self._mine(to.user, us)
        if inner.tag == "query":
            return [self.shown(group)]
        if inner.tag == "invite":
            return self._invite(group, us, renew=node.get_str("type") == "set")
        if inner.tag in _MEMBERS:
            return [self._members(group, us, inner)]
        change = _CHANGES.get(inner.tag)
        if change is None:
            raise RefusedError("400", "bad-request")
        if not group.rules(us) and (group.locked or inner.tag not in {"subject", "description"}):
            raise forbidden()
        change(group, inner)
        self._server.wake()
        return []

    def _of_all(self, us: str, inner: Node, kind: str) -> list[Node]:
        groups = self._server.groups
        if inner.tag == "participating":
            return [Node("groups", {}, [self.shown(each) for each in groups.values() if us in each.members])]
        if inner.tag == "create":
            return [self.shown(self._made(us, inner))]
        if inner.tag == "leave":
            group = self._mine(as_jid(inner.get_child("group").attrs["id"]).user, us)
            _remove(group, us)
            return [Node("leave", {}, [Node("group", {"id": JID(group.id, "g.us")})])]
        code = inner.get_str("code")
        behind = next((each for each in groups.values() if each.invite == code), None)
        if behind is None:
            raise RefusedError("406", "not-acceptable")
        if kind == "get":
            return [self.shown(behind)]
        behind.members = tuple(dict.fromkeys((*behind.members, us)))
        return [Node("group", {"jid": JID(behind.id, "g.us")})]

    def _mine(self, ident: str, us: str) -> Group:
        group = self._server.groups.get(ident)
        if group is None:
            raise RefusedError("404", "item-not-found")
        if us not in group.members:
            raise forbidden()
        return group

    def _made(self, us: str, inner: Node) -> Group:
        subject = inner.get_str("subject")
        if not subject or len(subject) > LONGEST_SUBJECT:
            raise RefusedError("406", "not-acceptable")
        asked = [self._server.by_jid(as_jid(each.attrs["jid"])) for each in inner.get_children("participant")]
        there = [each.phone for each in asked if each is not None]
        made = Group(f"12036300{len(self._server.groups):04d}", subject, (us, *there))
        self._server.groups[made.id] = made
        return made

    def _invite(self, group: Group, us: str, *, renew: bool) -> list[Node]:
        if not group.rules(us):
            raise RefusedError("401", "not-authorized")
        if renew:
            group.invite = os.urandom(11).hex()
        return [Node("invite", {"code": group.invite})]

    def _members(self, group: Group, us: str, inner: Node) -> Node:
        if not group.rules(us):
            raise forbidden()
        told = []
        for each in inner.get_children("participant"):
            who = self._server.by_jid(as_jid(each.attrs["jid"]))
            error = "404" if who is None else _MEMBERS[inner.tag](group, who.phone)
            attrs = {"jid": each.attrs["jid"]} if who is None else _named(who)
            told.append(Node("participant", attrs | ({"error": error} if error else {})))
        return Node(inner.tag, {}, told)

    def told(self, by: str, group: Group, change: Node) -> Node:
        """What members' devices hear of a change that somebody made (``w:gp2``)."""
        who = self._server.person(by)
        attrs: dict[str, object] = {"from": JID(group.id, "g.us"), "type": "w:gp2", "id": os.urandom(8).hex()}
        attrs |= {"participant": who.lid_jid, "participant_pn": who.jid, "notify": who.name}
        return Node("notification", attrs | {"addressing_mode": "lid", "t": str(int(time.time()))}, [change])

    def change_members(self, group: Group, change: str, phones: Sequence[str]) -> Node:
        """Somebody adds, removes, promotes or demotes: what of it is told."""
        for each in phones:
            _MEMBERS[change](group, each)
        version = {"prev_v_id": os.urandom(8).hex(), "v_id": os.urandom(8).hex()}
        return Node(change, version, [Node("participant", _named(self._server.person(each))) for each in phones])

    def shown(self, group: Group) -> Node:
        """A group with its members."""
        inside = []
        for phone in group.members:
            word = "superadmin" if phone == group.owner else "admin"
            kind = {"type": word} if group.rules(phone) else {}
            inside.append(Node("participant", _named(self._server.person(phone)) | kind))
        owner = self._server.person(group.owner)
        if group.description:
            attrs = {"id": group.description_id, "t": str(group.created), "participant": owner.lid_jid}
            inside.append(Node("description", attrs, [Node("body", {}, group.description.encode())]))
        inside += [Node("announcement", {})] if group.announcement else []
        inside += [Node("locked", {})] if group.locked else []
        made = {"creation": str(group.created), "creator": owner.lid_jid, "creator_pn": owner.jid}
        named = {"subject": group.subject, "s_t": str(group.created), "s_o": owner.lid_jid}
        return Node("group", {"id": group.id, **named, **made, "addressing_mode": "lid"}, inside)


def _named(who: Person) -> dict[str, object]:
    return {"jid": who.lid_jid, "phone_number": who.jid}


def _us(connection: Connection) -> str:
    assert connection.device is not None
    return str(connection.device.jid.user)


def _add(group: Group, phone: str) -> str:
    if phone in group.members:
        return "409"
    group.members += (phone,)
    return ""


def _remove(group: Group, phone: str) -> str:
    if phone not in group.members:
        return "404"
    group.members = tuple(each for each in group.members if each != phone)
    group.admins.discard(phone)
    return ""


def _promote(group: Group, phone: str) -> str:
    if phone not in group.members:
        return "404"
    group.admins.add(phone)
    return ""


def _demote(group: Group, phone: str) -> str:
    if phone not in group.members:
        return "404"
    group.admins.discard(phone)
    return ""


def _subject(group: Group, inner: Node) -> None:
    text = inner.content_bytes().decode()
    if not text or len(text) > LONGEST_SUBJECT:
        raise RefusedError("406", "not-acceptable")
    group.subject = text


def _description(group: Group, inner: Node) -> None:
    if (inner.get_str("prev") or "") != group.description_id:
        raise RefusedError("409", "conflict")
    body = inner.get_child("body")
    group.description = body.content_bytes().decode() if body is not None else ""
    group.description_id = inner.get_str("id") if group.description else ""


def _rule(field_name: str, *, on: bool) -> Callable[[Group, Node], None]:
    return lambda group, _inner: setattr(group, field_name, on)


_MEMBERS: dict[str, Callable[[Group, str], str]] = {
    "add": _add,
    "remove": _remove,
    "promote": _promote,
    "demote": _demote,
}
_CHANGES: dict[str, Callable[[Group, Node], None]] = {
    "subject": _subject,
    "description": _description,
    "announcement": _rule("announcement", on=True),
    "not_announcement": _rule("announcement", on=False),
    "locked": _rule("locked", on=True),
    "unlocked": _rule("locked", on=False),
}
