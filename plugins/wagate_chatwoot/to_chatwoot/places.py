"""How a chat is called in Chatwoot, and whose chat a source_id there is."""

from __future__ import annotations

from wagate.parsing.chats import chat_key
from wagate_chatwoot.settings import Inbox


def source_id(inbox: Inbox, account: str, chat: str) -> str:
    """The chat's key; with the account in front when the inbox may show several: ``<account>/<chat>``.

    It depends on the settings only, never on which accounts there happen to be: a chat keeps its contact.
    """
    return chat if len(inbox.accounts) == 1 else f"{account}/{chat}"


def chat_of(inbox: Inbox, source_id: str) -> tuple[str, str] | None:
    """(account, chat) of a source_id; None when it is none of ours (Chatwoot makes UUIDs for contacts of agents)."""
    account, slash, named = source_id.rpartition("/")
    if not slash:
        account = inbox.accounts[0] if len(inbox.accounts) == 1 else ""
    chat = key_of(named)
    if not account or not chat or (inbox.accounts and account not in inbox.accounts):
        return None
    return account, chat


def key_of(text: str) -> str:
    """The chat's key, also of what other connectors write: ``…@s.whatsapp.net``, ``+…``, ``whatsapp:+…``; else ''.

    Bare digits may be anything, a customer's number in some shop's books.
    """
    key = chat_key(text) if "@" in text or text.startswith(("+", "whatsapp:+")) else ""
    return key if not key.endswith("@user") or text.endswith("@user") else ""
