"""``/messages``: send, see how far messages got, and take them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import Blueprint, request

from wagate.hooks.messages import MessageView, ReaderView
from wagate.hooks.routes import Answered, endpoint
from wagate.hooks.views import Page
from wagate.parsing.chats import chat_key
from wagate.rules.filters import MessageFilter
from wagate.web.access.idempotency import submission_key
from wagate.web.api.lists import Cursor, Limit
from wagate.web.messages.body import EditBody, SendBody
from wagate.web.messages.content import Draft, check_metadata, check_storable, not_blank, read_chat, read_draft
from wagate.web.messages.sending import DONE, JobDone, Sending, Submission, check_not_failed, patience_of

NOT_KNOWN = (
    "the request was sent but no answer came: the message may or may not have been sent, and is not retried; "
    "a status from the provider settles it"
)
STATUSES = ["queued", "sending", "sent", "delivered", "read", "failed", "unknown"]
Status = Annotated[str, Meta(pattern=f"^({'|'.join(STATUSES)})$")]


class SentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The provider has taken the message."""

    status: Literal["sent"]
    message_id: str
    """The provider's id."""
    delivery_status: Literal["dispatched"]
    sent_at: datetime
    provider: str
    id: str
    """Ours, for ``GET /messages/{id}``."""
    account: str
    """The account that sent it."""
    parts: list[str] | UnsetType = UNSET
    """Our ids of all its parts, in order, when the text was too long for one message."""
    warnings: list[str] | UnsetType = UNSET
    """What the provider can't do and was left out."""


class AcceptedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The message is stored, and not known to be sent yet."""

    status: Literal["queued", "unknown"]
    """queued: it will be sent later; unknown: it may have been sent, and will not be sent again."""
    id: str
    """Ours, for ``GET /messages/{id}``."""
    account: str
    detail: str | UnsetType = UNSET
    """Why it waits, when that is known."""
    parts: list[str] | UnsetType = UNSET
    """As in the answer of one that is sent."""
    warnings: list[str] | UnsetType = UNSET
    """What the provider can't do and was left out."""


ANSWERS: dict[int, Answered] = {200: SentAnswer, 202: AcceptedAnswer}


class MessagesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of which messages."""

    limit: Limit = 50
    cursor: Cursor | None = None
    tenant_id: str | None = None
    """With the admin token: only this client's, by slug or id."""
    account: str | None = None
    """An account's name."""
    chat: str | None = None
    """A phone number, or a chat's key."""
    status: Status | None = None
    message_id: str | None = None
    """The provider's id."""


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """Participants of a group."""

    data: list[ReaderView]
    """In the order in which the provider told of them."""


def messages_routes(sending: Sending) -> Blueprint:
    """Messages: a client's token sends and sees its own, the admin token all."""
    routes = Blueprint("messages", __name__, url_prefix="/messages")
    auth, messages = sending.auth, sending.messages
    _add_readers(routes, sending)
    _add_changes(routes, sending)

    @routes.post("/send")
    @endpoint(body=SendBody, answers=ANSWERS, problems=(404, 409, 413, 422, 502), large=True)
    async def send(body: SendBody) -> tuple[SentAnswer | AcceptedAnswer, int, Mapping[str, str]]:
        """Send a message, and wait up to ten seconds for the provider.

        202 when it takes longer, and always with `Prefer: respond-async`: the message is stored and sent later.
        A text that is too long for the provider goes as several messages, cut at a paragraph; `parts` names them. 422
        when the provider refuses the message, 502 when it was given up; `code` is the provider's own. With an
        Idempotency-Key, the same key and body are the same message for ever, also after a refusal.
        """
        check_metadata(body.metadata)
        check_storable(msgspec.to_builtins(body), "")
        owner = sending.owner(account=body.account, tenant_id=body.tenant_id)
        patience, headers = patience_of(request.headers.get("Prefer", ""))
        asked = Submission(
            draft=read_draft(read_chat(body.to, "to"), body.message, reply_to=body.reply_to_message_id or ""),
            client_id=owner.id,
            account=body.account,
            job=JobDone(id=body.job_id, lease_id=body.lease_id) if body.job_id else None,
            metadata=body.metadata,
            key=await submission_key(),
            patience=patience,
        )
        return *_answer(await sending.submit(asked), asked.draft, waited=patience > 0), headers

    @routes.get("")
    @endpoint(query=MessagesQuery, answers={200: Page[MessageView]}, problems=(404,))
    async def index(query: MessagesQuery) -> Page[MessageView]:
        """Messages that were submitted, newest first."""
        scope = auth.identity().client_id if query.tenant_id is None else auth.owner(query.tenant_id).id
        which = MessageFilter(
            account=query.account,
            chat=chat_key(query.chat) if query.chat else None,
            status=query.status,
            message_id=query.message_id,
        )
        return await messages.page(which, client_id=scope, limit=query.limit, cursor=query.cursor)

    @routes.get("/<uuid:message_id>")
    @endpoint(answers={200: MessageView})
    async def show(message_id: UUID) -> MessageView:
        """One message, by our id."""
        return await messages.get(str(message_id), client_id=auth.identity().client_id)

    return routes


