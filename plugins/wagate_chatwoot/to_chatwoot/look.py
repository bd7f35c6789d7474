"""Look for a message of ours before it is posted a second time."""

from __future__ import annotations

from typing import Final

from wagate_chatwoot.api.client import ChatWoot, Message, typed_message

SKEW: Final = 300.0
"""Seconds that ChatWoot's clock may be away from ours."""
MOST_PAGES: Final = 25
"""Of 20 messages; a conversation in which more was written since we first tried is looked through no further."""


async def find_posted(chatwoot: ChatWoot, conversation: int, source_id: str, *, since: float) -> Message | None:
    """The newest message with this source_id; None: it was not posted.

    ``since`` (Unix seconds): it can't be older than that. ChatWootError.
    """
    before: int | None = None
    for _ in range(MOST_PAGES):
        rows = await chatwoot.messages(conversation, before=before)
        page = sorted((each for row in rows if (each := typed_message(row)) is not None), key=lambda each: -each.id)
        for message in page:
            if message.source_id == source_id:
                return message
        if not page or page[-1].id == before or _older(page[-1], since - SKEW):
            return None
        before = page[-1].id
    return None


def _older(message: Message, moment: float) -> bool:
    return isinstance(message.created_at, int | float) and message.created_at < moment
