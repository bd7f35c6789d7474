"""Which conversation a chat's messages go to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.api.client import Conversation
from wagate_chatwoot.api.errors import NotThereError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Place
from wagate_chatwoot.settings import Conversations, Inbox
from wagate_chatwoot.to_chatwoot import contacts
from wagate_chatwoot.to_chatwoot.people import Who, chat_of, source_id

STATUSES = frozenset({"open", "pending", "snoozed", "resolved"})
Settled = tuple[Place, int, bool]
"""A place, its conversation, and whether that was made just now (so that nothing stands in it)."""


async def settle(app: App, who: Who) -> Settled:
    """Where the chat's next message goes: known from memory or the ledger, else found or made. ChatwootError."""
    place = app.memory.place(who.account, who.chat)
    if place is not None and place.conversation is not None and not _news(place, who):
        return place, place.conversation, False
    async with app.memory.alone(who.account, who.keys):
        place = await _checked(app, who)
        if place is None or _news(place, who):
            place = await _introduce(app, who, place)
        if place.conversation is not None:
            return place, place.conversation, False
        return await _choose(app, who, place)


async def last_of(app: App, who: Who) -> int | None:
    """The chat's last conversation, whatever its status; None: it has none. For what must begin no new one."""
    place = await known(app, who.account, who.chat)
    if place is None or place.conversation is not None:
        return place.conversation if place is not None else None
    found = [each for each in await app.chatwoot.conversations_of(place.contact) if await _may_be_ours(app, who, each)]
    ours = [each for each in found if each.inbox_id == app.inbox.inbox_id]
    return max(ours, key=lambda each: (_time(each, "activity"), each.id)).id if ours else None


async def _checked(app: App, who: Who) -> Place | None:
    """What is known of a chat. What only the ledger knows may have changed while nobody listened."""
    if (place := app.memory.place(who.account, who.chat)) is not None:
        return place
    place = await known(app, who.account, who.chat)
    if place is None or place.conversation is None or usable(app.inbox.conversations) == STATUSES:
        return place
    try:
        row = await app.chatwoot.call("GET", f"conversations/{place.conversation}")
    except NotThereError:
        row = None
    if first_text(mapping(row), "status") not in usable(app.inbox.conversations):
        place = replace(place, conversation=None)
        app.memory.put(who.account, who.chat, place)
    return place


async def known(app: App, account: str, chat: str) -> Place | None:
    """Where a chat goes, as far as we know."""
    place = app.memory.place(account, chat)
    if place is None and (place := await app.ledger.place(account, chat)) is not None:
        app.memory.put(account, chat, place)
    return place


async def forget(app: App, account: str, chat: str) -> None:
    """The contact or the conversation is gone: look for both anew."""
    app.memory.drop(account, chat)
    await app.ledger.drop_place(account, chat)


async def ended(app: App, conversation: int, status: str) -> None:
    """A conversation got another status: when it is not to be used again, choose another one with the next message."""
    owner = await app.ledger.chat_of(conversation)
    if owner is None or status in usable(app.inbox.conversations):
        return
    place = await known(app, *owner)
    if place is not None and place.conversation == conversation:
        await _put(app, *owner, replace(place, conversation=None))


def usable(settings: Conversations) -> frozenset[str]:
    """Statuses of conversations that are used again."""
    return frozenset(settings.status) - ({"resolved"} if settings.mode == "new" else set())


def select(found: Sequence[Conversation], inbox: Inbox) -> Conversation | None:
    """The conversation to go on with, by the inbox' settings; None: start one. Pure."""
    settings = inbox.conversations
    fit = [each for each in found if each.inbox_id == inbox.inbox_id and each.status in usable(settings)]
    field, _, which = settings.sort.partition("_")
    ranked = sorted(fit, key=lambda each: (_time(each, field), each.id))
    return (ranked[-1] if which == "newest" else ranked[0]) if ranked else None


