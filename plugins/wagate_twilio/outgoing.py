"""A message of ours → the form that Twilio takes. Pure.

Source: Twilio's page on the Message resource; its OpenAPI document twilio_api_v2010.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from wagate.errors import SendRefusedError
from wagate.hooks import MEDIA_TYPES, Outgoing, OutLocation, ProviderAccount
from wagate.parsing.chats import OPAQUE, USER, digits_of
from wagate.parsing.fields import first_text, mapping
from wagate_twilio.settings import sender_of, settings_of
from wagate_twilio.webhook import REFERENCE

LONGEST = 1600
"""Characters of a body (error 21617)."""
LARGEST = 16 * 1024 * 1024
"""Bytes of a file (Twilio's page on WhatsApp media)."""
_NO_CAPTION = frozenset({"audio", "voice", "sticker"})
Form = dict[str, str]


def prepare(outgoing: Outgoing) -> Form:
    """The form that sends this message.

    Raises:
        SendRefusedError: Twilio can't send such a message, or not without ``server.public_url``.
        AccountStoppedError: nothing says what to send from.
    """
    account = outgoing.account
    form = {"To": recipient(outgoing.message.chat), **sender_of(account), **_content(outgoing)}
    if callback := status_callback(account, outgoing.id):
        form["StatusCallback"] = callback
    return form


def recipient(chat: str) -> str:
    """``whatsapp:+<digits>``, or a business-scoped id. SendRefusedError for groups and the like."""
    domain = chat.rpartition("@")[2]
    if domain not in {USER, OPAQUE}:
        raise SendRefusedError("Twilio sends to single people only: a number, or a business-scoped user id")
    return f"whatsapp:{'+' if domain == USER else ''}{digits_of(chat)}"


def status_callback(account: ProviderAccount, message_id: str) -> str:
    """Where Twilio tells how far the message got: our webhook, with our own id. '' when that is off."""
    if not account.webhook_url or not settings_of(account).status_callbacks:
        return ""
    return f"{account.webhook_url}?{REFERENCE}={quote(message_id, safe='')}"


def _content(outgoing: Outgoing) -> Form:
    message = outgoing.message
    if len(message.text) > LONGEST:
        raise SendRefusedError(f"the text has {len(message.text)} characters, Twilio takes {LONGEST}", code="21617")
    if message.type == "text":
        return {"Body": message.text}
    if message.type in MEDIA_TYPES:
        return _media(outgoing)
    if message.type == "location" and message.location is not None:
        return _location(message.location)
    if message.type == "template" and message.template is not None:
        return _template(message.template)
    raise SendRefusedError(f"Twilio can't send a message of type {message.type}, or its content is missing")


def _media(outgoing: Outgoing) -> Form:
    message, file = outgoing.message, outgoing.file
    url = (file.url if file else "") or (message.media.url if message.media and not file else "")
    if not url:
        raise SendRefusedError(
            "Twilio fetches files by URL: set server.public_url so that it can reach ours, or send a public URL"
        )
    if file is not None and file.size is not None and file.size > LARGEST:
        raise SendRefusedError(f"the file has {file.size / 1024**2:.1f} MiB, Twilio takes 16")
    if message.text and message.type in _NO_CAPTION:
        raise SendRefusedError(f"WhatsApp shows no text under a message of type {message.type}; send it by itself")
    return {"MediaUrl": url} | ({"Body": message.text} if message.text else {})


def _location(place: OutLocation) -> Form:
    """``geo:latitude,longitude|label``; a body is required, and shown as the place's name."""
    where = f"{place.latitude},{place.longitude}"
    label = place.address or place.name
    action = f"geo:{where}" + (f"|{label}" if label else "")
    return {"Body": place.name or place.address or where, "PersistentAction": action}


def _template(template: dict[str, Any]) -> Form:
    """A content template by its SID; its variables as given, else the body's parameters as "1", "2" and so on."""
    sid = first_text(template, "content_sid", "ContentSid", "name")
    if not sid.startswith("HX"):
        raise SendRefusedError("Twilio's templates are named by their content SID: HX and 32 hexadecimal digits")
    variables = template.get("content_variables", template.get("ContentVariables"))
    if variables is None:
        variables = _variables(template.get("components"))
    if isinstance(variables, dict):
        variables = json.dumps(variables, ensure_ascii=False) if variables else ""
    return {"ContentSid": sid} | ({"ContentVariables": variables} if isinstance(variables, str) and variables else {})


def _variables(components: object) -> dict[str, str]:
    """Named parameters keep their names. Only a body's have an order that Twilio shares."""
    found: dict[str, str] = {}
    for component in components if isinstance(components, list) else ():
        parameters = mapping(component).get("parameters")
        if not isinstance(parameters, list) or not parameters:
            continue
        if first_text(mapping(component), "type").lower() != "body":
            raise SendRefusedError("Twilio numbers a template's variables its own way: give them as content_variables")
        for parameter in map(mapping, parameters):
            kind = first_text(parameter, "type")
            text = first_text(parameter, "text") or first_text(mapping(parameter.get(kind)), "fallback_value")
            found[first_text(parameter, "parameter_name") or str(len(found) + 1)] = text
    return found
