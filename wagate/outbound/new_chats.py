"""Whose turn it is to begin a chat with somebody who does not know the number: `SendLimits.new_chats_per_hour`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from wagate.errors import Postpone
from wagate.hooks.providers import SendLimits
from wagate.outbound.context import OutboundContext
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.outbox.new_chats import NewChat, begin_chat, give_back, is_known
from wagate.storage.owners.directory import Account
from wagate.storage.threads.conversations import PEOPLE

LOOK: Final = 600.0
"""Seconds after which a waiting message asks again: its person may have written, or the limit may have been raised."""
GONE: Final = timedelta(seconds=3 * LOOK)
KNOWN: Final = 10_000
"""Chats that are remembered as known, so that only the first message to each is looked up."""


class NewChats:
    """The lines of all accounts. They lie in the tables; this process only remembers which chats are known."""

    def __init__(self, context: OutboundContext, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the id of a message whose reason to wait was written down."""
        self._context = context
        self._changed = changed
        self._known: dict[tuple[str, str], None] = {}
        self._begun: set[tuple[str, str]] = set()
        """Whose turn was taken, and of which it is not known yet whether anything left."""

    async def may_begin(self, row: MessageRow, account: Account, limits: SendLimits, *, waits: bool) -> bool:
        """Whether the message may go through this account now, as far as its chat is concerned.

        Raises:
            Postpone: not yet, and it ``waits`` in the account's line.
        """
        if limits.new_chats_per_hour <= 0 or not row.chat.endswith(PEOPLE):
            return True
        key = (account.id, row.chat)
        if key in self._known:
            return True
        known = await self._context.database.read(
            is_known, client_id=account.client_id, account=account.name, account_id=account.id, chat=row.chat
        )
        if not known:
            reason = f"waits for its turn: a new chat, and the number begins {limits.new_chats_per_hour:g} an hour"
            seconds = await self._begin(row, account, limits, reason, waits=waits)
            if seconds > 0 and waits:
                self._changed(row.id)
                raise Postpone(reason, after=min(seconds, LOOK), own=True)
            if seconds > 0:
                return False
            self._begun.add(key)
        self._remember(key)
        return True

    async def went(self, row: MessageRow, account: Account, *, sent: bool) -> None:
        """What became of the message; ``sent``: it left, or may have."""
        key = (account.id, row.chat)
        if key not in self._begun:
            return
        self._begun.discard(key)
        if not sent:
            self._known.pop(key, None)
            await self._context.database.write(give_back, account.id, row.chat)

    async def _begin(self, row: MessageRow, account: Account, limits: SendLimits, reason: str, *, waits: bool) -> float:
        new = NewChat(
            account_id=account.id,
            chat=row.chat,
            message_id=row.id,
            delivery_id=row.delivery_id,
            interval=timedelta(hours=1) / limits.new_chats_per_hour,
            burst=max(limits.new_chats_burst, 1),
            gone=GONE,
            recover=timedelta(seconds=self._context.recover),
            reason=reason,
            now=self._context.clock.now(),
        )
        return await self._context.database.write(begin_chat, new, waits=waits)

    def _remember(self, key: tuple[str, str]) -> None:
        self._known[key] = None
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]
