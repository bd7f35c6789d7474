"""``session.status``: WAHA's session states as ours (waha, WAHASessionStatus)."""

from __future__ import annotations

from wagate.events import NewEvent, SessionChange, SessionStatus, kinds
from wagate.parsing.fields import first_text, shortened
from wagate_waha.envelope import Envelope

# WAHA's webhook has no QR text: the status alone says that one waits, at GET /api/<session>/auth/qr.
_CHANGES = {
    "STOPPED": SessionChange(status=SessionStatus.SESSION_NOT_CONNECTED, message="The session is stopped in WAHA"),
    "STARTING": SessionChange(status=SessionStatus.CONNECTING, message="Starting"),
    "SCAN_QR_CODE": SessionChange(status=SessionStatus.QR_GENERATED, message="QR code generated, scan to connect"),
    "PASSKEY_REQUIRED": SessionChange(status=SessionStatus.CONNECTING, message="WhatsApp asks for a passkey; see WAHA"),
    "PASSKEY_CONFIRMATION_REQUIRED": SessionChange(
        status=SessionStatus.CONNECTING, message="WhatsApp asks to confirm the passkey; see WAHA"
    ),
    "WORKING": SessionChange(status=SessionStatus.SESSION_CONNECTED, message="WhatsApp session connected successfully"),
    "FAILED": SessionChange(
        status=SessionStatus.ERROR, message="The session failed in WAHA; restart it there, and scan the QR code again"
    ),
}


def status_event(envelope: Envelope, account: str) -> NewEvent:
    """The event and the change of state. A status not known is kept, and changes nothing."""
    word = first_text(envelope.payload, "status")
    change = _CHANGES.get(word)
    extra = {
        "name": account,
        "event": envelope.event,
        "status": change.status if change else None,
        "state": shortened(word),
        "data": shortened(envelope.payload.get("data")),
    }
    if change:
        extra["message"] = change.message
    return NewEvent(kind=kinds.SESSION_STATUS, provider_id=envelope.id, type="status", extra=extra, session=change)
