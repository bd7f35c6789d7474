"""A request of WAHA's API, passed on as it came: the ask of a provider that is WAHA itself."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.hooks.asks import Ask


class PassedOn(msgspec.Struct, frozen=True, kw_only=True):
    """What `PassOn` was answered."""

    content_type: str
    body: bytes


class PassOn(Ask, frozen=True, kw_only=True):
    """A request of WAHA's API that wagate has no words for, as it came: for a provider that is WAHA itself."""

    answer = PassedOn
    method: str
    path: str
    """``/api/{session}/…``, quoted; for ``{session}`` stands the account's."""
    query: dict[str, str] = msgspec.field(default_factory=dict)
    """Where it has a ``session``, that becomes the account's."""
    body: dict[str, Any] | None = None
    names_session: bool = False
    """Whether the body names the session; that becomes the account's."""
