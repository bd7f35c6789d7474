"""WAHA's message ids: ``<fromMe>_<chat>_<id>[_<participant>]`` (waha, src/core/utils/ids.ts)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.parsing.chats import GROUP, chat_key
from wagate.parsing.fields import identifier, mapping


class MessageId(msgspec.Struct, frozen=True, kw_only=True):
    """An id, taken apart."""

    bare: str
    """WhatsApp's own id of the message; '' when there is none."""
    chat: str = ""
    """As written; '' when the id is bare."""
    participant: str = ""
    """Who wrote it, in a group."""
    from_me: bool | None = None
    """None: a bare id doesn't say."""

    @property
    def whole(self) -> str:
        """As WAHA writes it."""
        if self.from_me is None or not self.bare:
            return self.bare
        parts = ["true" if self.from_me else "false", self.chat, self.bare, *filter(None, (self.participant,))]
        return identifier("_".join(parts))


def read_id(value: object) -> MessageId:
    """An id of any of WAHA's engines: text, or whatsapp-web.js' object with ``_serialized``."""
    if isinstance(value, dict):
        value = value.get("_serialized") or value.get("id")
    text = identifier(value)
    parts = text.split("_", 3)
    if len(parts) < 3 or parts[0] not in {"true", "false"}:
        return MessageId(bare=text)
    participant = parts[3] if len(parts) > 3 else ""
    return MessageId(bare=parts[2], chat=parts[1], participant=participant, from_me=parts[0] == "true")


def own_form(found: MessageId, me: dict[str, Any], phone_chat: str) -> MessageId:
    """One id for one message of our own, however its echo writes us.

    WAHA answers a send with ``true_<chat>_<id>_<me.id>``; in chats that hide numbers the echo has our LID, or the
    other side's, in that place (session.gows.core.ts: messageResponse, toWAMessage). ``phone_chat`` is the chat's phone
    key when it is known.
    """
    if found.from_me is not True:
        return found
    if phone_chat and found.chat.endswith("@lid"):
        found = replace(found, chat=phone_chat)
    lids = {chat_key(text) for text in (me.get("lid"), me.get("jid")) if isinstance(text, str)}
    ours = me.get("id")
    if isinstance(ours, str) and found.chat.endswith(f"@{GROUP}") and chat_key(found.participant) in lids:
        return replace(found, participant=ours)
    return found


def id_in_answer(document: object) -> str:
    """The message's id in a send's answer; '' when it says none.

    GOWS: ``{"id": "true_…", "_data"}``; NOWEB: ``{"key": {remoteJid, fromMe, id, participant}}``; WEBJS: the message,
    its ``id`` an object with ``_serialized``.
    """
    answer = mapping(document)
    key = mapping(answer.get("key"))
    if key:
        remote, participant = key.get("remoteJid"), key.get("participant")
        made = MessageId(
            bare=identifier(key.get("id")),
            chat=_written(remote),
            participant=_written(participant),
            from_me=key.get("fromMe") is not False,
        )
        return made.whole
    found = answer.get("id")
    if isinstance(found, dict) and not found.get("_serialized"):
        remote = found.get("remote")
        remote = mapping(remote).get("_serialized") if isinstance(remote, dict) else remote
        return MessageId(bare=identifier(found.get("id")), chat=_written(remote), from_me=True).whole
    return read_id(found).whole


def _written(value: object) -> str:
    """A JID as WAHA writes it in ids."""
    return chat_key(value) if isinstance(value, str) else ""
