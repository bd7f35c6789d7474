"""What happens on WhatsApp, written in Chatwoot: each event once, in order.

A file goes along with its message, or behind it when it comes late; else its message says what stands in its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec.structs import replace

from wagate.errors import NotFoundError, Postpone, UnavailableError
from wagate.events import Event, kinds
from wagate.hooks import Delivery, DeliveryView, Receipt, RequestView
from wagate_chatwoot.agents.texts import Texts
from wagate_chatwoot.api.client import Chatwoot, Message, typed_message
from wagate_chatwoot.api.errors import (
    AmbiguousError,
    ChatwootError,
    NotThereError,
    RefusedError,
    TooLargeError,
)
from wagate_chatwoot.api.posts import File, Post, as_given
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot import acks, echoes
from wagate_chatwoot.to_chatwoot.conversations import forget, last_of, settle
from wagate_chatwoot.to_chatwoot.markdown import escaped
from wagate_chatwoot.to_chatwoot.people import Who, who_of, with_all_keys
from wagate_chatwoot.to_chatwoot.render import Rendered, quoted_id, render, replying, with_words_of, without_file
from wagate_chatwoot.to_whatsapp.deletes import deleted_here

OLD: Final = 600.0
"""Seconds."""

SKEW: Final = 300.0
"""Seconds that Chatwoot's clock may be away from ours."""
MOST_PAGES: Final = 25
"""Of 20 messages; a conversation in which more was written since we first tried is looked through no further."""
FILE_PATIENCE: Final = 3.0
"""Seconds that one try waits for the file: it keeps one of the inbox' places busy."""
FILE_AGAIN: Final = 2.0
FILE_LONGEST: Final = 14.0
"""Seconds after which a message is written without its file: those behind it wait, 15 at most with what is left."""
FILE_SOON: Final = 0.5
"""Seconds that the last look takes at most."""
_FAILED: Final = "this file could not be fetched: "
NOTE: Final = (
    "Contact and conversation are looked up, or made, before. Each try builds it anew; a message that is already in"
    " Chatwoot is not posted again. A file that can't be fetched, or that Chatwoot refuses, is replaced by a line of"
    " text."
)


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
        posted = await _post(app, delivery, rendered, who, trusted=trusted)
    except NotThereError:
        # The conversation, or the contact, was deleted or merged: once more, from the beginning.
        await forget(app, event.account, event.chat)
        posted = await _post(app, delivery, rendered, who, trusted=trusted)
    await app.ledger.write(
        Entry(
            message=posted.message,
            conversation=posted.conversation,
            site=app.site,
            lacks_file=posted.lacks_file,
            direction="own" if event.from_me else "in",
            account=event.account,
            chat=event.chat,
            whatsapp=(rendered.post.source_id,),
        )
    )
    app.memory.sure(event.account, event.chat)
    return Receipt(http_status=200, response=f'{{"id":{posted.message},"conversation_id":{posted.conversation}}}')


class _Posted(msgspec.Struct, frozen=True, kw_only=True):
    message: int
    conversation: int
    lacks_file: bool


async def _is_there(app: App, event: Event, source_id: str, who: Who) -> bool:
    entry = await app.ledger.by_whatsapp(event.account, source_id, who.keys, anywhere=event.from_me)
    return entry is not None and app.is_at(entry.site)


async def _post(app: App, delivery: Delivery, rendered: Rendered, who: Who, *, trusted: bool) -> _Posted:
    """The message in Chatwoot. Before it posts what may be there it looks."""
    last = await last_of(app, who) if rendered.notice else None
    _, conversation, new = (None, last, False) if last is not None else await settle(app, who)
    if not trusted and not new:
        since = delivery.created_at.timestamp()
        found = await find_posted(app.chatwoot, conversation, rendered.post.source_id, since=since)
        if found is not None:
            lacks_file = rendered.file and not found.attachments
            return _Posted(message=found.id, conversation=conversation, lacks_file=lacks_file)
    event = delivery.event
    attached = await with_file(app, delivery, rendered)
    post = await _addressed(app, event, attached.post, who, conversation, now=app.context.clock.time())
    app.memory.begin(event.account, event.chat)
    try:
        message = await _send(app, delivery, conversation, post, attached.files)
    except ChatwootError as error:
        if not isinstance(error, AmbiguousError):
            app.memory.settled(event.account, event.chat)
        raise
    return _Posted(message=message.id, conversation=conversation, lacks_file=attached.lacks_file)


async def _addressed(app: App, event: Event, post: Post, who: Who, conversation: int, *, now: float) -> Post:
    """The post as the answer that it is, with the message's time if that is long ago."""
    whatsapp = quoted_id(event)
    quoted = await app.ledger.by_whatsapp(event.account, whatsapp, who.keys) if whatsapp else None
    if quoted is not None and not app.reaches(quoted.site):
        quoted = None
    if whatsapp and (quoted is None or quoted.conversation != conversation):
        post = with_words_of(post, event)
    return replying(dated(post, event, app.texts, now=now), quoted, whatsapp, conversation)


