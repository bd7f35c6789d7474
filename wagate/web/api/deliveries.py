"""``/api/jobs`` (the path is contract): every delivery of every connector, with its attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType
from quart import Blueprint

from wagate.context.deliveries import DeliveryLog
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.views import AttemptView, DeliveryView, Page
from wagate.parsing.chats import chat_key, digits_of
from wagate.rules.filters import DeliveryFilter
from wagate.rules.states import Status
from wagate.web.access.identity import RequestAuth
from wagate.web.api.lists import Cursor, Limit, Moment, utc


class DeliveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one target of one connector."""

    id: str
    """The delivery's id: ``webhook-id``, ``job_id``."""
    event_id: str
    """The event's id, shared by all its targets."""
    event: str
    """The event's name: message, message.ack …"""
    connector: str
    """webhook, n8n …"""
    target: str
    """The connector's own id of the target: a webhook's id …"""
    mode: str
    """push or pull."""
    status: Status
    held: bool
    """Out of attempts, waiting at the head of its chat for its target to answer again."""
    stuck: bool
    """Several processes died while they tried it. Its chat waits until somebody retries or cancels it."""
    client_id: int
    tenant_id: str
    """The owner's slug."""
    account: str
    chat: str
    message_id: str
    from_: str = msgspec.field(name="from")
    """Digits of a number, else the chat's key."""
    to: str
    """Likewise."""
    message_type: str
    content: str
    """Text, else caption, else ''."""
    attempt_count: int
    max_retries: int
    """Total number of attempts."""
    http_status: int | None
    response: str | None
    """The first 20 kB of the last answer."""
    error: str | None
    """Why the last attempt failed."""
    next_retry_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    updated_at: datetime
    attempts: list[AttemptView]
    """In order."""


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of which deliveries."""

    limit: Limit = 50
    cursor: Cursor | None = None
    connector: str | None = None
    """webhook, n8n …"""
    handler: str | None = None
    """The same as ``connector``."""
    target: str | None = None
    """The connector's own id of the target: a webhook's id …"""
    status: Status | UnsetType = UNSET
    state: Status | UnsetType = UNSET
    """The same as ``status``."""
    account: str | None = None
    """An account's name."""
    chat: str | None = None
    """A phone number, or a chat's key."""
    message_id: str | None = None
    stuck: Literal["true", "false"] | UnsetType = UNSET
    """``true``: only those that need somebody to act; ``false``: only the others."""
    error: str | None = None
    """A part of the last error, in any case."""
    client: str | None = None
    """With the admin token: only this client's, by slug or id."""
    tenant_id: str | None = None
    """The same as ``client``."""
    since: Moment | None = None
    """Stored then or later."""
    until: Moment | None = None
    """Stored before then."""


def delivery_routes(auth: RequestAuth, deliveries: DeliveryLog) -> Blueprint:
    """Deliveries: a client's token sees its own, the admin token all."""
    routes = Blueprint("jobs", __name__, url_prefix="/api/jobs")

    @routes.get("")
    @endpoint(query=DeliveryQuery, answers={200: Page[DeliveryAnswer]}, problems=(404,))
    async def index(query: DeliveryQuery) -> Page[DeliveryAnswer]:
        """Deliveries, newest first."""
        client = query.client or query.tenant_id
        scope = auth.identity().client_id if client is None else auth.owner(client).id
        page = await deliveries.page(_filter(query), client_id=scope, limit=query.limit, cursor=query.cursor)
        return Page(data=[_answer(each) for each in page.data], next_cursor=page.next_cursor)

    @routes.get("/<job_id>")
    @endpoint(answers={200: DeliveryAnswer})
    async def show(job_id: str) -> DeliveryAnswer:
        """One delivery, by its id or its event's id."""
        return _answer(await deliveries.get(job_id, client_id=auth.identity().client_id))

    @routes.post("/<job_id>/retry")
    @endpoint(answers={200: DeliveryAnswer}, problems=(409,), act="retry")
    async def retry(job_id: str) -> DeliveryAnswer:
        """Run it again: now when it waits, at the end of its chat when it was final. 409 when it was delivered."""
        return _acted_on(await deliveries.retry(job_id, client_id=auth.identity().client_id))

    @routes.post("/<job_id>/cancel")
    @endpoint(answers={200: DeliveryAnswer}, problems=(409,), act="give up")
    async def cancel(job_id: str) -> DeliveryAnswer:
        """Give it up. 409 when it is final already."""
        return _acted_on(await deliveries.cancel(job_id, client_id=auth.identity().client_id))

    @routes.post("/<job_id>/skip")
    @endpoint(answers={200: DeliveryAnswer}, problems=(409,), act="skip")
    async def skip(job_id: str) -> DeliveryAnswer:
        """Put it at the end of its chat, so that those behind it go on. 409 when it is final, or being tried."""
        return _acted_on(await deliveries.skip(job_id, client_id=auth.identity().client_id))

    return routes


def _acted_on(view: DeliveryView) -> DeliveryAnswer:
    acts_on(view.id, owner=view.event.client_id)
    return _answer(view)


def _filter(query: DeliveryQuery) -> DeliveryFilter:
    return DeliveryFilter(
        handler=query.connector or query.handler,
        target=query.target,
        status=query.status or query.state or None,
        account=query.account,
        chat=chat_key(query.chat) if query.chat else None,
        message_id=query.message_id,
        stuck=None if query.stuck is UNSET else query.stuck == "true",
        error=query.error or None,
        since=utc(query.since, "since"),
        until=utc(query.until, "until"),
    )


def _answer(view: DeliveryView) -> DeliveryAnswer:
    event = view.event
    return DeliveryAnswer(
        id=view.id,
        event_id=event.id,
        event=event.kind,
        connector=view.handler,
        target=view.target,
        mode=view.mode,
        status=Status(view.status),
        held=view.held,
        stuck=view.stuck,
        client_id=event.client_id,
        tenant_id=event.tenant,
        account=event.account,
        chat=event.chat,
        message_id=event.message_id,
        from_=digits_of(event.sender),
        to=digits_of(event.recipient),
        message_type=event.type,
        content=event.content,
        attempt_count=view.attempt_count,
        max_retries=view.max_retries,
        http_status=view.http_status,
        response=view.response,
        error=view.error,
        next_retry_at=view.next_retry_at,
        created_at=view.created_at,
        delivered_at=view.delivered_at,
        updated_at=view.updated_at,
        attempts=view.attempts,
    )
