"""The part of a message's id that stays: engines write the rest in several ways.

WhatsApp's own id is the middle of ``<fromMe>_<chat>_<id>[_<participant>]``. Of one message of ours the send's answer,
its echo and its acks may differ in all the rest: the chat is a number or a LID, a group's participant is there or not.
"""

from __future__ import annotations

UNIQUE = 16
"""Characters from which on an id counts as WhatsApp's or a provider's own, made at random: unique over all chats."""


def bare_id(text: str) -> str:
    """``3EB0…`` of ``true_123@c.us_3EB0…_456@c.us``; an id of any other form is bare."""
    parts = text.split("_", 3)
    return parts[2] if len(parts) > 2 and parts[0] in {"true", "false"} and parts[2] else text


def is_unique(bare: str) -> bool:
    """Whether an id of our own message means that message in whatever chat; short ones may be counted in each chat."""
    return len(bare) >= UNIQUE
