"""What happens to groups → events, in WAHA's words (``group.v2.…``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from wagate.events import NewEvent
from wagate.events.event import MEMBERS
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import fingerprint, first_text, instant, mapping, shortened, whole
from wagate_whatsapp.people import Us, moment, person
from wagate_whatsapp.process import Json

GROUP_LINES: Final = frozenset({"GroupInfoEvent", "JoinedGroup"})
"""Lines of the engine that are about groups."""
PEOPLE: Final = ("Join", "Leave", "Promote", "Demote")
_APART: Final = frozenset({"n", "session", "phones"})
"""Not of the event itself: a line that comes once more may have learned more phones."""


def group(line: Json, us: Us) -> list[NewEvent]:
    """One event for each sort of change: somebody joins, leaves, is promoted or demoted; name or rules are others."""
    if line["event"] == "JoinedGroup":
        return [_joined(line)]
    found = []
    for name in PEOPLE:
        given = line.get(name)
        people = [_key(each, line) for each in given if isinstance(each, str)] if isinstance(given, list) else []
        others = [each for each in people if each not in us.keys] if name == "Leave" else people
        if len(others) < len(people):
            found.append(_event(line, "leave", "leave", {"participants": [us.phone], MEMBERS: 0}))
        if others:
            gone = {MEMBERS: 0} if name in {"Join", "Leave"} else {}
            found.append(_event(line, "participants", name.lower(), {"participants": others} | gone))
    changed = {name: read(line[key]) for key, (name, read) in _CHANGES.items() if line.get(key)}
    if changed or not found:
        found.append(_event(line, "update", "update", {"participants": []}, changed))
    return found


def _joined(line: Json) -> NewEvent:
    """We are in a group from now on, with all that is to be known of it."""
    info = mapping(line.get("GroupInfo"))
    given = info.get("Participants")
    members = list(map(_member, map(mapping, given))) if isinstance(given, list) else []
    changed = {name: read(info[f"Group{key}"]) for key, (name, read) in _CHANGES.items() if info.get(f"Group{key}")}
    about = {"description": "", **changed, "participants": members}
    return _event(line, "join", "join", {"participants": [], MEMBERS: len(members)}, about)


def _event(line: Json, kind: str, what: str, extra: Json, changed: Json | None = None) -> NewEvent:
    chat = chat_key(first_text(line, "JID") or first_text(mapping(line.get("GroupInfo")), "JID"))
    author, about = _key(first_text(line, "Sender"), line), changed or {}
    subject = first_text(about, "subject")
    own = {name: value for name, value in line.items() if name not in _APART}
    return NewEvent(
        kind=f"group.v2.{kind}",
        provider_id=fingerprint(msgspec.json.encode(own).decode()),
        variant=what,
        chat=chat,
        sender=author,
        type="group",
        timestamp=moment(line) or instant(line.get("Timestamp")),
        extra={"group": shortened({"id": chat} | about), "type": what, **extra}
        | ({"author": author} if author else {})
        | ({"group_name": subject} if subject else {}),
    )


def _key(jid: str, line: Json) -> str:
    return person(jid, first_text(mapping(line.get("phones")), jid))


def _member(told: Json) -> Json:
    """In WAHA's words (``GroupParticipant``)."""
    role = "superadmin" if told.get("IsSuperAdmin") else "admin" if told.get("IsAdmin") else "participant"
    return {"id": person(first_text(told, "JID"), first_text(told, "PhoneNumber")), "role": role}


_CHANGES: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "Name": ("subject", lambda told: first_text(mapping(told), "Name")),
    "Topic": ("description", lambda told: first_text(mapping(told), "Topic")),
    "Announce": ("membersCanSendMessages", lambda told: mapping(told).get("IsAnnounce") is not True),
    "Locked": ("membersCanEditInfo", lambda told: mapping(told).get("isLocked") is not True),
    "Ephemeral": ("disappearingSeconds", lambda told: whole(mapping(told).get("DisappearingTimer")) or 0),
    "NewInviteLink": ("invite", lambda told: first_text({"it": told}, "it")),
    "Delete": ("deleted", bool),
}
"""Field of a change → what it is called in the event's ``group``, and how it is read."""
