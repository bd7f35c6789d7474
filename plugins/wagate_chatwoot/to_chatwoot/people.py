"""Whose chat it is: keys, phone forms, names, and how the chat is called in Chatwoot. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from wagate.events import Event
from wagate.parsing.chats import chat_key, digits_of, is_group
from wagate.parsing.numbers import number_forms
from wagate_chatwoot.api.client import Contact
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.settings import Inbox

Say = Callable[..., str]

_PHONE: Final = re.compile(r"[1-9]\d{6,14}")
"""What Chatwoot takes after the + (source: app/models/contact.rb)."""
_PEOPLE: Final = ("@c.us", "@lid", "@user")
_TURNING: Final = re.compile("[\0\u202a-\u202e\u2066-\u2069]")
_LONGEST_NAME: Final = 200
"""Characters; Chatwoot takes 255, with what we put around a group's."""
_STATUS: Final = "status@broadcast"


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """A chat to be shown."""

    account: str
    chat: str
    aliases: tuple[str, ...] = ()
    """Other keys of the same person; () of groups."""
    name: str
    """What the contact is called when it is made."""
    given: bool = False
    """Whether the other side chose the name; else it is made of the number."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The chat's own, then the others."""
        return (self.chat, *self.aliases)

    @property
    def phone(self) -> str:
        """``+`` and digits, '' when nobody told a number."""
        return next((f"+{digits}" for key in self.keys if (digits := phone_of(key))), "")


def who_of(event: Event, say: Say) -> Who:
    """The chat of an event."""
    direct = event.chat.endswith(_PEOPLE)
    aliases = tuple(key for key in _aliases(event.extra) if key != event.chat) if direct else ()
    given = _given_name(event, direct=direct)
    bare = name_of_number(event.chat, aliases)
    return Who(
        account=event.account,
        chat=event.chat,
        aliases=aliases,
        name=_titled(event.chat, given or bare, say),
        given=bool(given),
    )


async def with_all_keys(app: App, who: Who) -> Who:
    """With all keys of the person that the core knows: also those of which this event does not tell."""
    client_id = app.client_id
    if client_id is None or not who.chat.endswith(_PEOPLE):
        return who
    person = await app.context.people.of(who.chat, client_id=client_id, account=who.account)
    others = dict.fromkeys((*who.aliases, *person.keys))
    bare = not who.given and who.name == name_of_number(who.chat, who.aliases)
    aliases = tuple(key for key in others if key != who.chat)
    return replace(who, aliases=aliases, name=name_of_number(who.chat, aliases) if bare else who.name)


def named(who: Who, name: str, say: Say) -> Who:
    """With the name that WhatsApp shows of the chat, unless the other side's own is known."""
    shown = _tidy(name)
    return who if who.given or not shown else replace(who, name=_titled(who.chat, shown, say), given=True)


def name_of_number(chat: str, aliases: tuple[str, ...] = ()) -> str:
    """``+5511…`` when a number is known, else what the key says."""
    phone = next((digits for key in (chat, *aliases) if (digits := phone_of(key))), "")
    return f"+{phone}" if phone else digits_of(chat).partition("@")[0]


def phone_of(key: str) -> str:
    """Digits of a number that Chatwoot takes, '' when the key is none."""
    local, _, domain = key.rpartition("@")
    return local if domain == "c.us" and _PHONE.fullmatch(local) else ""


def search_pairs(who: Who) -> list[tuple[str, str]]:
    """(attribute, value) by which the contact may be known in Chatwoot already."""
    forms = [form for key in who.keys if (digits := phone_of(key)) for form in number_forms(digits)]
    keys = dict.fromkeys([*who.keys, *(f"{form}@c.us" for form in forms)])
    # WAHA's and Evolution's contacts have the JID of WhatsApp's own protocol.
    jids = [f"{form}@s.whatsapp.net" for form in forms]
    phones = [("phone_number", f"+{form}") for form in dict.fromkeys(forms)]
    return [*phones, *(("identifier", key) for key in (*keys, *jids))]


def best(contacts: list[Contact], who: Who) -> Contact | None:
    """Of several that fit: the one with just this number, else with a number, else the oldest."""
    ranked = sorted(
        contacts, key=lambda each: (not who.phone or each.phone_number != who.phone, not each.phone_number, each.id)
    )
    return ranked[0] if ranked else None


def _aliases(extra: dict[str, Any]) -> tuple[str, ...]:
    given = extra.get("aliases")
    return (
        tuple(key for key in given if isinstance(key, str) and key.endswith(_PEOPLE)) if isinstance(given, list) else ()
    )


def _given_name(event: Event, *, direct: bool) -> str:
    if direct:
        return _tidy(event.contact_name or "") if not event.from_me else ""
    group = event.extra.get("group_name")
    return _tidy(group) if isinstance(group, str) else ""


def _tidy(name: str) -> str:
    """Without what turns the direction of what follows; '' of a name that shows nothing."""
    text = " ".join(_TURNING.sub("", name).split())[:_LONGEST_NAME]
    return text if any(unicodedata.category(sign)[0] not in "CMZ" for sign in text) else ""


def _titled(chat: str, name: str, say: Say) -> str:
    if chat == _STATUS:
        return say("chat.status")
    if is_group(chat):
        return say("chat.group", name=name)
    if chat.endswith("@newsletter"):
        return say("chat.channel", name=name)
    return say("chat.broadcast", name=name) if chat.endswith("@broadcast") else name


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
