"""Session webhooks, ``POST /api/whatsapp/webhook/{sessionId}``: each is one event (spec/004), and may change a status.

Envelopes: ``{event, data}`` (spec/004), ``{dataType, data, sessionId}`` (avoylenko/wwebjs-api, src/utils.js), and their
variants seen in the wild with ``type`` for the name, ``payload`` for the data, ``msg`` for the message, or nothing
around the message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wagate.events import SESSION_STATES, NewEvent, SessionChange, SessionStatus, kinds
from wagate.events.event import MOVED_TO
from wagate.inbound.session.activity import (
    acked,
    call,
    edited,
    group_changed,
    has_notification,
    message,
    reaction,
    revoked,
    vote,
)
from wagate.inbound.session.envelope import SessionHook, find_message
from wagate.inbound.session.messages import wid
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, shortened, whole, wrong

_ENVELOPE = frozenset({"data", "payload", "session", "sessionId", "instanceId", "instanceid"})
_BY_WORD = {word: status for status, facts in SESSION_STATES.items() for word in (status.value, *facts.engine)}
_CONNECTED = frozenset({SessionStatus.SESSION_CONNECTED})


def parse_session(document: object, *, account: str, phone: str = "") -> list[NewEvent]:
    """Make the event of one session webhook; always exactly one, also for names not known (kind ``unknown``).

    ``account`` is the session's name; ``phone`` the digits of its number ('' when not known): where a flat message
    doesn't say who sent it, this tells ``message_create`` of our own messages from those that came in.

    Raises:
        BadRequestError: no event name, or its data is not what that event carries; ``errors`` names the field.
    """
    hook = _open(document, account, phone)
    parse = _PARSERS.get(hook.event)
    if parse is None:
        parse = group_changed if hook.event.startswith("group_") and has_notification(hook) else _unknown
    return [parse(hook)]


def _open(document: object, account: str, phone: str) -> SessionHook:
    if not isinstance(document, dict):
        raise wrong("", "must be a JSON object")
    if _is_bare_message(document):
        message = {name: value for name, value in document.items() if name not in _ENVELOPE}
        return SessionHook(event="message", data=message, place="", account=account, phone=phone)
    field = next((name for name in ("event", "dataType", "type") if document.get(name) is not None), "event")
    event = document.get(field)
    if not isinstance(event, str) or not event.strip():
        raise wrong(field, "is required: the event's name, like message or qr")
    place = next((name for name in ("data", "payload") if document.get(name) is not None), "data")
    data = document.get(place)
    if data is None:
        # Some engines leave the envelope out and put what belongs into data beside the name.
        beside = {name: value for name, value in document.items() if name not in {field, *_ENVELOPE}}
        data, place = (beside, "") if beside else (None, place)
    return SessionHook(event=event.strip(), data=data, place=place, account=account, phone=phone)


def _is_bare_message(document: dict[str, Any]) -> bool:
    """Whether it is a whatsapp-web.js message with nothing around it: ``type`` is then the message's own."""
    if any(document.get(name) is not None for name in ("event", "dataType", "data", "payload")):
        return False
    kind = document.get("type")
    named = isinstance(kind, str) and kind.strip() in _PARSERS
    return not named and "id" in document and "from" in document and ("body" in document or "hasMedia" in document)


def _status_event(hook: SessionHook, change: SessionChange | None, **details: object) -> NewEvent:
    status = change.status if change else None
    extra = {"name": hook.account, "event": hook.event, "status": status, **details}
    if change and change.message:
        extra["message"] = change.message
    return NewEvent(kind=kinds.SESSION_STATUS, type="status", extra=extra, session=change)


def _qr(hook: SessionHook) -> NewEvent:
    qr = hook.text("qr", needed=True)
    return _status_event(hook, qr_generated(qr), qr=qr)


def _ready(hook: SessionHook) -> NewEvent:
    hook.object()
    return _status_event(hook, ready())


def _authenticated(hook: SessionHook) -> NewEvent:
    hook.object()
    return _status_event(hook, authenticated())


def _disconnected(hook: SessionHook) -> NewEvent:
    reason = hook.text("reason")
    return _status_event(hook, disconnected(reason), reason=reason)


def _auth_failure(hook: SessionHook) -> NewEvent:
    reason = hook.text("msg") or hook.text("message")
    return _status_event(hook, auth_failed(reason), reason=reason)


def _change_state(hook: SessionHook) -> NewEvent:
    state = hook.text("state", needed=True)
    return _status_event(hook, state_changed(state), state=state)


def _loading_screen(hook: SessionHook) -> NewEvent:
    given = hook.object().get("percent")
    # Old releases of whatsapp-web.js send the percentage as text.
    percent = round(given) if isinstance(given, float) and abs(given) < 1e6 else whole(given)
    if percent is None:
        raise wrong(hook.at("percent"), "must be a number from 0 to 100")
    change = loading(percent, hook.text("message"))
    return _status_event(hook, change, percent=change.percent)


def _status(hook: SessionHook) -> NewEvent:
    """``status``: wwebjs-api's name for an authentication failure ``{msg}``; others send a state word ``{status}``."""
    data = hook.data if isinstance(hook.data, dict) else {}
    word = first_text(data, "status", "state")
    if word:
        return _status_event(hook, state_changed(word), state=word)
    return _auth_failure(hook) if first_text(data, "msg") else _unknown(hook)


def _vote(hook: SessionHook) -> NewEvent:
    data = hook.data if isinstance(hook.data, dict) else {}
    return vote(hook) if isinstance(data.get("vote", data.get("parentMessage")), dict) else _unknown(hook)


def _unknown(hook: SessionHook) -> NewEvent:
    """Kept with its data, in its chat if it has one. Never a duplicate: only its sender knows what its id means."""
    extra = {"event": shortened(hook.event), "data": shortened(hook.data)}
    about = find_message(hook)
    if about is None:
        return NewEvent(kind=kinds.UNKNOWN, type="unknown", extra=extra)
    return msgspec.structs.replace(
        about, kind=kinds.UNKNOWN, type="unknown", provider_id="", dedupe_kind="", content="", media=None, extra=extra
    )


def _contact_changed(hook: SessionHook) -> NewEvent:
    """``contact_changed``: somebody has another number from now on."""
    data = hook.object()
    old, new = chat_key(wid(data.get("oldId"))), chat_key(wid(data.get("newId")))
    if not old or not new:
        return _unknown(hook)
    return NewEvent(
        kind=kinds.UNKNOWN,
        type="unknown",
        chat=old,
        sender=old,
        aliases=(new,),
        extra={"event": hook.event, "data": shortened(hook.data), MOVED_TO: new},
    )


_PARSERS: dict[str, Callable[[SessionHook], NewEvent]] = {
    "qr": _qr,
    "ready": _ready,
    "authenticated": _authenticated,
    "disconnected": _disconnected,
    "auth_failure": _auth_failure,
    "change_state": _change_state,
    "loading_screen": _loading_screen,
    "status": _status,
    "message": message,
    "message_create": message,
    "message_ack": acked,
    "message_reaction": reaction,
    "vote_update": _vote,
    "message_edit": edited,
    "message_revoke_everyone": revoked,
    "message_revoke_me": revoked,
    # Whichever comes first is the message; its file belongs to it by whichever it comes.
    "media": message,
    "media_uploaded": message,
    "contact_changed": _contact_changed,
    "call": call,
    "incoming_call": call,
}


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
