"""One contact in Chatwoot for one person, however many keys they have and whoever else makes contacts."""

from __future__ import annotations

from typing import Any, Final

import trio

from wagate.errors import WagateError
from wagate.hooks import Profile
from wagate_chatwoot.api.client import Contact
from wagate_chatwoot.api.errors import ChatwootError, NotThereError, RefusedError, TakenError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.people import Who, best, name_of_number, named, phone_of, search_pairs, source_id

MOST_TRIES = 4
"""Each try after the first leaves out what was taken, or finds who took it."""
_UNIQUE = ("identifier", "phone_number")

PATIENCE: Final = 5.0
"""Seconds that a chat's first message waits for it."""


async def find_or_make(app: App, who: Who) -> tuple[Contact, Who]:
    """The chat's contact, with the chat's source_id in our inbox; of several that are one person one is made.

    And who it is by now: the provider is asked about somebody for whom a contact is made.

    It can be called again after any failure, and by several at once: it looks before it makes, and what somebody else
    made meanwhile is found. ChatwootError.
    """
    known = await _known(app, who)
    if known:
        contact = await _merged(app, who, known)
        if who.chat not in known:
            contact = await attach(app, contact, who.account, who.chat)
        return contact, who
    found = best(await app.chatwoot.contacts_with(search_pairs(who)), who)
    if found is not None:
        return await attach(app, found, who.account, who.chat), who
    who, picture = await look_up(app, who)
    return await _make(app, who, picture), who


async def attach(app: App, contact: Contact, account: str, chat: str) -> Contact:
    """Give a contact a chat's source_id. Whose it was meanwhile is the contact then."""
    source = source_id(app.inbox, account, chat)
    try:
        await app.chatwoot.add_source(contact.id, source)
    except ChatwootError as error:
        if isinstance(error, NotThereError):
            raise
        # Chatwoot answers 500 when another contact has it.
        other = await app.chatwoot.contact_by_source(source)
        if other is None:
            raise
        return other
    return contact


async def rename(app: App, who: Who, ours: str) -> None:
    """Give the contact the name that the other side shows now, if it still has ``ours``, or one made of a number."""
    contact = await app.chatwoot.contact_by_source(source_id(app.inbox, who.account, who.chat))
    made_up = {name_of_number(who.chat, who.aliases), *(f"+{phone_of(key)}" for key in who.keys), None, ""}
    if contact is not None and contact.name in made_up | {ours}:
        await app.chatwoot.update_contact(contact.id, name=who.name)


async def _known(app: App, who: Who) -> dict[str, Contact]:
    """Contacts that have one of the person's keys as source_id in our inbox, by key."""
    found = {}
    for key in who.keys:
        contact = await app.chatwoot.contact_by_source(source_id(app.inbox, who.account, key))
        if contact is not None:
            found[key] = contact
    return found


async def _merged(app: App, who: Who, known: dict[str, Contact]) -> Contact:
    """The one contact; others that hold a key of the same person are merged into it."""
    by_id = {contact.id: contact for contact in known.values()}
    kept = best(list(by_id.values()), who)
    assert kept is not None
    for other in by_id.values():
        if other.id != kept.id:
            try:
                await app.chatwoot.merge(kept.id, other.id)
            except NotThereError:
                app.context.log.info("contact was merged already", inbox=app.name)
    return await _with_phone(app, kept, who) if who.phone and not kept.phone_number else kept


async def _with_phone(app: App, contact: Contact, who: Who) -> Contact:
    """A number that became known of somebody who had none. Whose it is already, an agent's say, is that person."""
    try:
        await app.chatwoot.update_contact(contact.id, phone_number=who.phone)
    except TakenError:
        phones = [pair for pair in search_pairs(who) if pair[0] == "phone_number"]
        other = best(await app.chatwoot.contacts_with(phones), who)
        if other is None or other.id == contact.id or contact.identifier not in who.keys:
            # Made by people, both of them: merging those is for people to decide.
            app.context.log.info("phone number is another contact's", inbox=app.name)
            return contact
        try:
            await app.chatwoot.merge(other.id, contact.id)
        except NotThereError:
            app.context.log.info("contact was merged already", inbox=app.name)
        return other
    return contact


async def _make(app: App, who: Who, picture: str) -> Contact:
    source = source_id(app.inbox, who.account, who.chat)
    fields: dict[str, Any] = {"name": who.name, "identifier": who.chat}
    if who.phone:
        fields["phone_number"] = who.phone
    if picture:
        fields["avatar_url"] = picture  # Chatwoot fetches it afterwards, by itself.
    for _ in range(MOST_TRIES):
        try:
            return await app.chatwoot.create_contact(source, **fields)
        except RefusedError:
            if fields.pop("avatar_url", None) is None:
                raise
        except TakenError as error:
            if (other := await _taker(app, who, source)) is not None:
                return other
            told = [name for name in error.attributes if name in fields]
            taken = told or [name for name in _UNIQUE if name in fields]
            if not taken:
                raise
            for name in taken:
                del fields[name]
    raise TakenError("Chatwoot says that the number and identifier are taken, but shows no contact with them")


async def _taker(app: App, who: Who, source: str) -> Contact | None:
    """Who has the number or identifier that is taken: made a moment ago, or written in another way."""
    found = await app.chatwoot.contact_by_source(source)
    if found is not None:
        return found
    found = best(await app.chatwoot.contacts_with(search_pairs(who)), who)
    if found is None and who.phone:
        near = await app.chatwoot.search_contacts(who.phone.removeprefix("+"))
        found = best([each for each in near if each.phone_number == who.phone], who)
    return None if found is None else await attach(app, found, who.account, who.chat)


async def look_up(app: App, who: Who) -> tuple[Who, str]:
    """Who it is, by the name that WhatsApp shows if nobody gave one, and the URL of the picture ('': none)."""
    if not app.inbox.profiles or who.chat.endswith("@broadcast"):
        return who, ""
    profile = await _asked(app, who)
    return named(who, profile.name, app.texts), profile.picture


async def _asked(app: App, who: Who) -> Profile:
    try:
        with trio.fail_after(PATIENCE):
            return await app.context.sessions.profile(who.chat, account=who.account, client_id=app.client_id)
    except (WagateError, trio.TooSlowError) as error:
        reason = str(error) or type(error).__name__
        app.context.log.info("no profile for a contact", inbox=app.name, account=who.account, reason=reason)
        return Profile()
