"""What happens on WhatsApp, written in Chatwoot: each event once, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from wagate.errors import NotFoundError, Postpone, UnavailableError
from wagate.events import Event, kinds
from wagate.hooks import Delivery, Receipt
from wagate_chatwoot.agents.texts import Texts
from wagate_chatwoot.api.client import Chatwoot, Message, typed_message
from wagate_chatwoot.api.errors import (
    AmbiguousError,
    ChatwootError,
    NotThereError,
    RefusedError,
    TooLargeError,
)
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot import acks, echoes
from wagate_chatwoot.to_chatwoot.conversations import forget, last_of, settle
from wagate_chatwoot.to_chatwoot.markdown import escaped
from wagate_chatwoot.to_chatwoot.people import Who, who_of, with_all_keys
from wagate_chatwoot.to_chatwoot.posts import File, Post
from wagate_chatwoot.to_chatwoot.render import Rendered, quoted_id, render, replying, without_file
from wagate_chatwoot.to_whatsapp.deletes import deleted_here

OLD: Final = 600.0
"""Seconds."""

SKEW: Final = 300.0
"""Seconds that Chatwoot's clock may be away from ours."""
MOST_PAGES: Final = 25
"""Of 20 messages; a conversation in which more was written since we first tried is looked through no further."""

PATIENCE: Final = 3.0
"""Seconds that one try waits for the provider's file: it keeps one of the inbox' places busy."""
AGAIN: Final = 2.0
LONGEST: Final = 120.0
"""Seconds after which a message is written without its file: those behind it wait."""
_GONE: Final = "404"


async def write(app: App, delivery: Delivery) -> Receipt | None:
    """Post what an event says, unless it is in Chatwoot already."""
    event = delivery.event
    rendered = render(event, app.texts, own=app.inbox.own_messages)
    if rendered is None or not event.chat:
        return None
    trusted = app.memory.trusts(event.account, event.chat, attempt=delivery.attempt, created=delivery.created_at)
    who = await with_all_keys(app, who_of(event, app.texts))
    if not trusted and await _is_there(app, event, rendered.post.source_id, who):
        app.memory.sure(event.account, event.chat)
        return None
    try:
        message, conversation = await _post(app, delivery, rendered, who, trusted=trusted)
    except NotThereError:
        # The conversation, or the contact, was deleted or merged: once more, from the beginning.
        await forget(app, event.account, event.chat)
        message, conversation = await _post(app, delivery, rendered, who, trusted=trusted)
    await app.ledger.write(
        Entry(
            message=message.id,
            conversation=conversation,
            direction="own" if event.from_me else "in",
            account=event.account,
            chat=event.chat,
            whatsapp=(rendered.post.source_id,),
        )
    )
    app.memory.sure(event.account, event.chat)
    return Receipt(http_status=200, response=f'{{"id":{message.id},"conversation_id":{conversation}}}')


async def _is_there(app: App, event: Event, source_id: str, who: Who) -> bool:
    return await app.ledger.by_whatsapp(event.account, source_id, who.keys, anywhere=event.from_me) is not None


async def _post(app: App, delivery: Delivery, rendered: Rendered, who: Who, *, trusted: bool) -> tuple[Message, int]:
    """The message in Chatwoot, and its conversation. Before it posts what may be there it looks."""
    last = await last_of(app, who) if rendered.notice else None
    _, conversation, new = (None, last, False) if last is not None else await settle(app, who)
    if not trusted and not new:
        since = delivery.created_at.timestamp()
        found = await find_posted(app.chatwoot, conversation, rendered.post.source_id, since=since)
        if found is not None:
            return found, conversation
    event = delivery.event
    whatsapp = quoted_id(event)
    quoted = await app.ledger.by_whatsapp(event.account, whatsapp, who.keys) if whatsapp else None
    post, files = await with_file(app, delivery, rendered)
    post = dated(post, event, app.texts, now=app.context.clock.time())
    post = replying(post, quoted, whatsapp, conversation)
    app.memory.begin(event.account, event.chat)
    try:
        return await _send(app, delivery, conversation, post, files), conversation
    except ChatwootError as error:
        if not isinstance(error, AmbiguousError):
            app.memory.settled(event.account, event.chat)
        raise


async def _send(app: App, delivery: Delivery, conversation: int, post: Post, files: Sequence[File]) -> Message:
    """Post it; a file that is not taken is named in its place."""
    try:
        return await app.chatwoot.post(conversation, post, files)
    except (TooLargeError, RefusedError):
        if not files:
            raise
        return await app.chatwoot.post(conversation, without_file(post, too_large(app, delivery, files[0])))


async def _message_of_ours(app: App, delivery: Delivery) -> Receipt | None:
    """What we sent: from Chatwoot (then its own message is told its id), by API, or on the phone."""
    if await echoes.note(app, delivery):
        return None
    return await write(app, delivery)


async def _revoked(app: App, delivery: Delivery) -> Receipt | None:
    """What was deleted on WhatsApp; that we did what an agent wanted is no news."""
    if await deleted_here(app, delivery.event):
        return None
    return await write(app, delivery)


HANDLES: Final[Mapping[str, Callable[[App, Delivery], Awaitable[Receipt | None]]]] = {
    kinds.MESSAGE: write,
    kinds.MESSAGE_ANY: _message_of_ours,
    kinds.MESSAGE_ACK: acks.handle,
    kinds.MESSAGE_REACTION: write,
    kinds.MESSAGE_EDITED: write,
    kinds.MESSAGE_REVOKED: _revoked,
    kinds.CALL_RECEIVED: write,
    kinds.CALL_ACCEPTED: write,
    kinds.CALL_REJECTED: write,
}
KINDS: Final = frozenset(HANDLES)
"""Events that are for Chatwoot."""


def dated(post: Post, event: Event, texts: Texts, *, now: float) -> Post:
    """The post with the message's time in front, when that is `OLD`. Pure."""
    old = now - event.timestamp.timestamp() > OLD and event.kind in {kinds.MESSAGE, kinds.MESSAGE_ANY}
    if not old:
        return post
    when = datetime.fromtimestamp(event.timestamp.timestamp(), UTC).strftime("%Y-%m-%d %H:%M UTC")
    return replace(post, content=texts("message.dated", when=when, text=post.content))


async def find_posted(chatwoot: Chatwoot, conversation: int, source_id: str, *, since: float) -> Message | None:
    """The newest message with this source_id; None: it was not posted.

    ``since`` (Unix seconds): it can't be older than that. ChatwootError.
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
    """What stands in place of a file that Chatwoot does not take."""
    size = f"{max(file.size / 1_000_000, 0.1):.1f} MB"
    return _linked(app, delivery, app.texts("message.file_too_large", filename=_name(delivery), size=size))


def _linked(app: App, delivery: Delivery, text: str) -> str:
    url = app.context.media.url(delivery.event)
    return f"{text}\n{url}" if url is not None and url.startswith("http") else text


def _name(delivery: Delivery) -> str:
    media = delivery.event.media
    return escaped(media.filename or "") if media is not None else ""
