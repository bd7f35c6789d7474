"""Agents see that a customer types or records. It may be lost, and nothing waits for it.

It has a target of its own, ``typing/<inbox>``: what is dropped there must not look like something that the inbox took.
"""

from __future__ import annotations

from typing import Any, Final

from wagate.events import Event, kinds
from wagate.hooks import Delivery
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.api.errors import ChatwootError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.conversations import known

WAY: Final = "typing"
"""First part of the target."""
OLDEST: Final = 15.0
"""Seconds after which nobody need know any more."""
AGAIN: Final = 8.0
"""Seconds until it is shown again that somebody still types."""
_ON: Final = frozenset({"typing", "recording", "composing"})
_OFF: Final = frozenset({"paused", "available", "online", "offline", "unavailable"})
PEOPLE: Final = ("@c.us", "@lid", "@user")


def wanted(app: App, event: Event) -> bool:
    """Whether it says that the one customer of a chat begins or ends typing. Pure."""
    return (
        event.kind == kinds.PRESENCE_UPDATE
        and app.inbox.show_typing
        and event.chat.endswith(PEOPLE)
        and typing_in(event.extra) is not None
    )


def typing_in(extra: dict[str, Any]) -> bool | None:
    """Whether somebody types; None: it does not say. Pure."""
    presences = extra.get("presences")
    rows = [mapping(each) for each in presences] if isinstance(presences, list) else []
    states = {first_text(row, "lastKnownPresence", "presence").lower() for row in rows}
    return True if states & _ON else False if states & _OFF else None


async def show(app: App, delivery: Delivery) -> None:
    """Show it, if there is a conversation to show it in, and it is news."""
    event, now = delivery.event, app.context.clock
    on, chat = typing_in(event.extra) is True, (event.account, event.chat)
    if now.time() - event.created_at.timestamp() > OLDEST or not app.memory.types(*chat, on=on, again=AGAIN):
        return
    place = await known(app, *chat)
    if place is None or place.conversation is None:
        return
    try:
        identifier = app.memory.identifier or first_text(await app.chatwoot.inbox(), "inbox_identifier")
        app.memory.identifier = identifier
        if identifier:
            await app.chatwoot.type_as(identifier, place.source_id, place.conversation, on=on)
    except ChatwootError as error:
        app.context.log.debug("typing not shown", inbox=app.name, reason=error.reason)
