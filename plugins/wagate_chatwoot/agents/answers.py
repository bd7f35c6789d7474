"""What wagate answers agents: stored, and written by the deliveries to Chatwoot, so that it survives outages.

It is said where the question was, or by the contact "WhatsApp integration", made once for each inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from wagate.errors import Reject, RequestError, SendError
from wagate.events import NewEvent
from wagate.hooks import Delivery, Receipt, Target
from wagate_chatwoot.agents.asks import STATUS_SOURCE
from wagate_chatwoot.api.client import Contact, Conversation
from wagate_chatwoot.api.errors import NotThereError, TakenError
from wagate_chatwoot.api.posts import BytesFile, File, Post
from wagate_chatwoot.inboxes import App, elsewhere
from wagate_chatwoot.ledger import Place

KIND: Final = "chatwoot.answer"
"""Of its events; ``content`` is the text."""
_ABOUT: Final = "answer"
IDENTIFIER = STATUS_SOURCE
"""Of the contact, in all inboxes of one account of Chatwoot; also its source_id in each of them."""


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an answer goes, and what comes with it."""

    conversation: int = 0
    """Display id, for a private note there; 0: the conversation of the integration."""
    site: str = ""
    """Whose conversation: `App.site`; '' of a version that did not keep it."""
    qr: str = ""
    """The account whose QR code is attached, as it is when the answer is written; '' for none."""


async def say(app: App, text: str, *, name: str, about: About | None = None) -> None:
    """Have a text written, once for each ``name``; committed when this returns. StorageError."""
    client_id = app.client_id
    if client_id is None:
        return  # without a client nothing runs for this inbox
    about = about or About()
    event = NewEvent(
        kind=KIND,
        provider_id=f"{app.name}/{name}",
        chat=f"conversation/{about.conversation}" if about.conversation else IDENTIFIER,
        content=text,
        from_me=True,
        extra={_ABOUT: msgspec.to_builtins(about)},
    )
    await app.context.emit(event, client_id=client_id, only=[Target(id=app.incoming)])


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Write one. Reject: it belongs where this inbox is no more."""
    event = delivery.event
    try:
        about = msgspec.convert(event.extra.get(_ABOUT), About)
    except msgspec.ValidationError as error:
        raise Reject(f"stored by another version of wagate: {error}") from error
    if about.conversation and not app.reaches(about.site):
        raise Reject(elsewhere(app, about.site))
    if about.conversation:
        await note(app, about.conversation, event.content, delivery=delivery)
        return None
    picture = await _picture(app, about.qr, event.client_id) if about.qr else None
    files = [qr_file(picture)] if picture is not None else []
    await write_to_agents(app, event.content, delivery=delivery, files=files)
    return None


def qr_file(picture: bytes) -> BytesFile:
    """A QR code to attach."""
    return BytesFile(filename="qr.png", mimetype="image/png", body=picture)


async def _picture(app: App, account: str, client_id: int) -> bytes | None:
    """None: it was there when the answer was made, and is not any more."""
    try:
        return await app.context.sessions.qr_png(account, client_id=client_id)
    except (SendError, RequestError):
        return None


async def write_to_agents(app: App, text: str, *, delivery: Delivery, files: Sequence[File] = ()) -> None:
    """Write in the conversation of the integration, once for each delivery. ChatwootError."""
    post = Post(content=text, source_id=_source(delivery.id))
    try:
        await _once(app, await _conversation(app), post, delivery, files)
    except NotThereError:
        # Somebody deleted it: another one is made.
        await app.ledger.drop_place("", IDENTIFIER)
        await _once(app, await _conversation(app), post, delivery, files)


async def note(app: App, conversation: int, text: str, *, delivery: Delivery) -> None:
    """Write a private note in a customer's conversation, once; one that is gone needs none. ChatwootError."""
    post = Post(content=text, message_type="outgoing", private=True, source_id=_source(delivery.id))
    try:
        await _once(app, conversation, post, delivery)
    except NotThereError:
        return


async def _once(app: App, conversation: int, post: Post, delivery: Delivery, files: Sequence[File] = ()) -> None:
    """Post, unless it stands there since an earlier try; only looked for when there may have been one."""
    sure = app.memory.trusts("", IDENTIFIER, attempt=delivery.attempt, created=delivery.created_at)
    if not sure:
        rows = await app.chatwoot.messages(conversation)
        if any(row.get("source_id") == post.source_id for row in rows):
            return
    await app.chatwoot.post(conversation, post, files)


async def _conversation(app: App) -> int:
    """Its display id, known or made now."""
    async with app.memory.alone("", [IDENTIFIER]):
        place = await app.ledger.place("", IDENTIFIER)
        if place is not None and place.conversation is not None:
            return place.conversation
        contact = await _contact(app)
        found = _latest(await app.chatwoot.conversations_of(contact.id), app.inbox.inbox_id)
        chosen = found or await app.chatwoot.create_conversation(contact.id, IDENTIFIER)
        place = Place(contact=contact.id, source_id=IDENTIFIER, conversation=chosen.id)
        await app.ledger.put_place("", IDENTIFIER, place)
        if found is None:
            await app.chatwoot.post(chosen.id, Post(content=app.texts("status.welcome"), source_id=_source("welcome")))
        return chosen.id


async def _contact(app: App) -> Contact:
    found = await app.chatwoot.contact_by_source(IDENTIFIER)
    if found is not None:
        return found
    try:
        return await app.chatwoot.create_contact(IDENTIFIER, name=app.texts("status.contact"), identifier=IDENTIFIER)
    except TakenError:
        # Another inbox of the same account made it.
        others = await app.chatwoot.contacts_with([("identifier", IDENTIFIER)])
        if not others:
            raise
        await app.chatwoot.add_source(others[0].id, IDENTIFIER)
        return others[0]


def _latest(found: Sequence[Conversation], inbox_id: int) -> Conversation | None:
    ours = [each for each in found if each.inbox_id == inbox_id]
    return max(ours, key=lambda each: each.id, default=None)


def _source(name: str) -> str:
    return f"wagate/{name}"
