"""WAHA's verbs: what was built to send through WAHA sends through wagate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from quart import Blueprint, request

from wagate.errors import NotFoundError, UnprocessableError
from wagate.hooks.messages import MEDIA_TYPES, OutMessage, OutReaction, Signal
from wagate.hooks.routes import endpoint
from wagate.outbound.submitted import in_dialogue
from wagate.web.access.idempotency import submission_key
from wagate.web.messages.content import Draft, check_storable, read_chat
from wagate.web.messages.sending import Sending, Submission, check_not_failed, patience_of
from wagate.web.waha.bodies import (
    Body,
    ChatBody,
    ContactsBody,
    FileBody,
    LocationBody,
    ReactionBody,
    SeenBody,
    Success,
    TextBody,
    WahaMessage,
    base_of,
    contacts_draft,
    file_draft,
    location_draft,
    text_draft,
    waha_message,
)
from wagate.web.waha.desk import DEFAULT, Call
from wagate.web.waha.message_names import MessageNames


@dataclass(frozen=True)
class Verb:
    """One way to send."""

    name: str
    doc: str
    kind: str
    """The message's type."""
    body: type[Body]
    draft: Callable[[Any, OutMessage], Draft]


VERBS = (
    Verb("sendText", "Send a text, as WAHA does.", "text", TextBody, text_draft),
    Verb("sendImage", "Send an image, as WAHA does.", "image", FileBody, file_draft),
    Verb("sendFile", "Send a document, as WAHA does.", "document", FileBody, file_draft),
    Verb("sendVoice", "Send a voice message, as WAHA does.", "voice", FileBody, file_draft),
    Verb("sendVideo", "Send a video, as WAHA does.", "video", FileBody, file_draft),
    Verb("sendLocation", "Send a place, as WAHA does.", "location", LocationBody, location_draft),
    Verb("sendContactVcard", "Send contacts, as WAHA does.", "contacts", ContactsBody, contacts_draft),
)


def waha_send_routes(sending: Sending, names: MessageNames) -> Blueprint:
    """Messages, reactions, what is no message, and what is taken back."""
    routes = Blueprint("waha_send", __name__, url_prefix="/api")
    for verb in VERBS:
        _add_verb(routes, verb, sending, names)
    _add_reaction(routes, sending, names)
    _add_signals(routes, sending, names)
    _add_revoke(routes, sending, names)
    return routes


def _add_verb(routes: Blueprint, verb: Verb, sending: Sending, names: MessageNames) -> None:
    async def send(body: Body) -> tuple[WahaMessage, int]:
        check_storable(msgspec.to_builtins(body), "")
        client_id, account = sender_of(sending, body.session)
        base = base_of(body, verb.kind, "")
        if body.reply_to:
            quoted = await names.find(body.reply_to, client_id=client_id, field="reply_to")
            base = msgspec.structs.replace(base, reply_to=quoted.id)
        return await submit(sending, verb.draft(body, base), client_id, account), 201

    send.__doc__ = f"{verb.doc}\n\nWaits up to ten seconds; a message that is not sent by then is sent later."
    view = endpoint(body=verb.body, answers={201: WahaMessage}, problems=(404, 413, 502), large=True)(send)
    routes.add_url_rule(f"/{verb.name}", verb.name, view, methods=["POST"])


def _add_reaction(routes: Blueprint, sending: Sending, names: MessageNames) -> None:
    @routes.put("/reaction")
    @endpoint(body=ReactionBody, answers={200: WahaMessage}, problems=(404, 502))
    async def react(body: ReactionBody) -> WahaMessage:
        """Put an emoji on a message, or take it back, as WAHA does."""
        check_storable(msgspec.to_builtins(body), "")
        client_id, account = sender_of(sending, body.session)
        named = await names.find(body.message_id, client_id=client_id, field="messageId")
        if not named.chat:
            detail = "this message is not known here; give its full id with the chat: false_<chat>_<id>"
            raise UnprocessableError(detail, field="messageId")
        reaction = OutReaction(message_id=named.id, emoji=body.reaction)
        message = OutMessage(chat=read_chat(named.chat, "messageId"), type="reaction", reaction=reaction)
        return await submit(sending, Draft(message=message), client_id, account)


