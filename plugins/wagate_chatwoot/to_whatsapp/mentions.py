"""``@digits`` in an agent's message to a group: whom it mentions. The digits are a number's or a LID's."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from msgspec.structs import replace

from wagate.hooks import OutMessage
from wagate.parsing.chats import is_group
from wagate_chatwoot.inboxes import App

_MENTION: Final = re.compile(r"(?<![\w@])@(\d{7,15})\b", re.ASCII)
_LONGEST_NUMBER: Final = 13
"""Digits of the longest numbers that there are; LIDs have 14 or 15."""


async def with_mentions(app: App, part: OutMessage) -> OutMessage:
    """The part with those whom its text mentions, as the group knows them: a LID is never made into a number."""
    if not part.text or not is_group(part.chat):
        return part
    digits = dict.fromkeys(found[1] for found in _MENTION.finditer(part.text))
    return replace(part, mentions=tuple([await _key_of(app, each) for each in digits]))


async def _key_of(app: App, digits: str) -> str:
    number, lid = f"{digits}@c.us", f"{digits}@lid"
    client_id = app.client_id
    if client_id is not None:
        for key in (number, lid):
            person = await app.context.people.of(key, client_id=client_id)
            if person.known and key in person.keys:
                return key
    return number if may_be_number(digits) else lid


def may_be_number(digits: str) -> bool:
    """Whether somebody may have this number."""
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return False
    return len(digits) <= _LONGEST_NUMBER and phonenumbers.is_possible_number(parsed)
