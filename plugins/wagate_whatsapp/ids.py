"""Ids of messages, in the form that WAHA gives them: ``<fromMe>_<chat>_<id>[_<participant>]``.

WhatsApp's own id is unique for its sender only, and to quote, react or revoke one has to know who wrote the message and
where: all of that stands in it.
"""

from __future__ import annotations

import msgspec

from wagate.errors import SendRefusedError
from wagate.parsing.chats import GROUP, LID, USER
from wagate.parsing.fields import identifier


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """Which message."""

    chat: str
    """The chat's key."""
    id: str
    """WhatsApp's own."""
    from_me: bool
    participant: str = ""
    """Who wrote it, in a group."""

    @property
    def whole(self) -> str:
        """As it is told outside."""
        parts = ("true" if self.from_me else "false", self.chat, self.id, *filter(None, (self.participant,)))
        return identifier("_".join(parts))


def key_of(text: str) -> Key:
    """An id that was told outside. SendRefusedError: it is none of ours."""
    parts = text.split("_", 3)
    if len(parts) < 3 or parts[0] not in {"true", "false"} or "@" not in parts[1]:
        raise SendRefusedError(f"{text[:60]!r} is no id of a message here, like false_15550001111@c.us_3EB0…")
    participant = parts[3] if len(parts) > 3 else ""
    return Key(chat=parts[1], id=parts[2], from_me=parts[0] == "true", participant=participant)


def jid_of(key: str) -> str:
    """A chat's key as WhatsApp writes it. SendRefusedError: it is no chat of WhatsApp's."""
    local, _, domain = key.rpartition("@")
    if domain == USER:
        return f"{local}@s.whatsapp.net"
    if domain in {GROUP, LID, "newsletter", "broadcast"} and local:
        return key
    raise SendRefusedError(f"{key[:60]!r} is no chat of WhatsApp's")


def proto_key(key: Key) -> dict[str, object]:
    """WhatsApp's MessageKey as JSON."""
    found: dict[str, object] = {"remoteJID": jid_of(key.chat), "fromMe": key.from_me, "ID": key.id}
    if key.participant and key.chat.endswith(f"@{GROUP}"):
        found["participant"] = jid_of(key.participant)
    return found
