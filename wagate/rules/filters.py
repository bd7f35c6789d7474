"""Filters of lists: the same for plugins, the API, the command line, the storage and the fakes.

The owner is not a filter: lists take ``client_id`` as an argument of its own, so that no caller can forget it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

WAITING = "waiting"
"""Beside the statuses, for pages: not settled, on its way or not, for a receiver; what the figure counts."""
LEAVING = "leaving"
"""The same of messages that leave by a number."""
LOST = "lost"
"""Failed permanently, for a receiver: not what is tried again once it answers, nor sending (but of one number)."""
HANDED = "handed"
"""Accepted by a receiver; ``since`` and ``until`` say when."""


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects deliveries; a field that is None selects all."""

    handler: str | None = None
    """The connector: webhook, n8n …"""
    target: str | None = None
    """The handler's own id of the target (`wagate.hooks.contracts.Target.id`)."""
    status: str | None = None
    """pending, delivering, delivered, failed, cancelled or expired; or `WAITING`, `LEAVING`, `LOST`, `HANDED`."""
    account: str | None = None
    chat: str | None = None
    """The chat's key."""
    message_id: str | None = None
    """The provider's id of the message; for an outgoing one, wagate's id."""
    stuck: bool | None = None
    """True: those that need somebody to act; False: the others."""
    error: str | None = None
    """A part of the last error, in any case."""
    since: datetime | None = None
    """Stored at this time or later (aware)."""
    until: datetime | None = None
    """Stored before this time (aware)."""


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects outgoing messages; a field that is None selects all."""

    account: str | None = None
    chat: str | None = None
    """The chat's key."""
    status: str | None = None
    """queued, sending, sent, delivered, read, failed or unknown."""
    message_id: str | None = None
    """The provider's id."""


ALL_DELIVERIES = DeliveryFilter()
ALL_MESSAGES = MessageFilter()
