"""Conversations: with whom, in which chats, and what was said; and messages taken in for the archive alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from quart import Blueprint

from wagate.errors import NotFoundError, UnprocessableError
from wagate.events import Event, NewEvent, kinds
from wagate.hooks.contracts import ClientView
from wagate.hooks.routes import endpoint
from wagate.hooks.views import Page
from wagate.inbound.accounts import Accounts
from wagate.inbound.engine import parse_engine
from wagate.inbound.receive import Receiver
from wagate.parsing.chats import USER, chat_key, digits_of
from wagate.storage.database import Database
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import Page as Rows
from wagate.storage.threads.archive import Marks
from wagate.storage.threads.contacts import contacts_of
from wagate.storage.threads.conversations import Kept, Thread, archive, list_threads, owners_of
from wagate.web.access.identity import RequestAuth
from wagate.web.api.lists import Cursor, Limit

MediaUrl = Callable[[Event], str | None]
Place = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{1,17}\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="`next_cursor` of the page before",
    ),
]
"""When the page's last message came in (microseconds since 1970), and its event's id."""
NOT_THERE = "there is no conversation in this chat"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Chat = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="a phone number, or a chat's key")]


class ContactAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A person."""

    id: str
    name: str | None
    """As they call themselves on WhatsApp."""
    phone: str | None
    """Digits of the number that is valid now, when one is known."""
    keys: list[str]
    """All keys known for them: phone, LID, business-scoped id."""


class LastMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message of a chat."""

    id: str
    type: str
    content: str
    """Its last text; '' once it was deleted."""
    direction: str
    timestamp: datetime
    edited_at: datetime | None
    revoked_at: datetime | None
    """When it was deleted for everyone."""


class ConversationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation of one number: a group's, or all with one person, under whatever key."""

    chat: str
    """Its key; use it in `/api/conversations/{chat}/messages`."""
    account: str
    tenant_id: str
    name: str | None
    """Of the group, else of the person."""
    contact: ContactAnswer | None
    """null for groups and lists."""
    messages: int
    """How many there were, those past retention included."""
    last_message: LastMessage | None
    """null when it is past retention."""
    last_message_at: datetime
    created_at: datetime


