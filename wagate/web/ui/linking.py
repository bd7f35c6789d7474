"""How far a number is on its way to its phone, in words, and the button that helps. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from wagate.events import SESSION_STATES, SessionGroup, SessionStatus
from wagate.storage.owners.accounts import QR_EXPIRED
from wagate.storage.rows import AccountRow

BLOCKED: Final = re.compile(r"WhatsApp blocks|\btos_?block", re.IGNORECASE)
"""In what an engine says of a number that WhatsApp lets do nothing."""
NEW_CODE: Final = "Show a new code"
AGAIN: Final = "Try again"


class Linking(msgspec.Struct, frozen=True, kw_only=True):
    """What the panel says."""

    heading: str
    text: str = ""
    raw: str = ""
    """The engine's own words, behind ours."""
    again: str = ""
    """The button's word; '': none is needed."""


def linking(row: AccountRow, *, code: bool, can: bool, acts: bool = True) -> Linking:
    """Of a number whose phone is linked.

    ``code``: there is one to scan; ``can``: its session can be started from here; ``acts``: the viewer may.
    """
    if code:
        return Linking(heading="Scan this code")
    match SESSION_STATES[row.status].group:
        case SessionGroup.CONNECTED:
            as_whom = f"Connected as +{row.phone}" if row.phone else "Connected"
            return Linking(heading=as_whom, text="" if row.last_in_at else "Write to it from another phone.")
        case SessionGroup.LOADING:
            return _loading(row)
        case SessionGroup.NEEDS_QR:
            text = "The next code appears here within a few seconds." if acts else "Your link does not show the code."
            return Linking(heading="Waits for a scan", text=text)
        case _:
            found = _lost(row)
    return found if can and acts else msgspec.structs.replace(found, text="", again="")


def is_blocked(row: AccountRow) -> bool:
    """Whether WhatsApp lets the number do nothing, as its engine says."""
    return row.status is SessionStatus.ERROR and BLOCKED.search(row.message) is not None


def _lost(row: AccountRow) -> Linking:
    """Not connected, and nothing is under way."""
    if row.status is SessionStatus.AUTH_FAILURE:
        text = "To link it again, press the button. The code to scan appears here."
        return Linking(heading="Logged out", text=text, raw=row.message, again=NEW_CODE)
    if is_blocked(row):
        text = "Only WhatsApp can lift this. The number then goes on by itself; write to fewer strangers."
        return Linking(heading="Blocked by WhatsApp", text=text, raw=row.message, again=AGAIN)
    if row.status is SessionStatus.ERROR:
        return Linking(heading="It failed", raw=row.message, again=AGAIN)
    if row.ever_connected:
        text = "If the phone has unlinked this device, the button shows a new code here."
        return Linking(heading="Not connected", text=text, raw=row.message, again=AGAIN)
    raw = "Nobody scanned the code while it was valid" if row.message == QR_EXPIRED else row.message
    return Linking(heading="Not linked", raw=raw, again=NEW_CODE)


def _loading(row: AccountRow) -> Linking:
    seen = bool(row.phone) or row.ever_connected
    if row.percent is not None:
        return Linking(heading=f"Phone seen. Loading chats, {row.percent} %")
    if row.status is SessionStatus.INITIALIZING or not seen:
        return Linking(heading="Starting", text="" if seen else "The first code takes some seconds.", raw=row.message)
    return Linking(heading="Connecting" if row.ever_connected else "Phone seen. Connecting", raw=row.message)
