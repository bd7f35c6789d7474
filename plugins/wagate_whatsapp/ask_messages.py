"""Messages that are no outgoing messages of wagate's: pins, stories, votes, invitations; and labels."""

from __future__ import annotations

import os
import re
from typing import Final

from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks import Outgoing, OutMessage
from wagate.hooks.answers import Label
from wagate.hooks.asks import (
    DeleteStory,
    ListLabeled,
    ListLabels,
    PinMessage,
    PostEvent,
    PostStory,
    PressButton,
    VotePoll,
)
from wagate.parsing.chats import GROUP
from wagate_whatsapp.asking import Act, Asked
from wagate_whatsapp.compose import quote_of, revocation
from wagate_whatsapp.ids import Key, jid_of, key_of, proto_key
from wagate_whatsapp.process import Json

STATUS: Final = "status@broadcast"
_COLOR: Final = re.compile(r"#?([0-9a-fA-F]{6})")
BUSINESS: Final = frozenset({"smba", "smbi"})
"""What the phone's app calls itself when it is WhatsApp Business (whatsmeow, types of ``platform`` after linking)."""
NO_LABELS: Final = "this engine reads no labels of WhatsApp Business"


async def pin_message(to: Asked, ask: PinMessage) -> None:
    """A message that names another one; source: neonize, PinMessage."""
    told = {
        "key": proto_key(key_of(ask.message_id)),
        "type": "PIN_FOR_ALL" if ask.seconds else "UNPIN_FOR_ALL",
        "senderTimestampMS": str(int(to.clock.time() * 1000)),
    }
    context = {"messageAddOnExpiryType": "STATIC", "messageAddOnDurationInSecs": ask.seconds}
    message = {"pinInChatMessage": told} | ({"messageContextInfo": context} if ask.seconds else {})
    await to.send(jid_of(ask.chat), message)


async def post_story(to: Asked, ask: PostStory) -> str:
    """To all contacts, or whom the number's own privacy setting names."""
    if ask.to:
        raise SendRefusedError("who sees a story is set on the phone; leave contacts out", code="NOT_SUPPORTED")
    if ask.type != "text":
        message = OutMessage(chat=STATUS, type=ask.type, text=ask.text)
        ident = os.urandom(12).hex()
        sent = await to.sender.send(Outgoing(id=ident, message=message, account=to.account, file=ask.file))
        return sent.message_id
    color = _COLOR.fullmatch(ask.background)
    if ask.background and color is None:
        raise SendRefusedError(f"{ask.background[:20]!r} is no color like #38b42f")
    body: Json = {"text": ask.text, "backgroundArgb": 0xFF000000 | int(color[1], 16) if color else 0xFF38B42F}
    told = await to.send(STATUS, {"extendedTextMessage": body | ({"font": ask.font} if ask.font else {})})
    return Key(chat=STATUS, id=told["id"], from_me=True).whole


async def delete_story(to: Asked, ask: DeleteStory) -> None:
    """For everybody."""
    key = key_of(ask.message_id) if "_" in ask.message_id else Key(chat=STATUS, id=ask.message_id, from_me=True)
    await to.send(STATUS, revocation(key.whole))


async def vote_poll(to: Asked, ask: VotePoll) -> None:
    """SendRefusedError: the poll came before this number was linked, or is none."""
    key = key_of(ask.message_id)
    writer = to.number.us.phone if key.from_me else key.participant or key.chat
    fields = {"id": key.id, "chat": jid_of(key.chat), "sender": jid_of(writer), "options": list(ask.options)}
    try:
        message = await to.read("vote", from_me=key.from_me, group=key.chat.endswith(f"@{GROUP}"), **fields)
    except NotSentError as error:
        if "secret" not in error.reason:
            raise
        raise SendRefusedError("this poll is not known here: it came before the number was linked") from error
    await to.send(jid_of(ask.chat), message)


async def post_event(to: Asked, ask: PostEvent) -> str:
    """An invitation that can be answered: hence the secret."""
    body: Json = {"name": ask.name, "startTime": str(ask.start), "extraGuestsAllowed": ask.extra_guests}
    body |= {"description": ask.description} if ask.description else {}
    body |= {"endTime": str(ask.end)} if ask.end else {}
    body |= {"location": {"name": ask.place}} if ask.place else {}
    body |= quote_of(ask.reply_to, ask.chat, to.number.us)
    secret = to.number.references.secret(os.urandom(16).hex())
    message = {"eventMessage": body, "messageContextInfo": {"messageSecret": secret}}
    told = await to.send(jid_of(ask.chat), message)
    own = to.number.us.phone if ask.chat.endswith(f"@{GROUP}") else ""
    return Key(chat=ask.chat, id=told["id"], from_me=True, participant=own).whole


async def press_button(to: Asked, ask: PressButton) -> str:
    """As a phone answers a message with buttons."""
    body: Json = {"selectedButtonID": ask.button_id, "selectedDisplayText": ask.text, "type": "DISPLAY_TEXT"}
    told = await to.send(
        jid_of(ask.chat), {"buttonsResponseMessage": body | quote_of(ask.reply_to, ask.chat, to.number.us)}
    )
    own = to.number.us.phone if ask.chat.endswith(f"@{GROUP}") else ""
    return Key(chat=ask.chat, id=told["id"], from_me=True, participant=own).whole


async def list_labels(to: Asked, _ask: ListLabels) -> tuple[Label, ...]:
    """WhatsApp without Business has none; those of Business can't be read."""
    _refuse_business(to)
    return ()


async def list_labeled(to: Asked, _ask: ListLabeled) -> tuple[str, ...]:
    """Likewise."""
    _refuse_business(to)
    return ()


def _refuse_business(to: Asked) -> None:
    if not to.number.us.platform or to.number.us.platform in BUSINESS:
        raise SendRefusedError(NO_LABELS, code="NOT_SUPPORTED")


MESSAGES: dict[type, Act] = {
    PinMessage: pin_message,
    PostStory: post_story,
    DeleteStory: delete_story,
    VotePoll: vote_poll,
    PostEvent: post_event,
    PressButton: press_button,
    ListLabels: list_labels,
    ListLabeled: list_labeled,
}
"""What can be asked → how it is."""
