"""Who people are: one contact for all keys (phone, LID, business-scoped id) that are known to be one person's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
import peewee
from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.events import Event
from wagate.events.kinds import MESSAGE_ACK, MESSAGE_ANY
from wagate.parsing.chats import LID, USER, chat_key
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.parsing.numbers import key_forms
from wagate.storage.fields import clean, time_text
from wagate.storage.statement import placeholders, rows, run, run_many, slices

ContactKey = tuple[int, str]
"""(client's id, chat key)."""

_MOST_NAME = 200
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
Which = Literal["all", "lids"]
_WHERE = {"all": "", "lids": " AND k.key LIKE '%@lid' AND EXISTS (SELECT 1 FROM contact_keys o WHERE "
          "o.contact_id = k.contact_id AND o.key LIKE '%@c.us')"}  # fmt: skip


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What one event says about somebody."""

    client_id: int
    keys: tuple[str, ...]
    """The key that the event uses first, then its aliases."""
    name: str
    """'' when it says none."""
    wrote: bool = True
    """Whether they wrote under the first key; else we wrote to it."""
    moved_to: str = ""
    """The number that they say they have from now on."""

    @property
    def there(self) -> str:
        """The key under which they are seen now; '' when we wrote to them."""
        return self.moved_to or (self.keys[0] if self.wrote else "")


_ADD = "INSERT INTO contact_keys (client_id, key, contact_id, told_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_TOLD = "UPDATE contact_keys SET told_at = ? WHERE client_id = ? AND key = ?"


class ContactRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person."""

    id: str
    name: str
    keys: list[str]
    """Sorted: phone numbers first."""
    phone: str = ""
    """The key of the number that is valid now; '' when no number is known."""


class _Known(msgspec.Struct, frozen=True):
    contact_id: str
    name: str
    told: bool
    """Whether they were seen under this key; else we wrote to it, or it was told beside another one."""


def note_people(db: peewee.Database, people: Sequence[Person], *, now: datetime) -> None:
    """Make contacts of who is new, follow names, join contacts that turn out to be one; part of the intake's commit.

    When nothing is new, it is one look-up for all of them.
    """
    people = [_cleaned(person) for person in people]
    known = _look_up(db, {(person.client_id, key) for person in people for key in person.keys})
    renamed: dict[str, str] = {}
    told: set[ContactKey] = set()
    for person in people:
        contact = _one_contact(db, person, known, now)
        if (key := person.there) and (person.moved_to or not known[person.client_id, key].told):
            told.add((person.client_id, key))
        if person.name and contact.name != person.name:
            renamed[contact.contact_id] = person.name
            for key in person.keys:
                known[person.client_id, key] = replace(known[person.client_id, key], name=person.name)
    at = time_text(now)
    run_many(db, _TOLD, [(at, *pair) for pair in sorted(told)])
    text = "UPDATE contacts SET name = ?, updated_at = ? WHERE id = ?"
    # Sorted, so that two processes never wait for each other crosswise.
    run_many(db, text, [(name, at, contact_id) for contact_id, name in sorted(renamed.items())])


def contacts_of(db: peewee.Database, keys: Iterable[ContactKey]) -> dict[ContactKey, ContactRow]:
    """The contacts that have these keys, with all their keys."""
    asked = set(keys)
    known = _look_up(db, asked)
    aliases: dict[str, dict[str, str]] = {each.contact_id: {} for each in known.values()}
    for part in slices(sorted(aliases)):
        text = f"SELECT contact_id, key, told_at FROM contact_keys WHERE contact_id IN ({placeholders(len(part))})"  # noqa: S608
        for contact_id, key, told_at in rows(db, text, part):
            aliases[contact_id][key] = "" if told_at is None else str(told_at)
    found = {}
    for client_id, key in asked:
        forms = [known[client_id, form] for form in key_forms(key) if (client_id, form) in known]
        if forms:
            found[client_id, key] = _row(forms[0], aliases[forms[0].contact_id])
    return found


def _row(known: _Known, keys: dict[str, str]) -> ContactRow:
    """``keys``: when each was told last, as text that sorts."""
    phones = sorted((told, key) for key, told in keys.items() if key.endswith("@c.us"))
    return ContactRow(
        id=known.contact_id,
        name=known.name,
        keys=sorted(keys, key=_phones_first),
        phone=phones[-1][1] if phones else "",
    )


def _cleaned(person: Person) -> Person:
    keys = tuple(dict.fromkeys(clean(key) for key in (*person.keys, person.moved_to) if key))
    return replace(person, keys=keys, name=clean(person.name.strip()[:_MOST_NAME]), moved_to=clean(person.moved_to))


def _look_up(db: peewee.Database, keys: Iterable[ContactKey]) -> dict[ContactKey, _Known]:
    """What is known of these keys, and of the other forms of those that are numbers."""
    found: dict[ContactKey, _Known] = {}
    asked: dict[int, set[str]] = {}
    for client_id, key in keys:
        asked.setdefault(client_id, set()).update(key_forms(key))
    for client_id, forms in sorted(asked.items()):  # SQLite reads the whole table for pairs of both
        for part in slices(sorted(forms)):
            text = (
                "SELECT k.key, k.told_at, c.id, c.name FROM contact_keys k JOIN contacts c ON c.id = k.contact_id "  # noqa: S608
                f"WHERE k.client_id = ? AND k.key IN ({placeholders(len(part))})"
            )
            for key, told_at, contact_id, name in rows(db, text, [client_id, *part]):
                found[client_id, key] = _Known(contact_id, name, told_at is not None)
    return found


def _one_contact(db: peewee.Database, person: Person, known: dict[ContactKey, _Known], now: datetime) -> _Known:
    """The contact of all the person's keys; ``known`` says so afterwards."""
    pairs = [(person.client_id, key) for key in person.keys]
    forms = {(person.client_id, form) for key in person.keys for form in key_forms(key)} & known.keys()
    there = sorted({known[pair].contact_id for pair in forms})
    missing = [pair for pair in pairs if pair not in known]
    if len(there) == 1 and not missing:
        return known[pairs[0]]
    if not there:
        contact = _Known(_make(db, person, now), person.name, told=False)
    else:
        contact = next(known[pair] for pair in forms if known[pair].contact_id == there[0])
    if len(there) > 1:
        _join(db, keep=there[0], others=there[1:])
    added = [(*pair, contact.contact_id, time_text(now) if pair[1] == person.there else None) for pair in missing]
    run_many(db, _ADD, added)
    for pair, each in list(known.items()):
        if each.contact_id in there:
            known[pair] = replace(each, contact_id=contact.contact_id, name=contact.name)
    for pair in missing:
        known[pair] = _Known(contact.contact_id, contact.name, pair[1] == person.there)
    return contact


def _make(db: peewee.Database, person: Person, now: datetime) -> str:
    contact_id, at = str(uuid7()), time_text(now)
    text = "INSERT INTO contacts (id, client_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
    run(db, text, (contact_id, person.client_id, person.name, at, at))
    return contact_id


def _join(db: peewee.Database, *, keep: str, others: Sequence[str]) -> None:
    """The oldest contact keeps its id and gets the keys of the others."""
    where: list[Any] = list(others)
    run(db, f"UPDATE contact_keys SET contact_id = ? WHERE contact_id IN ({placeholders(len(where))})", [keep, *where])  # noqa: S608
    run(db, f"DELETE FROM contacts WHERE id IN ({placeholders(len(where))})", where)  # noqa: S608


def _phones_first(key: str) -> tuple[bool, str]:
    return not key.endswith("@c.us"), key


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


def people_of(
    db: peewee.Database, *, client_id: int, limit: int, offset: int, which: Which = "all", falling: bool = False
) -> Sequence[tuple[str, ContactRow]]:
    """(a key, the person) by key: each person once, or of ``lids`` each LID whose number is known."""
    order = "DESC" if falling else "ASC"
    if which == "all":
        text = (
            "SELECT MIN(k.key) AS first FROM contact_keys k WHERE k.client_id = ? GROUP BY k.contact_id "  # noqa: S608
            f"ORDER BY first {order} LIMIT ? OFFSET ?"
        )
    else:
        text = f"SELECT k.key FROM contact_keys k WHERE k.client_id = ?{_WHERE[which]} ORDER BY k.key {order} LIMIT ? OFFSET ?"  # noqa: S608, E501
    keys = [str(key) for (key,) in rows(db, text, (client_id, limit, offset))]
    known = contacts_of(db, [(client_id, key) for key in keys])
    return [(key, known[client_id, key]) for key in keys if (client_id, key) in known]


def count_lids(db: peewee.Database, *, client_id: int) -> int:
    """How many LIDs there are whose number is known."""
    text = f"SELECT COUNT(*) FROM contact_keys k WHERE k.client_id = ?{_WHERE['lids']}"  # noqa: S608
    [(count,)] = rows(db, text, (client_id,))
    return int(count)