def _add_signals(routes: Blueprint, sending: Sending, names: MessageNames) -> None:
    async def tell(kind: str, body: ChatBody, ids: tuple[str, ...] = ()) -> tuple[Success, int]:
        check_storable(msgspec.to_builtins(body), "")
        client_id, account = sender_of(sending, body.session)
        chat = read_chat(body.chat_id, "chatId")
        named = [await names.find(each, client_id=client_id, field="messageIds") for each in ids]
        signal = Signal(kind=kind, chat=chat, message_ids=tuple(each.id for each in named))
        await sending.signal(signal, client_id=client_id, account=account)
        return Success(), 201

    @routes.post("/sendSeen")
    @endpoint(body=SeenBody, answers={201: Success}, problems=(404, 502))
    async def seen(body: SeenBody) -> tuple[Success, int]:
        """Mark messages as seen, as WAHA does."""
        ids = [*(body.message_ids or ()), body.message_id or ""]
        return await tell("seen", body, tuple(each for each in ids if each))

    @routes.post("/startTyping")
    @endpoint(body=ChatBody, answers={201: Success}, problems=(404, 502))
    async def start_typing(body: ChatBody) -> tuple[Success, int]:
        """Show that somebody types, as WAHA does."""
        return await tell("typing", body)

    @routes.post("/stopTyping")
    @endpoint(body=ChatBody, answers={201: Success}, problems=(404, 502))
    async def stop_typing(body: ChatBody) -> tuple[Success, int]:
        """Show that nobody types any more, as WAHA does."""
        return await tell("paused", body)


def _add_revoke(routes: Blueprint, sending: Sending, names: MessageNames) -> None:
    @routes.delete("/<session>/chats/<chat_id>/messages/<path:message_id>")
    @endpoint(answers={200: Success}, problems=(404, 409, 422, 502), listed=False)
    async def revoke(session: str, chat_id: str, message_id: str) -> Success:  # noqa: ARG001  (the id says it all)
        """Take one of our messages back from everyone, as WAHA does."""
        client_id, account = sender_of(sending, session)
        view = await names.ours(message_id, client_id=client_id, account=account)
        await sending.revoke(view.id)
        return Success()


async def send_draft(call: Call, draft: Draft, session: str | None) -> WahaMessage:
    """Send what the call is about, from the account that its body names."""
    client_id, account = sender_of(call.desk.sending, session)
    return await submit(call.desk.sending, draft, client_id, account)


async def quoting(call: Call, body: Body) -> OutMessage:
    """What all messages have, with the message that it answers."""
    base = base_of(body, "text", "")
    if not body.reply_to:
        return base
    client_id, _ = sender_of(call.desk.sending, body.session)
    quoted = await call.desk.names.find(body.reply_to, client_id=client_id, field="reply_to")
    return msgspec.structs.replace(base, reply_to=quoted.id)


async def submit(sending: Sending, draft: Draft, client_id: int, account: str | None) -> WahaMessage:
    """Send it, and answer as WAHA does."""
    patience, _ = patience_of(request.headers.get("Prefer", ""))
    # Told here, too, by the name that the field has in WAHA's bodies.
    draft = msgspec.structs.replace(draft, message=in_dialogue(draft.message, field="chatId"))
    asked = Submission(draft=draft, client_id=client_id, account=account, key=await submission_key(), patience=patience)
    view = await sending.submit(asked)
    check_not_failed(view, draft)
    ours = sending.accounts.get(view.account)
    has_media = draft.message.type in MEDIA_TYPES
    return waha_message(view, phone=ours.phone if ours is not None else "", has_media=has_media)


def sender_of(sending: Sending, name: str | None) -> tuple[int, str | None]:
    """The client and the account that a body's ``session`` names; without one, or ``default``, the client chooses."""
    account = sending.accounts.get(name) if name else None
    if account is not None and sending.auth.may_see(account.client_id):
        return account.client_id, account.name
    if name in {None, "", DEFAULT}:
        return sending.auth.owner(None).id, None
    raise NotFoundError(f"Session not found: {name[:100] if name else ''!r}")
