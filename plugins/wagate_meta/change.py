"""What the items of one change have in common: the number on our side, and who the people are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, identifier, mapping


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The person on the other side."""

    key: str
    """Canonical: by phone if there is one, else ``<business-scoped id>@user``; '' when nothing names them."""
    aliases: tuple[str, ...] = ()
    """Their other keys."""
    name: str | None = None
    """As they call themselves."""
    username: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``changes``."""

    field: str
    """``messages``, ``smb_message_echoes``, ``calls`` …"""
    value: dict[str, Any]
    waba: str
    """The WhatsApp Business Account's id."""
    at: datetime | None
    """The entry's time, where Meta gives one."""
    number: str
    """``metadata.phone_number_id``."""
    ours: str
    """Our number's key; '' when the change doesn't say it."""
    contacts: list[dict[str, Any]]

    @classmethod
    def read(cls, item: dict[str, Any], value: dict[str, Any], *, waba: str, at: datetime | None) -> Change:
        """The change with what its metadata says."""
        metadata = mapping(value.get("metadata"))
        contacts = value.get("contacts")
        return cls(
            field=first_text(item, "field"),
            value=value,
            waba=waba,
            at=at,
            number=identifier(metadata.get("phone_number_id")),
            ours=chat_key(identifier(metadata.get("display_phone_number"))),
            contacts=[each for each in contacts if isinstance(each, dict)] if isinstance(contacts, list) else [],
        )

    def person(self, phone: object, user_id: object, parent_id: object = None) -> Person:
        """The person with these ids, any of which may be missing; contacts are matched by id, never by place."""
        keys = [chat_key(identifier(phone)), opaque_key(user_id), opaque_key(parent_id)]
        contact = self._contact(keys)
        if contact is not None:
            known = [chat_key(identifier(contact.get("wa_id"))), opaque_key(contact.get("user_id"))]
            keys = [mine or theirs for mine, theirs in zip(keys, known, strict=False)] + keys[2:]
            keys.append(opaque_key(contact.get("parent_user_id")))
        found = list(dict.fromkeys(key for key in keys if key))
        profile = mapping((contact or {}).get("profile"))
        username = first_text(profile, "username")
        return Person(
            key=found[0] if found else "",
            aliases=tuple(found[1:]),
            name=first_text(profile, "name") or username or None,
            username=username,
        )

    def _contact(self, keys: list[str]) -> dict[str, Any] | None:
        given = {key for key in keys if key}
        if not given:
            # A message that names nobody can only be of the one person the change is about.
            return self.contacts[0] if len(self.contacts) == 1 else None
        for contact in self.contacts:
            theirs = {chat_key(identifier(contact.get("wa_id"))), opaque_key(contact.get("user_id"))}
            if given & (theirs - {""}):
                return contact
        return None


def opaque_key(user_id: object) -> str:
    """The key of a business-scoped user id (``US.1349…``), '' for none."""
    text = identifier(user_id)
    return chat_key(f"{text}@user") if text else ""


def group_key(group_id: object) -> str:
    """The key of a group, '' for none."""
    text = identifier(group_id)
    return text if text.endswith("@g.us") else chat_key(f"{text}@g.us") if text else ""
