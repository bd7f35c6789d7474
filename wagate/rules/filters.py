"""Which rows of a list: one value for plugins, the API, the command line, the storage and the fakes.

Whose rows they are is never a filter: lists take ``client_id`` beside it, so that nobody forgets to say it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries; None lets all through."""

    handler: str | None = None
    """The connector: webhook, n8n …"""
    target: str | None = None
    """The handler's own id of the target (`wagate.hooks.contracts.Target.id`)."""
    status: str | None = None
    """pending, delivering, delivered, failed, cancelled or expired."""
    account: str | None = None
    chat: str | None = None
    """The chat's key."""
    message_id: str | None = None
    """The provider's id of the message that the delivery is about; of one on its way out, ours."""
    stuck: bool | None = None
    """Those that need somebody, or those that don't."""
    error: str | None = None
    """A part of the last error, whatever its case."""
    since: datetime | None = None
    """Stored at this time or later (aware)."""
    until: datetime | None = None
    """Stored before this time (aware)."""


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages on their way out; None lets all through."""

    account: str | None = None
    chat: str | None = None
    """The chat's key."""
    status: str | None = None
    """queued, sending, sent, delivered, read, failed or unknown."""
    message_id: str | None = None
    """The provider's id."""


ALL_DELIVERIES = DeliveryFilter()
ALL_MESSAGES = MessageFilter()