async def show_request(app: App, delivery: DeliveryView) -> RequestView | None:
    """`Handler.request` of what is written in Chatwoot; None: nothing is, or something else than a message."""
    event = delivery.event
    rendered = render(event, app.texts, own=app.inbox.own_messages) if event.kind in WRITTEN else None
    if rendered is None or not event.chat:
        return None
    who = await with_all_keys(app, who_of(event, app.texts))
    entry = await app.ledger.by_whatsapp(event.account, rendered.post.source_id, who.keys, anywhere=event.from_me)
    place = await app.ledger.place(event.account, event.chat) if entry is None else None
    if _is_told_otherwise(delivery, entry):
        return None
    conversation = entry.conversation if entry is not None else (place and place.conversation) or 0
    sent_at = (delivery.delivered_at or app.context.clock.now()).timestamp()
    post = await _addressed(app, event, rendered.post, who, conversation, now=sent_at)
    fields: dict[str, Any] = as_given(post)
    has_file = rendered.file and not (entry is not None and entry.lacks_file)
    if has_file:
        fields["attachments[]"] = event.media and (event.media.filename or event.media.mimetype)
    return RequestView(
        line=f"POST {app.chatwoot.url_of(conversation or '…')}",
        headers={
            "api_access_token": "••••",
            "Content-Type": "multipart/form-data" if has_file else "application/json",
        },
        body=msgspec.json.encode(fields).decode(),
        note=NOTE,
    )


def _is_told_otherwise(delivery: DeliveryView, entry: Entry | None) -> bool:
    """Whether there was nothing to post: an agent wrote it, deleted it, or got the file before."""
    if entry is not None and entry.direction == "out":
        return True
    return entry is None and delivery.status == "delivered" and delivery.http_status is None


async def _send(app: App, delivery: Delivery, conversation: int, post: Post, files: Sequence[File]) -> Message:
    """Post it; a file that is not taken is named in its place."""
    try:
        return await app.chatwoot.post(conversation, post, files)
    except (TooLargeError, RefusedError):
        if not files:
            raise
        return await app.chatwoot.post(conversation, without_file(post, too_large(app, delivery, files[0])))


async def _file_arrived(app: App, delivery: Delivery) -> Receipt | None:
    """The file of a message that was written without it: posted behind what came meanwhile, as an answer to it."""
    event = delivery.event
    who = await with_all_keys(app, who_of(event, app.texts))
    told = event.message_id or f"wagate:{event.extra['media_id']}"
    shown = await app.ledger.by_whatsapp(event.account, told, who.keys, anywhere=event.from_me)
    if shown is None or not shown.lacks_file:
        return None  # A later try brought it along.
    receipt = await write(app, delivery)
    await app.ledger.write(replace(shown, lacks_file=False))
    return receipt


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
    kinds.MEDIA_ARRIVED: _file_arrived,
    kinds.CALL_RECEIVED: write,
    kinds.CALL_ACCEPTED: write,
    kinds.CALL_REJECTED: write,
}
WRITTEN: Final = frozenset(HANDLES) - {kinds.MESSAGE_ACK}
"""Kinds that become a message."""
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
    until = delivery.created_at.timestamp() + FILE_LONGEST
    left = until - app.context.clock.time()
    try:
        return Attached(
            post=post, files=(await app.context.media.open(event, patience=min(FILE_PATIENCE, max(left, FILE_SOON))),)
        )
    except UnavailableError as error:
        left = until - app.context.clock.time()
        if left > 0:
            raise Postpone(
                f"the file is not fetched yet: {error.detail}", after=min(FILE_AGAIN, left), own=True
            ) from error
        line = _linked(app, delivery, app.texts("message.file_awaited", filename=_file_name(app, delivery)))
    except NotFoundError as error:
        reason = error.detail.removeprefix(_FAILED)
        line = _linked(
            app, delivery, app.texts("message.file_missing", filename=_file_name(app, delivery), reason=reason)
        )
    if await app.context.media.follow(event, handler=app.context.name, target=delivery.target):
        return Attached(post=without_file(post, line), lacks_file=True)
    try:
        # It came just now, unless it never can.
        return Attached(post=post, files=(await app.context.media.open(event, patience=FILE_SOON),))
    except (NotFoundError, UnavailableError):
        return Attached(post=without_file(post, line))


def too_large(app: App, delivery: Delivery, file: File) -> str:
    """What stands in place of a file that Chatwoot does not take."""
    size = f"{max(file.size / 1_000_000, 0.1):.1f} MB"
    return _linked(app, delivery, app.texts("message.file_too_large", filename=_file_name(app, delivery), size=size))


def _linked(app: App, delivery: Delivery, text: str) -> str:
    url = app.context.media.url(delivery.event)
    return f"{text}\n{url}" if url is not None and url.startswith("http") else text


def _file_name(app: App, delivery: Delivery) -> str:
    """What the file is called, else what its link calls it."""
    media, url = delivery.event.media, app.context.media.url(delivery.event)
    linked = unquote(urlsplit(url or "").path.rpartition("/")[2])
    return escaped((media and media.filename) or linked or delivery.event.type)
