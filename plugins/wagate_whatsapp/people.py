"""Who wrote to whom: WhatsApp knows a person by phone, by LID, or by both; the phone is the key when it is known."""

from __future__ import annotations

from datetime import datetime

import msgspec

from wagate.parsing.chats import GROUP, LID, USER, chat_key
from wagate.parsing.fields import first_text, instant
from wagate_whatsapp.ids import Key
from wagate_whatsapp.process import Json

ADMIN_REVOKE = "8"
"""Source: whatsmeow, types/message.go, EditAttributeAdminRevoke."""


class Us(msgspec.Struct, frozen=True, kw_only=True):
    """Our own number, as the scan told it."""

    jid: str = ""
    lid: str = ""
    platform: str = ""
    """What the phone's app calls itself: ``android``, ``iphone``, ``smba`` …; '' when it is not known."""

    @property
    def phone(self) -> str:
        """Its chat key; '' before the scan."""
        return chat_key(self.jid)

    @property
    def keys(self) -> frozenset[str]:
        """All keys that mean us."""
        return frozenset({chat_key(self.jid), chat_key(self.lid)} - {""})


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Of one message or receipt."""

    chat: str
    sender: str
    recipient: str
    from_me: bool
    aliases: tuple[str, ...] = ()
    """Other keys of the sender."""

    def key(self, message_id: str) -> Key:
        """The key of a message that the sender wrote here."""
        participant = self.sender if self.chat.endswith(f"@{GROUP}") else ""
        return Key(chat=self.chat, id=message_id, from_me=self.from_me, participant=participant)


def parties(line: Json, us: Us) -> Parties:
    """Read who is who from a line of the engine."""
    chat = person(first_text(line, "chat"), first_text(line, "chat_alt"))
    from_me = line.get("from_me") is True
    if from_me:
        sender = us.phone or chat_key(first_text(line, "sender"))
        aliases = us.keys
    else:
        sender = person(first_text(line, "sender"), first_text(line, "sender_alt"))
        aliases = frozenset({chat_key(first_text(line, "sender")), chat_key(first_text(line, "sender_alt"))})
    return Parties(
        chat=chat,
        sender=sender,
        recipient=chat if from_me else us.phone,
        from_me=from_me,
        aliases=tuple(sorted(aliases - {sender, ""})),
    )


def person(jid: str, alt: str) -> str:
    """The phone's key of the two, else the first one's."""
    keys = [chat_key(jid), chat_key(alt)]
    if keys[0].endswith(f"@{LID}") and keys[1].endswith(f"@{USER}"):
        return keys[1]
    return keys[0]


def may_change(about: Key, line: Json, who: Parties, *, revoked: bool) -> bool:
    """Whether it is the writer's own message: any client can name another's, and WhatsApp's own heed no such change.

    An admin takes others' messages back; that, WhatsApp's server checks by the ``edit`` of its stanza.
    """
    if who.chat.endswith(f"@{GROUP}"):
        return about.participant == who.sender or (revoked and line.get("edit") == ADMIN_REVOKE)
    return about.from_me == who.from_me


def moment(line: Json) -> datetime | None:
    """When it happened."""
    return instant(line.get("time"))
