"""How values lie in the columns, the same for SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import peewee

REPLACEMENT = "\ufffd"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def clean(value: str) -> str:
    """Text that every database takes: NUL and lone surrogates become U+FFFD, split surrogate pairs are joined."""
    if "\0" in value:
        value = value.replace("\0", REPLACEMENT)
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def optional(value: str | None) -> str | None:
    """`clean`, or None."""
    return None if value is None else clean(value)


def time_text(value: datetime) -> str:
    """Aware time → ``2025-01-20T10:00:00.000000+00:00``: fixed width and UTC, so that text order is time order.

    PostgreSQL reads the same text as timestamptz.
    """
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(timespec="microseconds")


def as_time(value: Any) -> datetime | None:
    """A column's value (text of SQLite, aware datetime of PostgreSQL) → aware UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    moment: datetime = value.astimezone(UTC)
    return moment


def json_text(value: Any) -> str:
    """JSON types (and msgspec structs) → JSON text that every database takes, as `clean` does for text."""
    try:
        encoded = _encode(value)
    except UnicodeEncodeError:
        encoded = _encode(_cleaned(value))
    if b"\\u0000" in encoded:
        encoded = _encode(_cleaned(value))
    return encoded.decode()


def from_json(value: str | None) -> Any:
    """JSON text → Python; None stays None."""
    return None if value is None else _decode(value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(each) for each in value]
    if isinstance(value, msgspec.Struct):
        return _cleaned(msgspec.to_builtins(value, str_keys=True))
    return value


class TextColumn(peewee.TextField):
    """Text, cleaned."""

    def db_value(self, value: Any) -> str | None:
        """To the column."""
        return None if value is None else clean(str(value))


class TimeColumn(peewee.Field):
    """Aware UTC time."""

    field_type = "TIMESTAMPTZ"

    def db_value(self, value: datetime | None) -> str | None:
        """To the column."""
        return None if value is None else time_text(value)

    def python_value(self, value: Any) -> datetime | None:
        """From the column."""
        return as_time(value)


class JsonColumn(peewee.Field):
    """JSON as text, by msgspec."""

    field_type = "TEXT"

    def db_value(self, value: Any) -> str | None:
        """To the column."""
        return None if value is None and self.null else json_text(value)

    def python_value(self, value: Any) -> Any:
        """From the column."""
        return from_json(value)
