"""The session state machine: what each event of a session engine makes of its status."""

from __future__ import annotations

from datetime import datetime, timedelta

from wagate.events import SESSION_STATUSES, SessionChange, sessions

QR_LIFETIME = timedelta(seconds=60)
"""A QR not scanned by then has lapsed; engines send a new one about every 20 s."""

# whatsapp-web.js, src/util/Constants.js: WAState; the small words are those of other engines.
_STATES = {
    "connected": sessions.SESSION_CONNECTED,
    "opening": sessions.CONNECTING,
    "pairing": sessions.CONNECTING,
    "unlaunched": sessions.SESSION_NOT_CONNECTED,
    "unpaired": sessions.SESSION_NOT_CONNECTED,
    "unpaired_idle": sessions.SESSION_NOT_CONNECTED,
    "timeout": sessions.SESSION_NOT_CONNECTED,
    "conflict": sessions.SESSION_NOT_CONNECTED,
    "disconnected": sessions.SESSION_NOT_CONNECTED,
    "tos_block": sessions.ERROR,
    "smb_tos_block": sessions.ERROR,
    "proxyblock": sessions.ERROR,
    "deprecated_version": sessions.ERROR,
}

_CONNECTED = frozenset({sessions.SESSION_CONNECTED})


def qr_generated(qr: str) -> SessionChange:
    """A QR waits to be scanned."""
    return SessionChange(status=sessions.QR_GENERATED, message="QR code generated, scan to connect", qr=qr)


def ready() -> SessionChange:
    """Connected, chats loaded."""
    return SessionChange(status=sessions.SESSION_CONNECTED, message="WhatsApp session connected successfully")


def authenticated() -> SessionChange:
    """The QR was scanned; ``ready`` follows. Arriving after it, it changes nothing."""
    return SessionChange(status=sessions.CONNECTING, message="Authenticated, connecting", unless=_CONNECTED)


def loading(percent: int, message: str = "") -> SessionChange:
    """Chats are loading, ``percent`` 0…100. Arriving after ``ready``, it changes nothing."""
    percent = max(0, min(100, percent))
    text = f"Loading: {percent}%{f' - {message}' if message else ''}"
    return SessionChange(status=sessions.LOADING, message=text, percent=percent, unless=_CONNECTED)


def disconnected(reason: str = "") -> SessionChange:
    """The phone or the engine ended it: LOGOUT, NAVIGATION, CONFLICT, UNPAIRED, or in words."""
    return SessionChange(status=sessions.SESSION_NOT_CONNECTED, message=_because("Disconnected", reason))


def auth_failed(reason: str = "") -> SessionChange:
    """The stored login no longer holds, or the scan was refused."""
    return SessionChange(status=sessions.AUTH_FAILURE, message=_because("Authentication failed", reason))


def state_changed(state: str) -> SessionChange | None:
    """A state of WhatsApp Web (any case), or a status word of ours; None when it is neither: then the status stays."""
    word = state.strip().lower()
    status = _STATES.get(word) or (word if word in SESSION_STATUSES else None)
    # A QR comes only with its text, by an event of its own.
    if status is None or status == sessions.QR_GENERATED:
        return None
    return ready() if status == sessions.SESSION_CONNECTED else SessionChange(status=status, message=f"State: {state}")


def qr_lapsed(status: str, since: datetime, now: datetime) -> SessionChange | None:
    """What becomes of a session whose QR stands since ``since``: nothing (None) until it has lapsed."""
    if status != sessions.QR_GENERATED or now - since < QR_LIFETIME:
        return None
    return SessionChange(status=sessions.SESSION_NOT_CONNECTED, message="QR expired")


def applies(change: SessionChange, status: str | None) -> bool:
    """Whether the change counts for a session in this status; None: it has none yet."""
    return status not in change.unless


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what
