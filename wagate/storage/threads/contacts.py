"""Who people are: one contact for all keys (phone, LID, business-scoped id) that are known to be one person's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee
from uuid_utils import uuid7

from wagate.storage.fields import clean, time_text
from wagate.storage.statement import marks, placeholders, rows, run, run_many, slices

ContactKey = tuple[int, str]
"""(client's id, chat key)."""

_MOST_NAME = 200


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What one event says about somebody."""

    client_id: int
    keys: tuple[str, ...]
    """The key that the event uses first, then its aliases."""
    name: str
    """'' when it says none."""


class ContactRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person."""

    id: str
    name: str
    keys: list[str]
    """Sorted: phone numbers first."""


class _Known(msgspec.Struct, frozen=True):
    contact_id: str
    name: str


def note_people(db: peewee.Database, people: Sequence[Person], *, now: datetime) -> None:
    """Make contacts of who is new, follow names, join contacts that turn out to be one; part of the intake's commit.

    When nothing is new, it is one look-up for all of them.
    """
    people = [_cleaned(person) for person in people]
    known = _look_up(db, {(person.client_id, key) for person in people for key in person.keys})
    renamed: dict[str, str] = {}
    for person in people:
        contact = _one_contact(db, person, known, now)
        if person.name and contact.name != person.name:
            renamed[contact.contact_id] = person.name
            for key in person.keys:
                known[person.client_id, key] = _Known(contact.contact_id, person.name)
    text = "UPDATE contacts SET name = ?, updated_at = ? WHERE id = ?"
    # Sorted, so that two processes never wait for each other crosswise.
    run_many(db, text, [(name, time_text(now), contact_id) for contact_id, name in sorted(renamed.items())])


def contacts_of(db: peewee.Database, keys: Iterable[ContactKey]) -> dict[ContactKey, ContactRow]:
    """The contacts that have these keys, with all their keys."""
    known = _look_up(db, set(keys))
    aliases: dict[str, list[str]] = {each.contact_id: [] for each in known.values()}
    for part in slices(sorted(aliases)):
        text = f"SELECT contact_id, key FROM contact_keys WHERE contact_id IN ({placeholders(len(part))})"  # noqa: S608
        for contact_id, key in rows(db, text, part):
            aliases[contact_id].append(key)
    return {
        key: ContactRow(id=each.contact_id, name=each.name, keys=sorted(aliases[each.contact_id], key=_phones_first))
        for key, each in known.items()
    }


def _cleaned(person: Person) -> Person:
    keys = tuple(dict.fromkeys(clean(key) for key in person.keys if key))
    return Person(client_id=person.client_id, keys=keys, name=clean(person.name.strip()[:_MOST_NAME]))


def _look_up(db: peewee.Database, keys: set[ContactKey]) -> dict[ContactKey, _Known]:
    found: dict[ContactKey, _Known] = {}
    for part in slices(sorted(keys)):
        text = (
            "SELECT k.client_id, k.key, c.id, c.name FROM contact_keys k JOIN contacts c ON c.id = k.contact_id "  # noqa: S608
            f"WHERE (k.client_id, k.key) IN (VALUES {marks(2, len(part))})"
        )
        for client_id, key, contact_id, name in rows(db, text, [value for pair in part for value in pair]):
            found[client_id, key] = _Known(contact_id, name)
    return found


def _one_contact(db: peewee.Database, person: Person, known: dict[ContactKey, _Known], now: datetime) -> _Known:
    """The contact of all the person's keys; ``known`` says so afterwards."""
    pairs = [(person.client_id, key) for key in person.keys]
    there = sorted({known[pair].contact_id for pair in pairs if pair in known})
    missing = [key for client_id, key in pairs if (client_id, key) not in known]
    if len(there) == 1 and not missing:
        return known[pairs[0]]
    if not there:
        contact = _Known(_make(db, person, now), person.name)
    else:
        contact = next(known[pair] for pair in pairs if pair in known and known[pair].contact_id == there[0])
    if len(there) > 1:
        _join(db, keep=there[0], others=there[1:])
    added = [(person.client_id, key, contact.contact_id) for key in missing]
    run_many(db, "INSERT INTO contact_keys (client_id, key, contact_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", added)
    for pair, each in list(known.items()):
        if each.contact_id in there:
            known[pair] = contact
    known.update(dict.fromkeys(pairs, contact))
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
