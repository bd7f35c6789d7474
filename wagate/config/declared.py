"""Secrets that a settings type declares: what their key is called says nothing, as in ``apprise = "tgram://…"``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

_MARK: Final = "wagate_secret"
SecretText = Annotated[str, msgspec.Meta(extra={_MARK: True})]
"""Text in a plugin's settings that nobody may read: it is one line, without blanks around it, and never in a log."""


def is_secret(kind: Any) -> bool:
    """Whether the type, or a member of the union, is declared as `SecretText`."""
    if get_origin(kind) is Annotated:
        metas = [each for each in kind.__metadata__ if isinstance(each, msgspec.Meta)]
        return any(_MARK in (each.extra or {}) for each in metas) or is_secret(get_args(kind)[0])
    return get_origin(kind) in {Union, UnionType} and any(map(is_secret, get_args(kind)))


def declared_secrets(kind: Any, value: Any) -> Iterator[str]:
    """All of them in settings of this type, which may be converted already, at any depth."""
    if isinstance(value, str):
        if value and is_secret(kind):
            yield str(value)
        return
    if get_origin(kind) is Annotated:
        yield from declared_secrets(get_args(kind)[0], value)
    elif get_origin(kind) in {Union, UnionType}:
        for member in get_args(kind):
            yield from declared_secrets(member, value)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            raw = isinstance(value, Mapping)
            item = value.get(field.encode_name) if raw else getattr(value, field.name, None)
            yield from declared_secrets(field.type, item)
    elif isinstance(value, Mapping) and get_origin(kind) is dict:
        for item in value.values():
            yield from declared_secrets(get_args(kind)[1], item)
    elif isinstance(value, list | tuple) and get_args(kind):
        for item in value:
            yield from declared_secrets(get_args(kind)[0], item)
