"""The file of a message: it goes along, or behind its message when it comes late, and what stands in its place."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from wagate.errors import NotFoundError, Postpone, UnavailableError
from wagate.hooks import Delivery
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.markdown import escaped
from wagate_chatwoot.to_chatwoot.posts import File, Post
from wagate_chatwoot.to_chatwoot.render import Rendered, without_file

PATIENCE: Final = 3.0
"""Seconds that one try waits for the file: it keeps one of the inbox' places busy."""
AGAIN: Final = 2.0
LONGEST: Final = 14.0
"""Seconds after which a message is written without its file: those behind it wait, 15 at most with what is left."""
SOON: Final = 0.5
"""Seconds that the last look takes at most."""
_FAILED: Final = "this file could not be fetched: "


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be posted."""

    post: Post
    files: tuple[File, ...] = ()
    lacks_file: bool = False
    """Whether the file may still come: then this inbox is told."""


async def with_file(app: App, delivery: Delivery, rendered: Rendered) -> Attached:
    """The post with its file, or with a line that says why there is none.

    Raises:
        Postpone: the file is not there yet.
    """
    post, event = rendered.post, delivery.event
    if not rendered.file:
        return Attached(post=post)
    until = delivery.created_at.timestamp() + LONGEST
    left = until - app.context.clock.time()
    try:
        return Attached(
            post=post, files=(await app.context.media.open(event, patience=min(PATIENCE, max(left, SOON))),)
        )
    except UnavailableError as error:
        left = until - app.context.clock.time()
        if left > 0:
            raise Postpone(f"the file is not fetched yet: {error.detail}", after=min(AGAIN, left)) from error
        line = _linked(app, delivery, app.texts("message.file_awaited", filename=_name(app, delivery)))
    except NotFoundError as error:
        reason = error.detail.removeprefix(_FAILED)
        line = _linked(app, delivery, app.texts("message.file_missing", filename=_name(app, delivery), reason=reason))
    if await app.context.media.follow(event, handler=app.context.name, target=delivery.target):
        return Attached(post=without_file(post, line), lacks_file=True)
    try:
        # It came just now, unless it never can.
        return Attached(post=post, files=(await app.context.media.open(event, patience=SOON),))
    except (NotFoundError, UnavailableError):
        return Attached(post=without_file(post, line))


def too_large(app: App, delivery: Delivery, file: File) -> str:
    """What stands in place of a file that Chatwoot does not take."""
    size = f"{max(file.size / 1_000_000, 0.1):.1f} MB"
    return _linked(app, delivery, app.texts("message.file_too_large", filename=_name(app, delivery), size=size))


def _linked(app: App, delivery: Delivery, text: str) -> str:
    url = app.context.media.url(delivery.event)
    return f"{text}\n{url}" if url is not None and url.startswith("http") else text


def _name(app: App, delivery: Delivery) -> str:
    """What the file is called, else what its link calls it."""
    media, url = delivery.event.media, app.context.media.url(delivery.event)
    linked = unquote(urlsplit(url or "").path.rpartition("/")[2])
    return escaped((media and media.filename) or linked or delivery.event.type)
