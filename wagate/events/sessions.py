"""The words for a session's state (source: the session webhook specification, and API.md's mapping)."""

from __future__ import annotations

import msgspec

INITIALIZING = "initializing"
QR_GENERATED = "qr_generated"
CONNECTING = "connecting"
LOADING = "loading"
SESSION_CONNECTED = "session_connected"
SESSION_NOT_CONNECTED = "session_not_connected"
AUTH_FAILURE = "auth_failure"
ERROR = "error"

SESSION_STATUSES = frozenset(
    {
        INITIALIZING,
        QR_GENERATED,
        CONNECTING,
        LOADING,
        SESSION_CONNECTED,
        SESSION_NOT_CONNECTED,
        AUTH_FAILURE,
        ERROR,
    }
)


WAHA_WORDS = {
    INITIALIZING: "STARTING",
    CONNECTING: "STARTING",
    LOADING: "STARTING",
    QR_GENERATED: "SCAN_QR_CODE",
    SESSION_CONNECTED: "WORKING",
    SESSION_NOT_CONNECTED: "STOPPED",
    AUTH_FAILURE: "FAILED",
    ERROR: "FAILED",
}
"""WAHA's words for the same states."""


class SessionChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an event does to its account's session state, written in the same commit."""

    status: str
    """One of `SESSION_STATUSES`."""
    message: str = ""
    """For people: ``QR code generated, scan to connect``."""
    qr: str | None = None
    """The QR text; None clears it (any status but qr_generated does)."""
    percent: int | None = None
    """Progress of a loading screen."""
    unless: frozenset[str] = frozenset()
    """Nothing changes when the session is in one of these (a late loading_screen after ready)."""
