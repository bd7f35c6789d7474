"""What the routes answer."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from wagate.errors import NotFoundError
from wagate.hooks import AttemptView, DeliveryView, Endpoint, Page, PluginContext, RequestView
from wagate_webhook.deliver import request_headers
from wagate_webhook.options import Shown, read_options, read_shown
from wagate_webhook.payload import encode, letter_of, payload, sides

TIMESTAMP = "webhook-timestamp"
SHOWN_HEADERS = frozenset(
    {"content-type", "webhook-id", "x-webhook-request-id", "x-webhook-timestamp", "x-webhook-hmac-algorithm"}
)
"""All others are signatures, or somebody's own: often a password."""
HIDDEN = "••••"
NOTE = (
    "Each try builds it anew. The body stays the same, unless the webhook's settings change meanwhile, or wagate is"
    " updated; the link to a file is new each day. Signatures and your own headers' values are not shown."
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and its health, without its options."""

    id: str
    client_id: int
    tenant_id: str
    phone_number: str
    name: str
    webhook_url: str
    is_active: bool
    status: str
    """active, failed (until the next success) or disabled."""
    failure_count: int
    max_retries: int
    events: list[str]
    last_error: str | None
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


if TYPE_CHECKING:

    class WebhookRow(Row, frozen=True, kw_only=True):
        """A webhook, its options and its health."""
else:
    # As a subclass of both, which no two structs have, with the row first.
    WebhookRow = msgspec.defstruct(
        "WebhookRow",
        [(each.name, each.type) for kind in (Row, Shown) for each in msgspec.structs.fields(kind)],
        namespace={"__doc__": "A webhook, its options and its health."},
        frozen=True,
        kw_only=True,
        module=__name__,
    )


class NewWebhookRow(WebhookRow, frozen=True, kw_only=True):
    """A webhook with its newest secret: shown once."""

    secret: str


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of webhooks, newest first."""

    data: list[WebhookRow]
    next_cursor: str | None


class WebhookEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one webhook, and how its delivery goes."""

    id: str
    """The delivery's: ``webhook-id``, and ``event_id`` in the body."""
    webhook_id: str
    source_event_id: str
    """The event's, shared by all targets."""
    event: str
    message_id: str
    from_: str = msgspec.field(name="from")
    to: str
    message_type: str
    content: str
    payload: dict[str, Any]
    """The body sent."""
    status: str
    """pending, delivering, delivered, failed or cancelled."""
    attempt_count: int
    max_retries: int
    http_status: int | None
    response: str | None
    """First 20 kB."""
    error: str | None
    next_retry_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    attempts: list[AttemptView]


class WebhookEventList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, newest first."""

    data: list[WebhookEventRow]
    next_cursor: str | None


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request of a delivery, rebuilt with the webhook's current settings."""

    method: str
    url: str
    headers: dict[str, str]
    """Without signatures and values that somebody set: dots stand for them."""
    body: str
    """The bytes that are signed, as text; the same for every attempt."""


class TestSent(msgspec.Struct, frozen=True, kw_only=True):
    """A ``webhook.test`` event is stored and on its way."""

    status: str
    """accepted."""
    event_id: str
    """The delivery's: see it at ``GET /api/webhooks/{webhook_id}/events``."""
    source_event_id: str


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """Failed deliveries were put back, in order."""

    webhook_id: str
    recovered: int
    """How many."""


def row_of(endpoint: Endpoint) -> WebhookRow:
    """A webhook as shown: no headers, no secrets."""
    return WebhookRow(**_shown(endpoint))


def new_row_of(endpoint: Endpoint) -> NewWebhookRow:
    """A webhook with its newest secret, for the one time that it is shown."""
    return NewWebhookRow(**_shown(endpoint), secret=endpoint.secrets[0].secret)


def list_of(page: Page[Endpoint]) -> WebhookList:
    """A page of webhooks."""
    return WebhookList(data=[row_of(each) for each in page.data], next_cursor=page.next_cursor)


def events_of(page: Page[DeliveryView], endpoint: Endpoint, context: PluginContext) -> WebhookEventList:
    """A page of a webhook's events."""
    return WebhookEventList(
        data=[event_row(each, endpoint, context) for each in page.data], next_cursor=page.next_cursor
    )


def event_row(delivery: DeliveryView, endpoint: Endpoint, context: PluginContext) -> WebhookEventRow:
    """One delivery as an event row. Its payload is in the format that the webhook has now."""
    event = delivery.event
    letter = letter_of(delivery, endpoint, context)
    sender, recipient = sides(event)
    return WebhookEventRow(
        id=delivery.id,
        webhook_id=delivery.target,
        source_event_id=event.id,
        event=letter.name,
        message_id=event.message_id,
        from_=sender,
        to=recipient,
        message_type=event.type,
        content=event.content,
        payload=payload(letter, read_shown(endpoint.options).format),
        status=delivery.status,
        attempt_count=delivery.attempt_count,
        max_retries=delivery.max_retries,
        http_status=delivery.http_status,
        response=delivery.response,
        error=delivery.error,
        next_retry_at=delivery.next_retry_at,
        created_at=delivery.created_at,
        delivered_at=delivery.delivered_at,
        attempts=delivery.attempts,
    )


def request_of(delivery: DeliveryView, endpoint: Endpoint, context: PluginContext) -> WebhookRequest:
    """What is sent for a delivery."""
    options = read_options(endpoint.options, context.decrypt)
    body = encode(letter_of(delivery, endpoint, context), options.format)
    headers = request_headers(endpoint, options, delivery, body, now=context.clock.now())
    shown = {name: value if name.lower() in SHOWN_HEADERS else HIDDEN for name, value in headers.items()}
    if TIMESTAMP in shown:
        shown[TIMESTAMP] = "(Unix seconds of the try)"
    return WebhookRequest(method="POST", url=endpoint.webhook_url, headers=shown, body=body.decode())


async def show_request(context: PluginContext, delivery: DeliveryView) -> RequestView | None:
    """`Handler.request`: nothing for a webhook that is gone."""
    try:
        found = await context.endpoints.get(delivery.target)
    except NotFoundError:
        return None
    made = request_of(delivery, found, context)
    return RequestView(line=f"{made.method} {made.url}", headers=made.headers, body=made.body, note=NOTE)


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    row = {name: getattr(endpoint, name) for name in Row.__struct_fields__}
    return row | msgspec.structs.asdict(read_shown(endpoint.options))
