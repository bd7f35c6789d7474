"""Chats that an account does not take in, but for what is reported there of our own messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wagate.events import NewEvent
from wagate.events.kinds import MESSAGE_ACK
from wagate.parsing.chats import STATUS
from wagate.storage.database import Database
from wagate.storage.outbox.acks import Ack, may_be_ours
from wagate.storage.owners.directory import Account

ENDINGS = {"groups": "@g.us", "broadcast": "@broadcast", "channels": "@newsletter"}
"""Key of an account's ``ignore`` → how such a chat's key ends."""
Owned = tuple[Account, NewEvent]
"""An event, and the account that it is for."""


def ignored(chat: str, ignore: Mapping[str, bool]) -> bool:
    """Whether the account's ``ignore`` (groups, status, broadcast, channels) leaves this chat out."""
    if chat == STATUS:
        return bool(ignore.get("status"))
    return any(ignore.get(kind) and chat.endswith(ending) for kind, ending in ENDINGS.items())


class IgnoreFilter:
    """Leaves out what the accounts ignore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def taken_in(self, events: Iterable[Owned]) -> list[Owned]:
        """The events that are taken in, in their order.

        A ``message.ack`` in an ignored chat is, when it may be about a message of ours (`may_be_ours`): what we send
        there has a status like all else. Only such acks are looked up, all of them at once. Raises StorageError.
        """
        every = list(events)
        out = {at for at, each in enumerate(every) if _left_out(*each)}
        acks = [at for at in sorted(out) if every[at][1].kind == MESSAGE_ACK]
        if acks:
            ours = await self._database.read(may_be_ours, [_ack(*every[at]) for at in acks])
            out.difference_update(at for at, own in zip(acks, ours, strict=True) if own)
        return [each for at, each in enumerate(every) if at not in out]


def _left_out(account: Account, event: NewEvent) -> bool:
    """By its chat, or by the list that it was sent to: that stands in the chat with whoever has the list."""
    return any(ignored(str(chat), account.ignore) for chat in (event.chat, event.extra.get("broadcast")) if chat)


def _ack(account: Account, event: NewEvent) -> Ack:
    return Ack(
        client_id=account.client_id,
        account_id=account.id,
        chat=event.chat,
        provider_id=event.message_id,
        reference=event.reference,
    )
