"""What a provider's word of our own messages tells of people: who was written to by number is answered under a LID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import peewee

from wagate.events import Event
from wagate.events.kinds import MESSAGE_ACK, MESSAGE_ANY
from wagate.parsing.chats import LID, USER, chat_key
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.storage.fields import clean
from wagate.storage.statement import placeholders, rows, slices
from wagate.storage.threads.contacts import ContactKey, Person, note_people

_KINDS = frozenset({MESSAGE_ANY, MESSAGE_ACK})
_LID = f"@{LID}"
# In the words of the partial index.
_SENT_TO = "SELECT chat FROM messages WHERE account_id = ? AND bare_id = ? AND bare_id <> ''"
_NAMED = "account_id IN ({0}) AND bare_id IN ({1})"
_IN_CHATS = (
    f"SELECT client_id, account_id, bare_id, chat FROM messages WHERE {_NAMED} AND bare_id <> ''",  # noqa: S608
    f"SELECT DISTINCT client_id, account_id, bare_id, chat FROM events WHERE {_NAMED}",  # noqa: S608
)
_TOLD_IN = "SELECT DISTINCT chat FROM events WHERE account_id = ? AND bare_id = ? AND from_me = TRUE"


class UniqueId(NamedTuple):
    """An id that means one message in whatever chat."""

    client_id: int
    account_id: str
    bare_id: str


def numbers_by_ids(db: peewee.Database, ids: Iterable[UniqueId]) -> dict[UniqueId, str]:
    """The numbers in whose chats these messages are; of those that are in one."""
    found: dict[UniqueId, str] = {}
    for part in slices(sorted({each for each in ids if each.account_id})):
        accounts, bare = sorted({each.account_id for each in part}), sorted({clean(each.bare_id) for each in part})
        for query in _IN_CHATS:
            text = query.format(placeholders(len(accounts)), placeholders(len(bare)))
            there = rows(db, text, [*accounts, *bare])
            found.update({UniqueId(*row): chat for *row, chat in there if chat.endswith(f"@{USER}")})
    return found


def learn_people(db: peewee.Database, told: Mapping[ContactKey, str], *, now: datetime) -> None:
    """Learn who is behind LIDs; ``told`` has their numbers."""
    people = [
        Person(client_id=client_id, keys=(phone, lid), name="", wrote=False)
        for (client_id, lid), phone in sorted(told.items())
    ]
    note_people(db, people, now=now)


def note_echoes(db: peewee.Database, events: Sequence[Event]) -> None:
    """Learn who is behind a LID in whose chat a message of ours shows up that we sent to a number."""
    people = []
    for event in events:
        bare = bare_id(event.message_id)
        if not (event.from_me and event.kind in _KINDS and event.chat.endswith(_LID) and is_unique(bare)):
            continue
        for (chat,) in rows(db, _SENT_TO, (event.account_id, clean(bare))):
            if chat.endswith(f"@{USER}"):
                people.append(Person(client_id=event.client_id, keys=(chat, event.chat), name="", wrote=False))
    if people:
        note_people(db, people, now=events[-1].created_at)


def note_taken(
    db: peewee.Database, message_id: str, *, account_id: str, provider_id: str, client_id: int, now: datetime
) -> None:
    """The same once the provider's id is known: the id may name the LID, or the echo came before it."""
    bare = bare_id(provider_id)
    if not is_unique(bare):
        return
    named = provider_id.split("_", 2)[1] if bare != provider_id else ""
    lids = {chat_key(named), *(chat for (chat,) in rows(db, _TOLD_IN, (account_id, clean(bare))))}
    lids = {each for each in lids if each.endswith(_LID)}
    for (chat,) in rows(db, "SELECT chat FROM messages WHERE id = ?", (message_id,)) if lids else ():
        if chat.endswith(f"@{USER}"):
            keys = (chat, *sorted(lids))
            note_people(db, [Person(client_id=client_id, keys=keys, name="", wrote=False)], now=now)
