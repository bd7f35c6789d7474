"""The state of an account that is linked as a device, as plugins see it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

from wagate.events import SessionStatus

SessionAction = Literal["start", "stop", "restart", "logout"]
"""What can be done to a session. After ``logout`` it is no longer linked, and shows a new QR code."""
SESSION_ACTIONS: tuple[SessionAction, ...] = get_args(SessionAction)


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """How an account is right now."""

    account: str
    """Its name."""
    provider: str
    linked: bool
    """Whether its provider's numbers are linked as devices; False: the number is simply there, and ``status`` says
    nothing."""
    status: SessionStatus
    message: str
    """For people; ''."""
    percent: int | None
    """Progress while it loads, 0…100."""
    qr: str
    """The QR text while it waits to be scanned; '' also when only the provider has it: see `Sessions.qr`."""
    phone: str
    """Digits of our number, '' when not known."""
    updated_at: datetime
    """When the status was last set (aware)."""
    actions: tuple[SessionAction, ...]
    """What can be done to it."""
