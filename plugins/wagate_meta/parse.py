"""A webhook's body as events: every entry, change and item, each for itself.

Shapes: Meta's OpenAPI v23.0 (github.com/facebook/openapi) and https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from wagate.events import NewEvent, Raw, kinds
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.fields import fingerprint, identifier, instant, mapping, shortened
from wagate_meta.calls import call_event, call_status_event
from wagate_meta.change import Change
from wagate_meta.groups import group_event
from wagate_meta.messages import echo_event, message_event
from wagate_meta.statuses import status_event

Read = Callable[[dict[str, Any], Change], NewEvent | None]

_MENDED = ("\ufffd".encode(), b"1.7976931348623157e308")
"""What `wagate.parsing.jsonbody` puts in place of what no JSON text of ours can hold."""
_MOST_EXTRA = 65_536
"""Bytes of a change that an event not known here repeats in ``extra``; the rest is only in ``raw``."""


def parse(request: InboundRequest, account: ProviderAccount) -> list[NewEvent]:
    """The events of one POST, in order; one for each message, echo, status, call, group change and error.

    An item that can't be read is an ``unknown`` event with its own bytes, and so is a change without such items.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    _ = account
    document = request.json()
    entries = document.get("entry")
    if not isinstance(entries, list):
        return [_unknown(document, reason="no list of entries")]
    return [event for entry in entries for event in _entry(entry)]


def _entry(entry: object) -> Iterator[NewEvent]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(changes, list):
        yield _unknown(entry, reason="no list of changes")
        return
    for item in changes:
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(value, dict):
            yield _unknown(item, reason="no value")
            continue
        change = Change.read(item, value, waba=identifier(entry.get("id")), at=instant(entry.get("time")))
        yield from _change(change, item)


def _change(change: Change, item: dict[str, Any]) -> Iterator[NewEvent]:
    found = False
    for name, read in _ITEMS.items():
        items = change.value.get(name)
        for each in items if isinstance(items, list) else ():
            found = True
            yield _item(each, read, change)
    if not found:
        yield _other(change, item)


def _item(item: object, read: Read, change: Change) -> NewEvent:
    event = read(item, change) if isinstance(item, dict) else None
    if event is None:
        return msgspec.structs.replace(
            _unknown(item, reason="it can't be read"), number=change.number, recipient=change.ours
        )
    return msgspec.structs.replace(event, number=change.number, raw=_raw(item))


def _status(item: dict[str, Any], change: Change) -> NewEvent | None:
    about_call = item.get("type") == "call" or change.field == "calls"
    return call_status_event(item, change) if about_call else status_event(item, change)


def _error(item: dict[str, Any], change: Change) -> NewEvent:
    return NewEvent(
        kind=kinds.UNKNOWN, type="error", recipient=change.ours, extra={"field": change.field, "error": shortened(item)}
    )


def _other(change: Change, item: dict[str, Any]) -> NewEvent:
    """A change that is only kept: account_update, message_template_status_update, history and the like."""
    body = msgspec.json.encode(item)
    fits = len(body) <= _MOST_EXTRA
    # Redelivered with the time it had at first: then it is one. Without a time nothing tells two of them apart.
    dated = change.at is not None and bool(change.waba)
    return NewEvent(
        kind=kinds.UNKNOWN,
        provider_id=identifier(f"{change.waba}/{change.field}") if dated else "",
        variant=fingerprint(change.at.isoformat(), body.decode()) if change.at is not None else "",
        type=change.field or "unknown",
        timestamp=change.at,
        extra={"field": change.field, "waba": change.waba} | ({"value": shortened(change.value)} if fits else {}),
        raw=_raw(item),
        number=change.number,
    )


def _unknown(item: object, *, reason: str) -> NewEvent:
    return NewEvent(
        kind=kinds.UNKNOWN,
        type="unknown",
        extra={"reason": reason, "type": identifier(mapping(item).get("type"))},
        raw=_raw(item),
    )


def _raw(item: object) -> Raw | None:
    """The item's bytes; None, which is the whole body, when reading had to mend something in it."""
    body = msgspec.json.encode(item)
    return None if any(mark in body for mark in _MENDED) else Raw(body=body)


_ITEMS: dict[str, Read] = {
    "messages": message_event,
    "message_echoes": echo_event,
    "statuses": _status,
    "calls": call_event,
    "groups": group_event,
    "errors": _error,
}
"""Lists of a change's value, and what reads one of their items; None: it can't be read."""
