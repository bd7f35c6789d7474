"""What happens on WhatsApp, written in ChatWoot: each event once, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from wagate.events import kinds
from wagate.hooks import Delivery, Receipt
from wagate_chatwoot.api.client import Message
from wagate_chatwoot.api.errors import (
    AmbiguousError,
    ChatWootError,
    NotThereError,
    RefusedError,
    TooLargeError,
)
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot import acks, echoes
from wagate_chatwoot.to_chatwoot.attach import too_large, with_file
from wagate_chatwoot.to_chatwoot.conversations import forget, settle
from wagate_chatwoot.to_chatwoot.dates import dated
from wagate_chatwoot.to_chatwoot.look import find_posted
from wagate_chatwoot.to_chatwoot.people import Who, who_of
from wagate_chatwoot.to_chatwoot.posts import File, Post
from wagate_chatwoot.to_chatwoot.render import Rendered, quoted_id, render, replying, without_file
from wagate_chatwoot.to_whatsapp.deletes import deleted_here


async def write(app: App, delivery: Delivery) -> Receipt | None:
    """Post what an event says, unless it is in ChatWoot already."""
    event = delivery.event
    rendered = render(event, app.texts, own=app.inbox.own_messages)
    if rendered is None or not event.chat:
        return None
    trusted = app.memory.trusts(event.account, event.chat, attempt=delivery.attempt, created=delivery.created_at)
    if not trusted and await app.ledger.by_whatsapp(event.account, rendered.post.source_id) is not None:
        app.memory.sure(event.account, event.chat)
        return None
    who = who_of(event, app.texts)
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


async def _post(app: App, delivery: Delivery, rendered: Rendered, who: Who, *, trusted: bool) -> tuple[Message, int]:
    """The message in ChatWoot, and its conversation. Before it posts what may be there it looks."""
    _, conversation, new = await settle(app, who)
    if not trusted and not new:
        since = delivery.created_at.timestamp()
        found = await find_posted(app.chatwoot, conversation, rendered.post.source_id, since=since)
        if found is not None:
            return found, conversation
    event = delivery.event
    whatsapp = quoted_id(event)
    quoted = await app.ledger.by_whatsapp(event.account, whatsapp) if whatsapp else None
    post, files = await with_file(app, delivery, rendered)
    post = dated(post, event, app.texts, now=app.context.clock.time())
    post = replying(post, quoted, whatsapp, conversation)
    app.memory.begin(event.account, event.chat)
    try:
        return await _send(app, delivery, conversation, post, files), conversation
    except ChatWootError as error:
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
    """What we sent: from ChatWoot (then its own message is told its id), by API, or on the phone."""
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
"""Events that are for ChatWoot."""
