"""Labels of chats, of accounts whose provider has none. A person's labels are found under each of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import peewee

from wagate.errors import ConflictError, NotFoundError, UnprocessableError
from wagate.storage.fields import clean, time_text
from wagate.storage.statement import insert_many, placeholders, rows, run, run_many
from wagate.storage.threads.contacts import contacts_of

MOST_LABELS: Final = 20
"""Of an account, as in WhatsApp Business."""
MOST_CHATS: Final = 10_000
"""With one label."""
_NUMBER: Final = (
    "INSERT INTO label_numbers (account_id, last) VALUES (?, 1) "
    "ON CONFLICT (account_id) DO UPDATE SET last = label_numbers.last + 1 RETURNING last"
)
_COLUMNS: Final = "l.id, l.name, l.color"
_OLD: Final = (
    "SELECT l.account_id, l.chat, l.label_id FROM labeled_chats l JOIN accounts a ON a.id = l.account_id "
    "WHERE l.created_at < ? AND NOT EXISTS (SELECT 1 FROM chats t WHERE t.client_id = a.client_id AND t.chat = l.chat) "
    "AND NOT EXISTS (SELECT 1 FROM contact_keys k WHERE k.client_id = a.client_id AND k.key = l.chat) LIMIT ?"
)


class LabelRow(msgspec.Struct, frozen=True):
    """One label."""

    id: str
    """A number, as text; of deleted labels it is not used again."""
    name: str
    color: int
    """WhatsApp's number, 0 to 19."""


def list_labels(db: peewee.Database, account_id: str) -> list[LabelRow]:
    """An account's, oldest first."""
    return _sorted(rows(db, f"SELECT {_COLUMNS} FROM labels l WHERE l.account_id = ?", (account_id,)))  # noqa: S608


def add_label(db: peewee.Database, account_id: str, *, name: str, color: int) -> LabelRow:
    """Make one. ConflictError: there are `MOST_LABELS` already. NotFoundError: no such account."""
    try:
        # Who makes another label at once waits here: so the count below is true.
        [(number,)] = rows(db, _NUMBER, (account_id,))
    except peewee.IntegrityError as error:
        raise NotFoundError("Session not found") from error
    [(count,)] = rows(db, "SELECT COUNT(*) FROM labels WHERE account_id = ?", (account_id,))
    if count >= MOST_LABELS:
        raise ConflictError(f"there are {MOST_LABELS} labels, the most that an account may have")
    made = LabelRow(str(number), clean(name), color)
    text = "INSERT INTO labels (account_id, id, name, color) VALUES (?, ?, ?, ?)"
    run(db, text, (account_id, made.id, made.name, made.color))
    return made


def change_label(db: peewee.Database, account_id: str, label_id: str, *, name: str, color: int | None) -> LabelRow:
    """Change one; ``color`` None leaves it. NotFoundError."""
    before = _find(db, account_id, label_id)
    changed = LabelRow(before.id, clean(name), before.color if color is None else color)
    text = "UPDATE labels SET name = ?, color = ? WHERE account_id = ? AND id = ?"
    run(db, text, (changed.name, changed.color, account_id, before.id))
    return changed


def delete_label(db: peewee.Database, account_id: str, label_id: str) -> None:
    """Delete one, from its chats, too. NotFoundError."""
    if not run(db, "DELETE FROM labels WHERE account_id = ? AND id = ?", (account_id, clean(label_id))):
        raise NotFoundError("Label not found")


def labels_of(db: peewee.Database, account_id: str, chat: str, *, client_id: int) -> list[LabelRow]:
    """A chat's."""
    keys = _keys(db, client_id, chat)
    text = (
        f"SELECT DISTINCT {_COLUMNS} FROM labeled_chats c JOIN labels l ON l.account_id = c.account_id "  # noqa: S608
        f"AND l.id = c.label_id WHERE c.account_id = ? AND c.chat IN ({placeholders(len(keys))})"
    )
    return _sorted(rows(db, text, (account_id, *keys)))


def label_chat(
    db: peewee.Database, account_id: str, chat: str, label_ids: Sequence[str], *, client_id: int, now: datetime
) -> None:
    """Give a chat these labels, and no others. UnprocessableError: there is no such label, or it has too many chats."""
    known = {each.id for each in list_labels(db, account_id)}
    wanted = list(dict.fromkeys(clean(each) for each in label_ids))
    if unknown := [each for each in wanted if each not in known]:
        raise UnprocessableError(f"there is no label {unknown[0][:100]!r}", field="labels")
    keys = _keys(db, client_id, chat)
    there = f"account_id = ? AND chat IN ({placeholders(len(keys))})"
    run(db, f"DELETE FROM labeled_chats WHERE {there}", (account_id, *keys))  # noqa: S608
    for each in wanted:
        text = "SELECT COUNT(*) FROM labeled_chats WHERE account_id = ? AND label_id = ?"
        if rows(db, text, (account_id, each))[0][0] >= MOST_CHATS:
            raise UnprocessableError(f"{MOST_CHATS} chats have the label {each}, the most that may", field="labels")
    if wanted:
        head = "INSERT INTO labeled_chats (account_id, chat, label_id, created_at)"
        new = [(account_id, clean(chat), each, time_text(now)) for each in wanted]
        try:
            insert_many(db, head, new, "ON CONFLICT DO NOTHING")
        except peewee.IntegrityError as error:
            raise UnprocessableError("one of these labels was just deleted", field="labels") from error


def chats_with(db: peewee.Database, account_id: str, label_id: str, *, client_id: int, most: int) -> list[str]:
    """Keys of the chats that have a label, each person's once: the number, where one is known. NotFoundError."""
    found = _find(db, account_id, label_id)
    text = "SELECT chat FROM labeled_chats WHERE account_id = ? AND label_id = ? ORDER BY chat LIMIT ?"
    chats = [str(chat) for (chat,) in rows(db, text, (account_id, found.id, most))]
    known = contacts_of(db, [(client_id, chat) for chat in chats])
    people = {key: person.phone for (_, key), person in known.items()}
    return list(dict.fromkeys(people.get(chat) or chat for chat in chats))


def delete_labeled(db: peewee.Database, before: datetime, most: int = 500) -> int:
    """Forget labels that chats got before a time and of which nothing else is kept any more; how many."""
    old = sorted(rows(db, _OLD, (time_text(before), most)))
    text = "DELETE FROM labeled_chats WHERE account_id = ? AND chat = ? AND label_id = ?"
    run_many(db, text, old)
    return len(old)


def _find(db: peewee.Database, account_id: str, label_id: str) -> LabelRow:
    found = [each for each in list_labels(db, account_id) if each.id == label_id]
    if not found:
        raise NotFoundError("Label not found")
    return found[0]


def _keys(db: peewee.Database, client_id: int, chat: str) -> list[str]:
    person = contacts_of(db, [(client_id, chat)]).get((client_id, chat))
    return sorted({clean(chat), *(person.keys if person is not None else ())})


def _sorted(found: Sequence[tuple[str, str, int]]) -> list[LabelRow]:
    return sorted((LabelRow(*row) for row in found), key=lambda each: int(each.id))
