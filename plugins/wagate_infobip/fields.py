"""Infobip's JSON and Meta's differ in how keys are spelled: ``formattedName`` here, ``formatted_name`` there."""

from __future__ import annotations

import re
from typing import Any

from wagate.parsing.chats import chat_key
from wagate.parsing.fields import identifier, mapping

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_UNDERSCORE = re.compile(r"_([a-z])")
_ODD = {"namePrefix": "prefix", "nameSuffix": "suffix", "ctwaClickId": "ctwa_clid"}
_ODD_BACK = {ours: theirs for theirs, ours in _ODD.items()}


def snake(value: Any) -> Any:
    """The same JSON with its keys as Meta spells them."""
    if isinstance(value, dict):
        return {_ODD.get(key, _HUMP.sub(lambda hump: f"_{hump[1].lower()}", key)): snake(v) for key, v in value.items()}
    return [snake(item) for item in value] if isinstance(value, list) else value


def camel(value: Any) -> Any:
    """The same JSON with its keys as Infobip spells them."""
    if isinstance(value, dict):
        return {_ODD_BACK.get(k, _UNDERSCORE.sub(lambda part: part[1].upper(), k)): camel(v) for k, v in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; [] when it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def key_of(document: dict[str, Any], *fields: str) -> str:
    """The chat key of the first of these fields that has a number or id, else ''."""
    return next((key for field in fields if (key := chat_key(identifier(document.get(field))))), "")


def person_keys(item: dict[str, Any]) -> tuple[str, ...]:
    """All keys of the person that an item's ``contact`` is about: phone, business-scoped ids."""
    contact = mapping(item.get("contact"))
    keys = (key_of(contact, field) for field in ("phoneNumber", "userId", "parentUserId"))
    return tuple(dict.fromkeys(key for key in keys if key))
