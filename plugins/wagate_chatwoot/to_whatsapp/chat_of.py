"""Which chat of which account a conversation in Chatwoot is."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from wagate.parsing.chats import chat_key
from wagate_chatwoot.api.errors import ChatwootError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Place
from wagate_chatwoot.to_chatwoot import people
from wagate_chatwoot.to_whatsapp.actions import Where


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat on WhatsApp."""

    account: str | None
    """None: whichever of the client's accounts the chat belongs to."""
    key: str


def chat_named(app: App, where: Where) -> Chat | None:
    """What the webhook itself says: our source_id, else the contact's identifier or phone. None: no chat."""
    found = people.chat_of(app.inbox, where.source)
    if found is not None:
        return Chat(account=found[0], key=found[1])
    account = app.inbox.accounts[0] if len(app.inbox.accounts) == 1 else None
    # Of an inbox with several accounts a source_id without one says only who, not at which number.
    for key in (people.key_of(where.source), chat_key(where.phone), people.key_of(where.identifier)):
        if key and not key.endswith("@user"):
            return Chat(account=account, key=key)
    return None


async def find_chat(app: App, where: Where) -> Chat | None:
    """The chat of a conversation, under the number at which the person can be reached now."""
    chat, client_id = await _chat(app, where), app.client_id
    if chat is None or client_id is None:
        return chat
    current = await app.context.people.current(chat.key, client_id=client_id, account=chat.account or "")
    return replace(chat, key=current)


async def adopt(app: App, where: Where, chat: Chat) -> None:
    """Remember a conversation whose source_id another connector wrote: what the chat answers goes there, too.

    Nothing else need tell whose contact it is: it may have neither number nor identifier.
    """
    if chat.account is None or people.chat_of(app.inbox, where.source) != (chat.account, chat.key):
        return
    ours = people.source_id(app.inbox, chat.account, chat.key)
    if where.source == ours or await app.ledger.place(chat.account, chat.key) is not None:
        return
    try:
        contact = await app.chatwoot.contact_by_source(where.source)
    except ChatwootError as error:
        app.context.log.info("contact of a conversation not told", inbox=app.name, reason=error.reason)
        return
    if contact is not None:
        place = Place(contact=contact.id, source_id=where.source, conversation=where.conversation)
        await app.ledger.put_place(chat.account, chat.key, place)


async def _chat(app: App, where: Where) -> Chat | None:
    """What we know of the conversation, else what its webhook says; always an account that the inbox shows.

    An inbox may have been given other numbers since the conversation began: it goes on with those.
    """
    known = await app.ledger.chat_of(where.conversation)
    if known is not None and app.shows(app.inbox.client, known[0]):
        return Chat(account=known[0], key=known[1])
    chat = chat_named(app, where)
    if chat is None or chat.account is not None or not app.inbox.accounts:
        return chat
    # Of several numbers the one to which they wrote; else the first.
    for account in app.inbox.accounts:
        if await app.ledger.place(account, chat.key) is not None:
            return Chat(account=account, key=chat.key)
    return Chat(account=app.inbox.accounts[0], key=chat.key)