def _time(each: Conversation, field: str) -> float:
    moment: Any = each.last_activity_at if field == "activity" else each.created_at
    return float(moment) if isinstance(moment, int | float) else 0.0


def _news(place: Place, who: Who) -> bool:
    """Whether the event tells of the person what Chatwoot does not know yet: a further key, a name."""
    return bool(set(who.aliases) - set(place.aliases)) or bool(who.given and place.name and place.name != who.name)


def our_name(who: Who) -> str:
    """`Place.name`. Names of groups and channels change, and are followed; people's own are not."""
    return who.name if not who.given or who.chat.endswith(("@g.us", "@newsletter")) else ""


async def follow_name(app: App, who: Who, before: Place | None) -> None:
    """Give a contact that has a name of ours the one that is known now."""
    if before is not None and who.given and before.name and before.name != who.name:
        await contacts.rename(app, who, before.name)


async def _introduce(app: App, who: Who, before: Place | None) -> Place:
    """Find or make the contact, with all of the person's keys; chats under those go there, too."""
    await follow_name(app, who, before)
    if before is not None and not set(who.aliases) - set(before.aliases):
        place = replace(before, name=our_name(who))
        await _put(app, who.account, who.chat, place)
        return place
    contact, who = await contacts.find_or_make(app, who)
    aliases = tuple(sorted({*who.aliases, *(before.aliases if before is not None else ())}))
    conversation = before.conversation if before is not None else None
    found = [(alias, await known(app, who.account, alias)) for alias in who.aliases]
    places = {alias: place for alias, place in found if place is not None}
    moved = [alias for alias, place in places.items() if place.contact != contact.id]
    if conversation is None:
        there = next((place.conversation for place in places.values() if place.conversation is not None), None)
        # Where an agent wrote to the number before anybody knew that it is the same person, it goes on.
        conversation = (await _theirs(app, who, contact.id, there) if moved else None) or there
    for alias in moved:
        await _put(app, who.account, alias, replace(places[alias], contact=contact.id, conversation=conversation))
    place = Place(
        contact=contact.id,
        source_id=source_id(app.inbox, who.account, who.chat),
        conversation=conversation,
        name=our_name(who),
        aliases=aliases,
    )
    await _put(app, who.account, who.chat, place)
    return place


async def _theirs(app: App, who: Who, contact: int, ours: int | None) -> int | None:
    """A conversation that the contact had before ours came to it; None: it had none."""
    found = [each for each in await app.chatwoot.conversations_of(contact) if each.id != ours]
    chosen = select([each for each in found if await _may_be_ours(app, who, each)], app.inbox)
    return chosen.id if chosen is not None else None


async def _choose(app: App, who: Who, place: Place) -> Settled:
    found = [each for each in await app.chatwoot.conversations_of(place.contact) if await _may_be_ours(app, who, each)]
    chosen = select(found, app.inbox)
    new = chosen is None
    if chosen is None:
        chosen = await app.chatwoot.create_conversation(place.contact, place.source_id)
        # With lock_to_single_conversation Chatwoot gives the last one: it has messages.
        new = all(each.id != chosen.id for each in found)
    place = replace(place, conversation=chosen.id)
    await _put(app, who.account, who.chat, place)
    return place, chosen.id, new


async def _may_be_ours(app: App, who: Who, conversation: Conversation) -> bool:
    """Whether it is of the same account: an inbox may show several."""
    if len(app.inbox.accounts) == 1:
        return True
    owner = await app.ledger.chat_of(conversation.id)
    for message in conversation.messages:
        about = mapping(mapping(message.get("conversation")).get("contact_inbox"))
        owner = owner or chat_of(app.inbox, first_text(about, "source_id"))
    return owner is None or owner[0] == who.account


async def _put(app: App, account: str, chat: str, place: Place) -> None:
    await app.ledger.put_place(account, chat, place)
    app.memory.put(account, chat, place)
