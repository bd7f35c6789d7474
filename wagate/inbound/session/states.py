"""The session state machine: what each event of a session engine makes of its status."""

from __future__ import annotations

from wagate.events import SESSION_STATES, SessionChange, SessionStatus

_BY_WORD = {word: status for status, facts in SESSION_STATES.items() for word in (status.value, *facts.engine)}
_CONNECTED = frozenset({SessionStatus.SESSION_CONNECTED})


def qr_generated(qr: str) -> SessionChange:
    """A QR waits to be scanned."""
    return SessionChange(status=SessionStatus.QR_GENERATED, message="QR code generated, scan to connect", qr=qr)


def ready() -> SessionChange:
    """Connected, chats loaded."""
    return SessionChange(status=SessionStatus.SESSION_CONNECTED, message="WhatsApp session connected successfully")


def authenticated() -> SessionChange:
    """The QR was scanned; ``ready`` follows. Arriving after it, it changes nothing."""
    return SessionChange(status=SessionStatus.CONNECTING, message="Authenticated, connecting", unless=_CONNECTED)


def loading(percent: int, message: str = "") -> SessionChange:
    """Chats are loading, ``percent`` 0…100. Arriving after ``ready``, it changes nothing."""
    percent = max(0, min(100, percent))
    text = f"Loading: {percent}%{f' - {message}' if message else ''}"
    return SessionChange(status=SessionStatus.LOADING, message=text, percent=percent, unless=_CONNECTED)


def disconnected(reason: str = "") -> SessionChange:
    """The phone or the engine ended it: LOGOUT, NAVIGATION, CONFLICT, UNPAIRED, or in words."""
    return SessionChange(status=SessionStatus.SESSION_NOT_CONNECTED, message=_because("Disconnected", reason))


def auth_failed(reason: str = "") -> SessionChange:
    """The stored login no longer holds, or the scan was refused."""
    return SessionChange(status=SessionStatus.AUTH_FAILURE, message=_because("Authentication failed", reason))


def state_changed(state: str) -> SessionChange | None:
    """A state of WhatsApp Web (any case), or a status word of ours; None when it is neither: then the status stays."""
    status = _BY_WORD.get(state.strip().lower())
    # A QR comes only with its text, by an event of its own.
    if status is None or status == SessionStatus.QR_GENERATED:
        return None
    if status == SessionStatus.SESSION_CONNECTED:
        return ready()
    return SessionChange(status=status, message=f"State: {state}")


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what
