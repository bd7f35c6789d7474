"""What a change of the connection means, in plain words, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from wagate.events import SessionChange, SessionStatus
from wagate.parsing.fields import first_text, whole
from wagate_whatsapp.process import Json
from wagate_whatsapp.versions import UPDATE

CONNECTED = SessionChange(status=SessionStatus.SESSION_CONNECTED, message="WhatsApp session connected successfully")
CONNECTING = SessionChange(status=SessionStatus.CONNECTING, message="Connecting to WhatsApp")
LINKED = SessionChange(status=SessionStatus.CONNECTING, message="The number is linked; connecting")
ENGINE_ENDED = SessionChange(status=SessionStatus.CONNECTING, message="The engine ended and is being restarted")
NO_PROXY = SessionChange(
    status=SessionStatus.ERROR, message="A proxy can be set only in config.toml; remove settings.proxy"
)
STOPPED = SessionChange(status=SessionStatus.SESSION_NOT_CONNECTED, message="Stopped; start the session to continue")
NOBODY_SCANNED = SessionChange(
    status=SessionStatus.SESSION_NOT_CONNECTED,
    message="Nobody scanned a QR code for 10 minutes; start the session to get a new one",
)
MOST_SILENT = 2
"""Keep-alives in a row without an answer: they come every 20 to 30 s and wait for 10, so the last answer is 60 to 80 s
old."""
UNCONFIRMED: Final = "Unconfirmed"
"""Our own line: a message was written, and WhatsApp did not confirm it in time."""
OUTDATED: Final = "WhatsApp refuses this version of the engine (405)"
BLOCKED: Final = "WhatsApp blocks this number until"
REPLACED: Final = "Replaced: the same keys connected from elsewhere"
UNREADABLE: Final = "neonize."
"""In the library's last words when it gave up at an event that it can't encode: the name of its own type."""
SOON = 5.0
"""Seconds until the connection is made anew then: WhatsApp keeps what comes meanwhile."""
LONG = 3600.0
"""Seconds between two tries when somebody has to act first."""
LONGEST_BAN: Final = 10 * 365 * 86_400
"""Seconds: no calendar has what a broken server may name."""
LEVELS: Final = frozenset({"ERROR", "WARN", "WARNING"})
"""Of the library's log, worth telling."""
BUSY: Final = "WhatsApp can't take this number right now"
_BUSY: Final = re.compile(r"Got (5\d\d)/.* connect failure")
"""In the library's log: of these refusals it tells nothing else, and dials again by itself. Source: whatsmeow,
connectionevents.go."""
_NUMBER: Final = re.compile(r"\d{7,}")
_BANS = {
    "SEND_TO_TOO_MANY_PEOPLE": "it wrote to too many people who don't know it",
    "BLOCKED_BY_USERS": "too many people blocked it",
    "CREATED_TOO_MANY_GROUPS": "it made too many groups with people who don't know it",
    "SENT_TOO_MANY_SAME_MESSAGE": "it sent the same message too often",
    "BROADCAST_LIST": "it sent too many messages to broadcast lists",
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a line of the engine."""

    change: SessionChange
    connected: bool = False
    again: float | None = None
    """Seconds until we connect anew ourselves; None: the library does, or nobody."""
    silent: bool = False
    """What looks like a connection is none: it is made anew at once."""
    unlinked: bool = False
    """The keys are worth nothing any more."""
    halted: bool = False
    """Nothing more until somebody starts the session."""


def judge(line: Json, now: datetime) -> Verdict | None:
    """What a line says about the connection; None: nothing."""
    if line["event"] == "TemporaryBan":
        return _banned(line, now)
    read = _VERDICTS.get(line["event"])
    return None if read is None else read(line)


def _ended(line: Json) -> Verdict:
    if UNREADABLE in first_text(line, "error"):
        text = "The engine could not read something that WhatsApp sent; reconnecting"
        return Verdict(change=_connecting(text), again=SOON)
    return Verdict(change=unreachable(first_text(line, "error")), again=0.0)


def _replaced(_line: Json) -> Verdict:
    text = f"{REPLACED} (a copy of this gateway?); start the session"
    return Verdict(change=_failed(text), halted=True)


def _outdated(_line: Json) -> Verdict:
    text = f"{OUTDATED}; update it: {UPDATE}"
    return Verdict(change=_failed(text), again=LONG)


def _refused(line: Json) -> Verdict:
    reason = first_text(line, "Reason").lower().replace("_", " ") or "no reason given"
    return Verdict(change=_connecting(f"WhatsApp refused the connection: {reason}"), again=0.0)


def _stream_error(line: Json) -> Verdict:
    code = first_text(line, "Code") or "unknown"
    return Verdict(change=_connecting(f"WhatsApp ended the connection (stream error {code})"))


def _silent(line: Json) -> Verdict | None:
    if (whole(line.get("ErrorCount")) or 0) < MOST_SILENT:
        return None
    return Verdict(change=_connecting("WhatsApp no longer answers; reconnecting"), silent=True)


def _unconfirmed(_line: Json) -> Verdict:
    return Verdict(change=_connecting("WhatsApp did not confirm a message; reconnecting"), silent=True)


def _logged(line: Json) -> Verdict | None:
    found = _BUSY.match(first_text(line, "text"))
    return found and Verdict(change=_connecting(f"{BUSY} (error {found[1]}); trying again"))


def _logged_out(line: Json) -> Verdict:
    if first_text(line, "Reason") == "MAIN_DEVICE_GONE":
        text = "Logged out: the number is no longer registered on its phone, or WhatsApp banned it"
    else:
        text = "Logged out on the phone; start the session and scan the QR code again"
    change = SessionChange(status=SessionStatus.AUTH_FAILURE, message=text)
    return Verdict(change=change, unlinked=True, halted=True)


def _banned(line: Json, now: datetime) -> Verdict:
    seconds = min(whole(line.get("Expire")) or 0, LONGEST_BAN)
    until = (now + timedelta(seconds=seconds)).astimezone(UTC)
    why = _BANS.get(first_text(line, "Code"), "WhatsApp does not say why")
    text = f"{BLOCKED} {until:%Y-%m-%d %H:%M} UTC: {why}"
    return Verdict(change=_failed(text), again=max(float(seconds), LONG))


def masked(text: str) -> str:
    """A line of the library's without whole phone numbers."""
    return _NUMBER.sub(lambda found: f"{found[0][:4]}…", text)


def unreachable(error: str) -> SessionChange:
    """There is no way to WhatsApp; ``error`` is the library's."""
    return _connecting(f"WhatsApp can't be reached: {_short(error)}")


def refused(error: str) -> SessionChange:
    """The engine is not used; ``error`` says why, and the cure."""
    return _failed(f"The engine can't be used: {error}")


def _connecting(message: str) -> SessionChange:
    return SessionChange(status=SessionStatus.CONNECTING, message=message)


def _failed(message: str) -> SessionChange:
    return SessionChange(status=SessionStatus.ERROR, message=message)


def _short(error: str) -> str:
    """The last part of a Go error: the cause."""
    return error.rpartition(": ")[2][:200] or "no reason given"


_VERDICTS: dict[str, Callable[[Json], Verdict | None]] = {
    "Connected": lambda _line: Verdict(change=CONNECTED, connected=True),
    "Disconnected": lambda _line: Verdict(change=_connecting("The connection was lost; reconnecting")),
    "Ended": _ended,
    "Log": _logged,
    "LoggedOut": _logged_out,
    "StreamReplaced": _replaced,
    "ClientOutdated": _outdated,
    "ConnectFailure": _refused,
    "StreamError": _stream_error,
    "KeepAliveTimeout": _silent,
    UNCONFIRMED: _unconfirmed,
}
