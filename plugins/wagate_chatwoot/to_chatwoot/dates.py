"""Old messages say how old they are: ChatWoot shows each at the time at which it was posted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from wagate.events import Event, kinds
from wagate_chatwoot.agents.texts import Texts
from wagate_chatwoot.to_chatwoot.posts import Post

OLD: Final = 600.0
"""Seconds."""


def dated(post: Post, event: Event, texts: Texts, *, now: float) -> Post:
    """The post with the message's time in front, when that is `OLD`. Pure."""
    old = now - event.timestamp.timestamp() > OLD and event.kind in {kinds.MESSAGE, kinds.MESSAGE_ANY}
    if not old:
        return post
    when = datetime.fromtimestamp(event.timestamp.timestamp(), UTC).strftime("%Y-%m-%d %H:%M UTC")
    return replace(post, content=texts("message.dated", when=when, text=post.content))
