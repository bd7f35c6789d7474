"""What is to be told in Chatwoot about agents' messages: stored, and done by the deliveries to Chatwoot.

So what agents send does not wait for Chatwoot, and what they are told survives its outages.
"""

from __future__ import annotations

from wagate.events import NewEvent
from wagate.hooks import Target
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_whatsapp.chat_of import Chat
from wagate_chatwoot.to_whatsapp.origin import SOURCE, Origin, metadata_of

FAILED = "chatwoot.failed"
"""A part of a message was refused before it was submitted; ``content`` says why."""
NOTE = "chatwoot.note"
"""A private note; ``content`` is its text."""
DOUBT = "chatwoot.doubt"
"""Nobody knows whether a part was sent; ``extra.id`` is our own id of it."""
WAITS = "chatwoot.waits"
"""A part waits for its provider, which is away; ``extra.id`` as of `DOUBT`, ``content`` says why."""
KINDS = frozenset({FAILED, NOTE, DOUBT, WAITS})
AGAIN = "chatwoot.again"
"""How far a message got is to be shown once more."""


async def notify_failed(app: App, origin: Origin, chat: Chat | None, reason: str) -> None:
    """It will not be sent; once for each part and try of a message."""
    await _notify(app, FAILED, origin, chat, reason, variant=f"{origin.part}/{origin.retry}")


async def notify_note(app: App, origin: Origin, chat: Chat | None, text: str) -> None:
    """A private note about a message; the same text only once."""
    await _notify(app, NOTE, origin, chat, text, variant=text)


async def notify_doubt(app: App, origin: Origin, chat: Chat, part: str) -> None:
    """It is not known whether it was sent; once for each part and try."""
    text, variant = app.texts("outgoing.failed_unknown"), f"{origin.part}/{origin.retry}"
    await _notify(app, DOUBT, origin, chat, text, variant=variant, part=part)


async def notify_waits(app: App, origin: Origin, chat: Chat, part: str, reason: str) -> None:
    """It is not sent yet, and will be; once for each part and try."""
    text, variant = app.texts("outgoing.waits", reason=reason), f"{origin.part}/{origin.retry}"
    await _notify(app, WAITS, origin, chat, text, variant=variant, part=part)


async def notify_again(app: App, entry: Entry) -> None:
    """Chatwoot shows it as failed, and it is not; once for each moment.

    Not put right at once: an ack may be on its way, and whichever came last would stay.
    """
    if app.client_id is None:
        return
    origin = Origin(
        inbox=app.name,
        message=entry.message,
        conversation=entry.conversation,
        site=entry.site,
        retry=entry.retries,
    )
    key = await app.context.people.current(entry.chat, client_id=app.client_id, account=entry.account)
    chat = Chat(account=entry.account, key=key)
    await _notify(app, AGAIN, origin, chat, "", variant=f"again/{app.context.clock.time()}")


async def _notify(
    app: App, kind: str, origin: Origin, chat: Chat | None, text: str, *, variant: str, part: str = ""
) -> None:
    client_id = app.client_id
    if client_id is None:
        return
    event = NewEvent(
        kind=kind,
        provider_id=f"{app.name}/{origin.message}",
        variant=variant,
        chat=chat.key if chat is not None else f"conversation/{origin.conversation}",
        content=text,
        from_me=True,
        extra={"source": SOURCE, "metadata": metadata_of(origin)} | ({"id": part} if part else {}),
    )
    account = chat.account or "" if chat is not None else ""
    await app.context.emit(event, client_id=client_id, account=account, only=[Target(id=app.incoming)])
