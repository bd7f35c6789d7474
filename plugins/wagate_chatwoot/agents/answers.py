"""What wagate answers agents: stored, and written by the deliveries to Chatwoot, so that it survives outages."""

from __future__ import annotations

from typing import Final

import msgspec

from wagate.errors import Reject, RequestError, SendError
from wagate.events import NewEvent
from wagate.hooks import Delivery, Receipt, Target
from wagate_chatwoot.agents import integration
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.posts import BytesFile

KIND: Final = "chatwoot.answer"
"""Of its events; ``content`` is the text."""
_ABOUT: Final = "answer"


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an answer goes, and what comes with it."""

    conversation: int = 0
    """Display id, for a private note there; 0: the conversation of the integration."""
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
        chat=f"conversation/{about.conversation}" if about.conversation else integration.IDENTIFIER,
        content=text,
        from_me=True,
        extra={_ABOUT: msgspec.to_builtins(about)},
    )
    await app.context.emit(event, client_id=client_id, only=[Target(id=app.incoming)])


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Write one."""
    event = delivery.event
    try:
        about = msgspec.convert(event.extra.get(_ABOUT), About)
    except msgspec.ValidationError as error:
        raise Reject(f"stored by another version of wagate: {error}") from error
    if about.conversation:
        await integration.note(app, about.conversation, event.content, delivery=delivery)
        return None
    picture = await _picture(app, about.qr, event.client_id) if about.qr else None
    files = [qr_file(picture)] if picture is not None else []
    await integration.write_to_agents(app, event.content, delivery=delivery, files=files)
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
