"""What a pull hands on, written in Chatwoot: one old message, or one contact.

Both come as deliveries of their chat, behind what waits there already, and nothing of the chat runs beside them.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wagate.errors import NotFoundError
from wagate.hooks import Delivery, Receipt
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Place
from wagate_chatwoot.to_chatwoot import contacts, conversations, incoming
from wagate_chatwoot.to_chatwoot.people import who_of, with_all_keys
from wagate_chatwoot.to_chatwoot.places import source_id

HISTORY: Final = "chatwoot.history"
"""Kind of an event that stands for an older one; ``extra[EVENT]`` is that one's id."""
CONTACT: Final = "chatwoot.contact"
"""Kind of an event that says who is in a chat."""
KINDS: Final = frozenset({HISTORY, CONTACT})
EVENT: Final = "event"


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Write one. ChatwootError."""
    return await (_message if delivery.event.kind == HISTORY else _contact)(app, delivery)


async def _message(app: App, delivery: Delivery) -> Receipt | None:
    try:
        event = await app.context.archive.event(delivery.event.extra[EVENT], client_id=delivery.event.client_id)
    except NotFoundError:
        return None  # It went out of retention meanwhile.
    # As if tried before: it may stand in Chatwoot already, however young this delivery is.
    return await incoming.HANDLES[event.kind](app, replace(delivery, event=event, attempt=delivery.attempt + 1))


async def _contact(app: App, delivery: Delivery) -> Receipt | None:
    who = await with_all_keys(app, who_of(delivery.event, app.texts))
    async with app.memory.alone(who.account, who.keys):
        before = await conversations.known(app, who.account, who.chat)
        contact, who = await contacts.find_or_make(app, who)
        await conversations.follow_name(app, who, before)
        place = Place(
            contact=contact.id,
            source_id=source_id(app.inbox, who.account, who.chat),
            conversation=before.conversation if before is not None else None,
            name=conversations.our_name(who),
            aliases=who.aliases,
        )
        await app.ledger.put_place(who.account, who.chat, place)
        app.memory.put(who.account, who.chat, place)
    return Receipt(http_status=200, response=f'{{"contact_id":{contact.id}}}')
