"""The states of a session, and their meaning, in one table.

Sources: the session webhook specification and API.md (our words and groups); WAHA's WAHASessionStatus;
whatsapp-web.js, src/util/Constants.js (WAState).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class SessionStatus(StrEnum):
    """The states of a session. A new one needs a row in `SESSION_STATES`."""

    INITIALIZING = "initializing"
    QR_GENERATED = "qr_generated"
    CONNECTING = "connecting"
    LOADING = "loading"
    SESSION_CONNECTED = "session_connected"
    SESSION_NOT_CONNECTED = "session_not_connected"
    AUTH_FAILURE = "auth_failure"
    ERROR = "error"


class SessionGroup(StrEnum):
    """The groups in the summary and in ``?status=``."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOADING = "loading"
    NEEDS_QR = "needsQR"
    ERROR = "error"


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The meaning of one state."""

    group: SessionGroup
    waha: str
    """WAHA's name of the state."""
    engine: frozenset[str] = frozenset()
    """Names of this state in whatsapp-web.js and other engines, in lower case."""
    loading: bool = False
    """Shown as ``isLoading``."""


SESSION_STATES: Mapping[SessionStatus, SessionFacts] = {
    SessionStatus.INITIALIZING: SessionFacts(group=SessionGroup.LOADING, waha="STARTING"),
    SessionStatus.QR_GENERATED: SessionFacts(group=SessionGroup.NEEDS_QR, waha="SCAN_QR_CODE"),
    SessionStatus.CONNECTING: SessionFacts(
        group=SessionGroup.LOADING, waha="STARTING", engine=frozenset({"opening", "pairing"}), loading=True
    ),
    SessionStatus.LOADING: SessionFacts(group=SessionGroup.LOADING, waha="STARTING", loading=True),
    SessionStatus.SESSION_CONNECTED: SessionFacts(
        group=SessionGroup.CONNECTED, waha="WORKING", engine=frozenset({"connected"})
    ),
    SessionStatus.SESSION_NOT_CONNECTED: SessionFacts(
        group=SessionGroup.DISCONNECTED,
        waha="STOPPED",
        engine=frozenset({"unlaunched", "unpaired", "unpaired_idle", "timeout", "conflict", "disconnected"}),
    ),
    SessionStatus.AUTH_FAILURE: SessionFacts(group=SessionGroup.ERROR, waha="FAILED"),
    SessionStatus.ERROR: SessionFacts(
        group=SessionGroup.ERROR,
        waha="FAILED",
        engine=frozenset({"tos_block", "smb_tos_block", "proxyblock", "deprecated_version"}),
    ),
}


class SessionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the account's session state, in the same commit as its event."""

    status: SessionStatus
    message: str = ""
    """The state in words: ``QR code generated, scan to connect``."""
    qr: str | None = None
    """The QR code's text; None clears it, as does any status except qr_generated."""
    percent: int | None = None
    """Progress of a loading screen."""
    unless: frozenset[SessionStatus] = frozenset()
    """States that this change must not replace (a late loading_screen after ready)."""
