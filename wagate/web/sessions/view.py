"""How sessions are shown: the status answer, the list and its summary (spec/004, "Session Status Response")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from wagate.errors import BadRequestError
from wagate.events import SESSION_STATES, SessionGroup, SessionStatus
from wagate.inbound.qr_image import qr_image

STATUS_WORDS = tuple(dict.fromkeys((*SessionGroup, *sorted(SessionStatus))))
"""What ``?status=`` may say: groups of the summary, then exact words."""


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a session's state."""

    session_id: str
    """The account's name."""
    user_id: str
    """The owner's slug."""
    status: SessionStatus
    created_at: datetime
    """Aware."""
    updated_at: datetime
    """Aware; when the status was last set."""
    message: str | None = None
    """For people."""
    qr: str | None = None
    """The QR text while it waits to be scanned."""


class SessionView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session as the API shows it; fields in the order of spec/004."""

    session_id: str
    """The account's name."""
    status: str
    """One of `SessionStatus`."""
    message: str | None
    """For people."""
    qr: str | None
    """The QR text; null when there is none to scan."""
    qr_image: str | msgspec.UnsetType | None = msgspec.UNSET
    """PNG data URI, null when it can't be drawn; only in the status answer."""
    user_id: str
    """The owner's slug."""
    created_at: str
    """UTC with milliseconds and Z."""
    updated_at: str
    """Likewise."""
    is_connected: bool
    """session_connected."""
    needs_qr: bool = msgspec.field(name="needsQR")
    """qr_generated, and there is a QR text."""
    is_loading: bool
    """loading or connecting."""
    has_error: bool
    """auth_failure or error."""
    has_qr: bool | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="hasQR")
    """There is a QR text; only in lists."""
    notice: str | msgspec.UnsetType = msgspec.UNSET
    """What you have to know before you link the number; only in the status answer, while a code waits."""
    last_updated: str | msgspec.UnsetType = msgspec.UNSET
    """The same as ``updatedAt``; only in lists."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions are in which group; the groups add up to ``total``."""

    connected: int
    """session_connected."""
    disconnected: int
    """session_not_connected."""
    loading: int
    """loading, connecting, initializing."""
    needs_qr: int = msgspec.field(name="needsQR")
    """qr_generated."""
    error: int
    """auth_failure, error."""
    total: int
    """All of them."""


def status_view(state: SessionState) -> SessionView:
    """The status answer's ``data``, with the QR drawn."""
    view = _view(state)
    return msgspec.structs.replace(view, qr_image=qr_image(view.qr))


def list_view(state: SessionState) -> SessionView:
    """One item of the list's ``data``."""
    view = _view(state)
    return msgspec.structs.replace(view, has_qr=bool(view.qr), last_updated=view.updated_at)


def summary(statuses: Iterable[SessionStatus]) -> Summary:
    """Count sessions by their statuses."""
    counts = Counter(SESSION_STATES[status].group for status in statuses)
    return Summary(
        connected=counts[SessionGroup.CONNECTED],
        disconnected=counts[SessionGroup.DISCONNECTED],
        loading=counts[SessionGroup.LOADING],
        needs_qr=counts[SessionGroup.NEEDS_QR],
        error=counts[SessionGroup.ERROR],
        total=counts.total(),
    )


def status_filter(word: str | None) -> Callable[[SessionStatus], bool]:
    """What ``?status=`` lets through: a group of the summary, or one exact status; None or '' is all.

    ``loading`` and ``error`` are both; the group counts.

    Raises:
        BadRequestError: neither; the field is ``?status``.
    """
    if not word:
        return lambda _status: True
    if word in set(SessionGroup):
        return lambda status: SESSION_STATES[status].group == word
    if word in SESSION_STATES:
        return lambda status: status == word
    raise BadRequestError(f"status must be one of {', '.join(STATUS_WORDS)}", field="?status")


def iso(moment: datetime) -> str:
    """``2025-01-20T10:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _view(state: SessionState) -> SessionView:
    # Whatever the row says: only a session that waits for its scan has a QR to show.
    qr = state.qr if state.status == SessionStatus.QR_GENERATED and state.qr else None
    facts = SESSION_STATES[state.status]
    return SessionView(
        session_id=state.session_id,
        status=state.status,
        message=state.message,
        qr=qr,
        user_id=state.user_id,
        created_at=iso(state.created_at),
        updated_at=iso(state.updated_at),
        is_connected=facts.group == SessionGroup.CONNECTED,
        needs_qr=qr is not None,
        is_loading=facts.loading,
        has_error=facts.group == SessionGroup.ERROR,
    )