class FormerText(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a message does not have any more."""

    content: str
    at: datetime
    """Since when it had it."""


class ArchivedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation."""

    id: str
    """The event's id."""
    message_id: str | None
    """The provider's."""
    account: str
    chat: str
    direction: str
    """inbound or outbound."""
    from_: str = msgspec.field(name="from")
    to: str
    contact_name: str | None
    type: str
    content: str
    """Its last text; '' once it was deleted."""
    media: dict[str, Any] | None
    """``url`` (signed, for a while), ``mimetype``, ``filename``; null once it was deleted."""
    reply_to: str | None
    edited_at: datetime | None
    """When it got its last text."""
    revoked_at: datetime | None
    """When it was deleted for everyone."""
    timestamp: datetime
    created_at: datetime
    history: list[FormerText] | UnsetType = UNSET
    """With ``history=1``: the texts that it had before, oldest first."""


class ConversationsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of which conversations."""

    limit: Limit = 50
    cursor: Place | None = None
    account: str | None = None
    tenant_id: str | None = None
    """With the admin token: only this client's, by slug or id."""


class ArchiveQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of the messages."""

    limit: Limit = 50
    cursor: Cursor | None = None
    account: str | None = None
    history: bool = False
    """Also what messages said before they were edited or deleted."""
    tenant_id: str | None = None
    """With the admin token: whose conversation it is, by slug or id; needed when several clients have it."""


class IngestBody(msgspec.Struct, frozen=True, kw_only=True):
    """A message for the archive, in the form of ``POST /webhook/inbound``; more fields are kept in the raw body."""

    from_: str = msgspec.field(name="from")
    message: str | dict[str, Any]
    to: str | None = None
    """Needed when it is outbound."""
    timestamp: str | int | float | None = None
    message_id: str | None = None
    """Without one, nothing counts as a duplicate."""
    tenant_id: str | None = None
    """With the admin token: the owner; default: the client with the number on our side."""
    contact_name: str | None = None
    reply_to_message_id: str | None = None
    direction: Literal["inbound", "outbound"] = "inbound"


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message."""

    status: str
    """ingested, or duplicate."""
    id: str
    """The event's id; of a duplicate: the first one's."""
    tenant_id: str
    account: str
    conversation_id: str
    """The chat's key."""
    contact_id: str | None
    """null for groups."""


def conversations_routes(
    auth: RequestAuth,
    database: Database,
    live: LiveDirectory,
    accounts: Accounts,
    receiver: Receiver,
    *,
    media_url: MediaUrl,
) -> Blueprint:
    """Lists and the archive; a client's token sees and makes its own."""
    routes = Blueprint("conversations", __name__)
    _add_lists(routes, auth, database, live, media_url)

    @routes.post("/routes/api/v1/conversations/ingest")
    @endpoint(body=IngestBody, answers={201: Ingested, 200: Ingested}, problems=(404, 409))
    async def ingest(body: IngestBody) -> tuple[Ingested, int]:
        """Store a message in its conversation without delivering it. 200: a duplicate, nothing was stored."""
        ours, event = _read(body)
        owner = _owner(auth, live, body.tenant_id, ours)
        account = await accounts.of_number(live.now.clients[owner.id], ours)
        stored = await receiver.archive(account, event, msgspec.json.encode(body))
        key = (owner.id, event.chat)
        contact = (await database.browse(contacts_of, [key])).get(key)
        answer = Ingested(
            status="duplicate" if stored.duplicate else "ingested",
            id=stored.event_id,
            tenant_id=owner.slug,
            account=account.name,
            conversation_id=event.chat,
            contact_id=contact.id if contact is not None else None,
        )
        return answer, 200 if stored.duplicate else 201

    return routes


def _add_lists(
    routes: Blueprint, auth: RequestAuth, database: Database, live: LiveDirectory, media_url: MediaUrl
) -> None:
    @routes.get("/api/conversations")
    @endpoint(query=ConversationsQuery, answers={200: Page[ConversationAnswer]}, problems=(404,))
    async def index(query: ConversationsQuery) -> Page[ConversationAnswer]:
        """Conversations, the one with the newest message first."""
        scope = auth.identity().client_id if query.tenant_id is None else auth.owner(query.tenant_id).id
        threads = await database.browse(
            list_threads,
            client_id=scope,
            limit=query.limit + 1,
            before=place_of(query.cursor),
            account=query.account,
        )
        page = threads[: query.limit]
        more = len(threads) > query.limit
        answers = [_conversation(each, live.now.clients[each.client_id].slug) for each in page]
        return Page(data=answers, next_cursor=cursor_of(page[-1]) if more else None)

    @routes.get("/api/conversations/<chat>/messages")
    @endpoint(query=ArchiveQuery, answers={200: Page[ArchivedMessage]})
    async def messages(chat: str, query: ArchiveQuery) -> Page[ArchivedMessage]:
        """What was said in a chat, newest first; also under the person's other keys."""
        key = chat_key(chat)
        client_id = auth.identity().client_id if query.tenant_id is None else auth.owner(query.tenant_id).id
        if client_id is None:
            client_id = _only(await database.browse(owners_of, key, account=query.account))
        found: Rows[Kept] = await database.browse(
            archive, client_id=client_id, chat=key, limit=query.limit, cursor=query.cursor, account=query.account
        )
        if not found.data and query.cursor is None:
            known = await database.browse(list_threads, client_id=client_id, limit=1, chat=key, account=query.account)
            if not known:
                raise NotFoundError(NOT_THERE)
        data = [_message(each.event, each.marks, media_url(each.event), query.history) for each in found.data]
        return Page(data=data, next_cursor=found.next_cursor)


def _only(owners: set[int]) -> int:
    """The client whose conversation it is. NotFoundError, UnprocessableError: the admin token must say whose."""
    if not owners:
        raise NotFoundError(NOT_THERE)
    if len(owners) > 1:
        raise UnprocessableError("several clients have this conversation; set tenant_id", field="tenant_id")
    return min(owners)


def _read(body: IngestBody) -> tuple[str | None, NewEvent]:
    """The key of the number on our side, and the event."""
    document = msgspec.to_builtins(body)
    if body.direction == "inbound":
        message = parse_engine(document)
        return message.to, message.event
    if body.to is None:
        raise UnprocessableError("an outbound message needs a recipient", field="to")
    ours = chat_key(body.from_)
    if not ours.endswith(f"@{USER}"):
        raise UnprocessableError("from is the phone number that sent it, like +1987654321", field="from")
    event = parse_engine(document | {"from": body.to, "to": None}).event
    event = msgspec.structs.replace(
        event,
        kind=kinds.MESSAGE_ANY if event.kind == kinds.MESSAGE else event.kind,
        dedupe_kind=event.kind,
        sender=ours,
        recipient=event.chat,
        from_me=True,
        contact_name=None,
    )
    return ours, event


def _owner(auth: RequestAuth, live: LiveDirectory, tenant_id: str | None, ours: str | None) -> ClientView:
    """Whose it is: the tenant named, the token's, else the only one that has the number on our side."""
    if tenant_id is not None or not auth.identity().admin:
        return auth.owner(tenant_id)
    number = digits_of(ours or "")
    owners = {each for each in live.now.clients if number and live.now.with_phone(each, number) is not None}
    if len(owners) != 1:
        why = "several clients have this number" if owners else "no client has this number"
        raise UnprocessableError(f"{why}; set tenant_id", field="tenant_id")
    return auth.owner(str(owners.pop()))


def _conversation(thread: Thread, tenant: str) -> ConversationAnswer:
    last, contact = thread.last, thread.contact
    return ConversationAnswer(
        chat=thread.chat,
        account=thread.account,
        tenant_id=tenant,
        name=thread.name or (contact.name if contact is not None else "") or None,
        contact=None
        if contact is None
        else ContactAnswer(
            id=contact.id,
            name=contact.name or None,
            phone=digits_of(contact.phone) or None,
            keys=contact.keys,
        ),
        messages=thread.messages,
        last_message=None
        if last is None
        else LastMessage(
            id=last.id,
            type=last.type,
            content=content_now(last, thread.marks),
            direction=_direction(last),
            timestamp=last.timestamp,
            edited_at=_edited_at(thread.marks),
            revoked_at=thread.marks.revoked_at,
        ),
        last_message_at=thread.last_at,
        created_at=thread.created_at,
    )


def content_now(event: Event, marks: Marks) -> str:
    """What it says now."""
    if marks.revoked_at is not None:
        return ""
    return marks.edits[-1].content if marks.edits else event.content


def _edited_at(marks: Marks) -> datetime | None:
    return marks.edits[-1].at if marks.edits else None


def _former(event: Event, marks: Marks) -> list[FormerText]:
    texts = [FormerText(content=event.content, at=event.timestamp)]
    texts += [FormerText(content=each.content, at=each.at) for each in marks.edits]
    return texts if marks.revoked_at is not None else texts[:-1]


def _message(event: Event, marks: Marks, url: str | None, history: bool) -> ArchivedMessage:
    media = event.media if marks.revoked_at is None else None
    return ArchivedMessage(
        id=event.id,
        message_id=event.message_id or None,
        account=event.account,
        chat=event.chat,
        direction=_direction(event),
        from_=digits_of(event.sender),
        to=digits_of(event.recipient),
        contact_name=event.contact_name,
        type=event.type,
        content=content_now(event, marks),
        media=None if media is None else {"url": url, "mimetype": media.mimetype, "filename": media.filename},
        reply_to=event.reply_to,
        edited_at=_edited_at(marks),
        revoked_at=marks.revoked_at,
        timestamp=event.timestamp,
        created_at=event.created_at,
        history=_former(event, marks) if history else UNSET,
    )


def _direction(event: Event) -> str:
    return "outbound" if event.from_me else "inbound"


def cursor_of(thread: Thread) -> str:
    """Where the page after this thread begins."""
    return f"{(thread.last_at - _EPOCH) // _MICROSECOND}.{thread.last_event_id}"


def place_of(cursor: str | None) -> tuple[datetime, str] | None:
    """The place that a cursor means."""
    if cursor is None:
        return None
    microseconds, _, event_id = cursor.partition(".")
    return _EPOCH + int(microseconds) * _MICROSECOND, event_id
