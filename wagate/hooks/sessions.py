"""The state of an account that is a linked device, as plugins see it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

from wagate.events import SessionStatus

SessionAction = Literal["start", "stop", "restart", "logout"]
"""Actions on a session. After ``logout`` it is no longer linked, and shows a new QR code."""
SESSION_ACTIONS: tuple[SessionAction, ...] = get_args(SessionAction)


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of an account."""

    account: str
    """Name of the account."""
    provider: str
    linked: bool
    """Whether the provider's numbers are linked devices; if not, ``status`` means nothing."""
    status: SessionStatus
    message: str
    """The state in words; may be ''."""
    percent: int | None
    """Progress of loading, 0 to 100."""
    qr: str
    """The text of the QR code to scan; '' also if only the provider has it: see `Sessions.qr`."""
    phone: str
    """Digits of our number, '' when not known."""
    updated_at: datetime
    """When the status was last set (aware)."""
    actions: tuple[SessionAction, ...]
    """The actions that its provider supports."""
