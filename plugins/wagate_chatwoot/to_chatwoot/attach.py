"""The file of an event, to go with its post; or a line that says why it can't."""

from __future__ import annotations

from typing import Final

from wagate.errors import NotFoundError, Postpone, UnavailableError
from wagate.hooks import Delivery
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.markdown import escaped
from wagate_chatwoot.to_chatwoot.posts import File, Post
from wagate_chatwoot.to_chatwoot.render import Rendered, without_file

PATIENCE: Final = 3.0
"""Seconds that one try waits for the provider's file: it keeps one of the inbox' places busy."""
AGAIN: Final = 2.0
LONGEST: Final = 120.0
"""Seconds after which a message is written without its file: those behind it wait."""
_GONE: Final = "404"


async def with_file(app: App, delivery: Delivery, rendered: Rendered) -> tuple[Post, list[File]]:
    """The post and its files.

    Raises:
        Postpone: the file is not there yet.
    """
    if not rendered.file:
        return rendered.post, []
    try:
        return rendered.post, [await app.context.media.open(delivery.event, patience=PATIENCE)]
    except NotFoundError:
        return without_file(rendered.post, missing(app, delivery, _GONE)), []
    except UnavailableError as error:
        age = app.context.clock.time() - delivery.created_at.timestamp()
        if age < LONGEST:
            raise Postpone(f"the file is not fetched yet: {error.detail}", after=AGAIN) from error
        return without_file(rendered.post, missing(app, delivery, error.detail)), []


def missing(app: App, delivery: Delivery, reason: str) -> str:
    """What stands in place of a file that could not be fetched."""
    text = app.texts("message.file_missing", filename=_name(delivery), reason=reason)
    return _linked(app, delivery, text)


def too_large(app: App, delivery: Delivery, file: File) -> str:
    """What stands in place of a file that ChatWoot does not take."""
    size = f"{max(file.size / 1_000_000, 0.1):.1f} MB"
    return _linked(app, delivery, app.texts("message.file_too_large", filename=_name(delivery), size=size))


def _linked(app: App, delivery: Delivery, text: str) -> str:
    url = app.context.media.url(delivery.event)
    return f"{text}\n{url}" if url is not None and url.startswith("http") else text


def _name(delivery: Delivery) -> str:
    media = delivery.event.media
    return escaped(media.filename or "") if media is not None else ""
