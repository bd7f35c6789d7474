"""Who of a group has got a message, who has read it: from the reports that came, one for each participant."""

from __future__ import annotations

from datetime import datetime

import msgspec
import peewee

from wagate.events import Event
from wagate.events.acks import PARTICIPANT, RANKS, READ
from wagate.events.kinds import MESSAGE_ACK
from wagate.parsing.message_ids import bare_id
from wagate.storage.fields import as_time, clean, from_json
from wagate.storage.outbox.own_ids import of_bare_id
from wagate.storage.statement import rows

_REPORTS = "SELECT extra, timestamp FROM events WHERE {0} AND kind = ? AND client_id = ? ORDER BY id"
_MEMBERS = "SELECT members FROM chats WHERE client_id = ? AND chat = ? AND account = ?"


class ReaderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One participant."""

    participant: str
    """Their key."""
    status: str
    """How far the message got with them: delivered, read or played."""
    at: datetime


def all_have_read(db: peewee.Database, event: Event) -> bool:
    """Whether with this report the last participant of a group has read a message: no, as long as nobody told how many.

    Of the members one is us.
    """
    members = rows(db, _MEMBERS, (event.client_id, clean(event.chat), clean(event.account)))
    others = members[0][0] - 1 if members else 0
    if others < 1:
        return False
    found = readers_of(db, event.client_id, event.account_id, bare_id(event.message_id), event.chat)
    return sum(RANKS[each.status] >= RANKS[READ] for each in found) >= others


def readers_of(db: peewee.Database, client_id: int, account_id: str, bare: str, chat: str) -> list[ReaderRow]:
    """Participants in the order of their first report, by the account's id of the message."""
    if not bare:
        return []
    about, values = of_bare_id(account_id, bare, chat)
    found: dict[str, ReaderRow] = {}
    for extra, moment in rows(db, _REPORTS.format(about), (*values, MESSAGE_ACK, client_id)):
        said = from_json(extra)
        participant, status, at = said.get(PARTICIPANT), said.get("status"), as_time(moment)
        if not isinstance(participant, str) or status not in RANKS or at is None:
            continue
        before = found.get(participant)
        if before is None or RANKS[status] > RANKS[before.status]:
            found[participant] = ReaderRow(participant=participant, status=status, at=at)
    return list(found.values())
