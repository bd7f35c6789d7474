"""The envelope of one session webhook, and how its data is read."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.events import NewEvent
from wagate.inbound.session.messages import message_event
from wagate.parsing.fields import mapping, wrong

_MESSAGE_FIELDS = frozenset({"id", "_data", "body", "from", "to", "type", "timestamp", "fromMe", "chatId", "hasMedia"})


class SessionHook(msgspec.Struct, frozen=True, kw_only=True):
    """One envelope, opened."""

    event: str
    """Its name, as sent."""
    data: Any
    """What came with it; None for events that carry nothing."""
    place: str
    """Where the data stands in the body, for errors: ``data``, ``payload``, '' for the body itself."""
    account: str
    """The session's name."""
    phone: str
    """Digits of the session's number, '' when not known."""

    def at(self, field: str) -> str:
        """The field's full name, for errors."""
        return f"{self.place}.{field}" if self.place else field

    def object(self) -> dict[str, Any]:
        """The data, which must be an object or absent.

        Raises:
            BadRequestError: it is something else.
        """
        if self.data is None:
            return {}
        if not isinstance(self.data, dict):
            raise wrong(self.place or "data", "must be an object")
        return self.data

    def text(self, field: str, *, needed: bool = False) -> str:
        """A text of the data; '' when it is absent.

        Raises:
            BadRequestError: it is no text, or it is needed and missing or empty.
        """
        value = self.object().get(field)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or (needed and not value):
            raise wrong(self.at(field), "must be a string" if value else "is required: a string")
        return value

    def part(self, field: str, flat: frozenset[str]) -> dict[str, Any]:
        """The object under ``field``, or the data itself when it has one of the ``flat`` fields.

        Raises:
            BadRequestError: neither.
        """
        data = self.object()
        value = data.get(field)
        if isinstance(value, dict):
            return value
        if value is None and not flat.isdisjoint(data):
            return data
        raise wrong(self.at(field), "must be an object" if value is not None else "is required: an object")

    def message(self) -> dict[str, Any]:
        """The message object: ``data.message``, ``data.msg``, or the data itself.

        Raises:
            BadRequestError: there is none.
        """
        data = self.object()
        short = data.get("msg")
        return short if "message" not in data and isinstance(short, dict) else self.part("message", _MESSAGE_FIELDS)


def find_message(hook: SessionHook) -> NewEvent | None:
    """The message that an event not known here is about, if its data has one."""
    data = mapping(hook.data)
    found = mapping(data.get("message")) or mapping(data.get("msg"))
    return message_event(found, phone=hook.phone) if found else None
