"""A webhook's form → events.

Source: Twilio's pages "Twilio's request to your incoming message webhook URL" and "Outbound message status in status
callbacks".
"""

from __future__ import annotations

from collections.abc import Sequence

from wagate.errors import BadRequestError
from wagate.events import NewEvent, kinds
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import shortened
from wagate_twilio.inbound import message_events
from wagate_twilio.statuses import status_event

REFERENCE = "wagate_id"
"""The query parameter of our status callback's URL that carries our own id of a message."""


def parse(request: InboundRequest, account: ProviderAccount) -> Sequence[NewEvent]:
    """A message is as many events as it has files, at least one; a status callback is one.

    Raises:
        BadRequestError: the body is neither a form nor a JSON object.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return [_unknown(request.json())]
    form = dict(request.form())
    if not form:
        raise BadRequestError("the body must be a form, as Twilio posts it", field="")
    _ = account
    received = form.get("SmsStatus", "").lower() in {"received", "receiving"}
    if form.get("MessageStatus") and not received:
        return [status_event(form, request.query.get(REFERENCE, ""))]
    if received or "Body" in form or "NumMedia" in form:
        return message_events(form)
    return [_unknown(form)]


def _unknown(document: dict[str, str]) -> NewEvent:
    """What is neither a message nor a status is kept as it is."""
    return NewEvent(
        kind=kinds.UNKNOWN,
        type="unknown",
        chat=chat_key(str(document.get("From", ""))),
        number=digits_of(chat_key(str(document.get("To", "")))),
        extra={"event": str(document.get("EventType", "")), "data": shortened(document)},
    )
