"""A webhook of Twilio's: whether it is Twilio's, and its form as events.

Source: Twilio's pages "Webhooks security" (twilio-python, twilio/request_validator.py), "Twilio's request to your
incoming message webhook URL" and "Outbound message status in status callbacks".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, urlsplit

from wagate.errors import BadRequestError, UnauthorizedError
from wagate.events import NewEvent, acks, kinds
from wagate.events.acks import ack_extra
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import identifier, shortened
from wagate_twilio.errors import WINDOW, plain_reason
from wagate_twilio.inbound import message_events
from wagate_twilio.settings import settings_of

HEADER = "x-twilio-signature"
_PORTS = {"https": 443, "http": 80}
REFERENCE = "wagate_id"
"""The query parameter of our status callback's URL that carries our own id of a message."""

WORDS = {
    "accepted": acks.PENDING,
    "scheduled": acks.PENDING,
    "queued": acks.PENDING,
    "sending": acks.PENDING,
    "sent": acks.SENT,
    "delivered": acks.DELIVERED,
    "read": acks.READ,
    "undelivered": acks.FAILED,
    "failed": acks.FAILED,
    "canceled": acks.FAILED,
}
"""Twilio's MessageStatus → ours (source: Twilio's page on the Message resource, status values)."""


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """The signature fits the URL with or without its port: Twilio is not consistent about it.

    Raises:
        UnauthorizedError: no signature, or one that does not fit: a wrong token, or another URL than Twilio posts to.
    """
    shown = request.headers.get(HEADER, "").encode("utf-8", "replace")
    token = settings_of(account).auth_token
    if not shown or not token:
        raise UnauthorizedError("no X-Twilio-Signature")
    told = request.query.get("bodySHA256")
    pairs = request.form() if told is None else []
    fits = any(hmac.compare_digest(shown, signature(token, url, pairs).encode()) for url in _spellings(request.url))
    if told is not None:
        # A JSON body: its hash stands in the URL, and the URL alone is signed.
        fits &= hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), told.lower().encode())
    if not fits:
        raise UnauthorizedError(
            "X-Twilio-Signature does not match: check auth_token, and that server.public_url is what Twilio posts to"
        )


def signature(token: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Base64 of HMAC-SHA1 over the URL and each parameter, sorted by name, then by value, without repetitions."""
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode("utf-8", "replace"), hashlib.sha1)).decode()


def _spellings(url: str) -> list[str]:
    """The URL as it is, without a port, and with its scheme's own."""
    parts = urlsplit(url.partition("#")[0])
    try:
        port = parts.port
    except ValueError:
        return [url]
    bare = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    with_port = parts.netloc if port is not None else f"{bare}:{_PORTS.get(parts.scheme, 443)}"
    return list(dict.fromkeys([url, _with_netloc(parts, bare), _with_netloc(parts, with_port)]))


def _with_netloc(parts: SplitResult, netloc: str) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{netloc}{parts.path}{query}"


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


def status_event(form: dict[str, str], reference: str) -> NewEvent:
    """``message.ack``; a status word that is not known is kept as ``unknown``."""
    status = form.get("MessageStatus", "").lower()
    sid = identifier(form.get("MessageSid") or form.get("SmsSid"))
    chat, ours = chat_key(form.get("To", "")), chat_key(form.get("From", ""))
    word = WORDS.get(status)
    return NewEvent(
        kind=kinds.MESSAGE_ACK if word else kinds.UNKNOWN,
        provider_id=sid,
        variant=identifier(status),
        message_id=sid,
        reference=identifier(reference),
        chat=chat,
        sender=ours,
        recipient=chat,
        number=digits_of(ours),
        type="ack",
        from_me=True,
        extra=_extra(form, word) if word else {"status": status},
    )


def _extra(form: dict[str, str], word: str) -> dict[str, object]:
    code = form.get("ErrorCode", "")
    if word != acks.FAILED:
        return ack_extra(word)
    told = form.get("ErrorMessage") or form.get("ChannelStatusMessage") or ""
    status = form.get("MessageStatus", "").lower()
    reason = plain_reason(code, told) or f"Twilio says {status}"
    return ack_extra(word, code=identifier(code), reason=reason, window=code == WINDOW)