def _add_readers(routes: Blueprint, sending: Sending) -> None:
    @routes.get("/<uuid:message_id>/readers")
    @endpoint(answers={200: Readers})
    async def readers(message_id: UUID) -> Readers:
        """Who of a group has got a message, who has read it, by our id; empty where the provider does not tell."""
        client_id = sending.auth.identity().client_id
        return Readers(data=list(await sending.messages.readers(str(message_id), client_id=client_id)))


def _add_changes(routes: Blueprint, sending: Sending) -> None:
    @routes.put("/<uuid:message_id>")
    @endpoint(body=EditBody, answers={204: None}, problems=(404, 409, 422, 502))
    async def edit(message_id: UUID, body: EditBody) -> tuple[None, int]:
        """Change the text of a message that was sent, or its file's caption, by our id, where the provider can.

        WhatsApp allows it for 15 minutes. 409 when it was not sent; 422 when the provider can't or refuses; 502 when
        nobody knows.
        """
        check_storable(body.text, "text")
        await sending.edit(str(message_id), not_blank(body.text, "text"))
        return None, 204

    @routes.delete("/<uuid:message_id>")
    @endpoint(answers={204: None}, problems=(404, 409, 422, 502))
    async def revoke(message_id: UUID) -> tuple[None, int]:
        """Take a message back from everyone, by our id, where the provider can.

        Twice does no harm. 409 when it was not sent; 422 when the provider can't or refuses; 502 when nobody knows.
        """
        await sending.revoke(str(message_id))
        return None, 204


def _answer(view: MessageView, draft: Draft, *, waited: bool) -> tuple[SentAnswer | AcceptedAnswer, int]:
    warnings = view.warnings or UNSET
    parts = [view.id, *view.part.rest] if view.part is not None else UNSET
    if not waited:
        # However quick the provider was: one answer to expect, not two.
        return AcceptedAnswer(status="queued", id=view.id, account=view.account, parts=parts, warnings=warnings), 202
    check_not_failed(view, draft)
    if view.status not in DONE:
        unknown = view.status == "unknown"
        detail = f"{view.error}; {NOT_KNOWN}" if unknown and view.error else NOT_KNOWN if unknown else view.error
        return AcceptedAnswer(
            status="unknown" if unknown else "queued",
            id=view.id,
            account=view.account,
            detail=detail or UNSET,
            parts=parts,
            warnings=warnings,
        ), 202
    return SentAnswer(
        status="sent",
        message_id=view.message_id or view.id,
        delivery_status="dispatched",
        sent_at=view.sent_at or view.updated_at,
        provider=view.provider,
        id=view.id,
        account=view.account,
        parts=parts,
        warnings=warnings,
    ), 200
