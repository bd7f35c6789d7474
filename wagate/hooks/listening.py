"""What a provider that listens without webhooks gets: a way in for what it hears, one for each account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from wagate.events import NewEvent, SessionChange

Sink = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes of a file. Raises when it can take no more: let that pass."""


class Inlet(Protocol):
    """Where one account's provider puts what it hears."""

    async def take(self, events: Sequence[NewEvent]) -> None:
        """Take in events, in their order, in one commit; they are on the disk when this returns.

        What the account ignores is left out, and what was taken in before is dropped. The way in is the same as a
        webhook's. Only after this may the other side be told that they were received.

        Raises:
            StorageError: nothing was stored. Let it pass: ``run`` is started again after a pause.
        """

    async def archive(self, events: Sequence[NewEvent]) -> None:
        """Put messages of the past into their conversations, at their time, and deliver them to nobody.

        What was taken in before, here or by `take`, is dropped. Events older than ``retention.events`` do not stay.

        Raises:
            StorageError: as `take`.
        """

    async def state(self, change: SessionChange, **details: Any) -> None:
        """Change the state of the account's session: an event ``session.status``; ``details`` go to its ``extra``.

        Raises:
            StorageError: as `take`.
        """

    async def seen(self, chat: str) -> None:
        """Note that somebody read a chat elsewhere, as on the phone: nothing of it is unread any more.

        Raises:
            StorageError: as `take`.
        """

    async def number(self, phone: str) -> None:
        """Note the digits of our own number, for an account that was made without them. StorageError."""
