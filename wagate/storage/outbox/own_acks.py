"""Which reports of a provider may be about messages of ours: asked where nothing else of a chat is taken in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import peewee

from wagate.storage.fields import clean
from wagate.storage.statement import placeholders, rows, slices

_BY_ID = "SELECT client_id, id FROM messages WHERE id IN ({0})"
# In the words of the partial index, which SQLite does not find otherwise.
_BY_PROVIDER_ID = (
    "SELECT account_id, provider_id FROM messages WHERE account_id IN ({0}) AND provider_id IN ({1}) "
    "AND provider_id <> ''"
)
# Not by the index of chats: few messages have these statuses, and a chat has many.
_OPEN = (
    "SELECT client_id, account_id, chat FROM messages WHERE client_id IN ({0}) AND status IN ('sending', 'unknown') "
    "AND (chat || '') IN ({1})"
)
_Row = tuple[Any, ...]


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """A report, as far as it says which message it is about."""

    client_id: int
    account_id: str
    chat: str
    provider_id: str
    """The provider's id of the message; '' when it is not said."""
    reference: str
    """Our own id of it, when the provider carries it back."""


def may_be_ours(db: peewee.Database, acks: Sequence[Ack]) -> list[bool]:
    """For each report whether it may be about a message that we sent.

    So it is when a message has its reference or its provider's id (see `wagate.storage.outbox.acks.fold_acks`),
    or when one of the account to that chat is ``sending`` or ``unknown``: the provider's id of that one may not be
    written yet.
    """
    return [answer for part in slices(acks) for answer in _of_slice(db, part)]


def _of_slice(db: peewee.Database, acks: Sequence[Ack]) -> list[bool]:
    clients, chats = {ack.client_id for ack in acks}, {clean(ack.chat) for ack in acks}
    accounts = {ack.account_id for ack in acks} - {""}
    references = {clean(ack.reference) for ack in acks} - {""}
    provider_ids = {clean(ack.provider_id) for ack in acks} - {""}
    by_id = _found(db, _BY_ID, references)
    by_provider_id = _found(db, _BY_PROVIDER_ID, accounts, provider_ids)
    still_open = _found(db, _OPEN, clients, chats)
    return [
        (ack.client_id, clean(ack.reference)) in by_id
        or (ack.account_id, clean(ack.provider_id)) in by_provider_id
        or (ack.client_id, ack.account_id, clean(ack.chat)) in still_open
        for ack in acks
    ]


def _found(db: peewee.Database, text: str, *among: Iterable[Any]) -> set[_Row]:
    """The rows of a query with one list of values for each of its places; none when a list is empty."""
    lists = [sorted(each) for each in among]
    if not all(lists):
        return set()
    filled = text.format(*(placeholders(len(each)) for each in lists))
    return {tuple(row) for row in rows(db, filled, [value for each in lists for value in each])}
