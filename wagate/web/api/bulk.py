"""``/api/bulk``: retry or cancel all deliveries that match a filter, however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from quart import Blueprint

from wagate.consumers.bulk import BulkActs
from wagate.errors import UnprocessableError
from wagate.hooks.routes import acts_on, endpoint
from wagate.parsing.chats import chat_key
from wagate.rules.filters import DeliveryFilter
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import Bulk, Verb, count_matching, get_bulk
from wagate.web.access.acts import act_stored, address_of, name_of
from wagate.web.access.identity import RequestAuth
from wagate.web.api.lists import in_calendar
from wagate.web.http.asgi import Networks

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class BulkFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries; at least one field."""

    target: Word | None = None
    """A receiver's id as in ``GET /api/targets``: ``webhook:…``."""
    status: Literal["pending", "failed", "cancelled", "expired"] | None = None
    account: Word | None = None
    """An account's name."""
    chat: Word | None = None
    """A phone number, or a chat's key."""
    error: Word | None = None
    """A part of the last error."""
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """Stored then or later."""
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """Stored before then."""


class BulkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do, and with which."""

    action: Verb
    """``retry`` or ``cancel``."""
    filter: BulkFilter


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is."""

    id: str
    action: Verb
    state: Literal["running", "stopped", "done"]
    total: int
    """Deliveries that matched when it was asked for; 100001: more than 100,000. Later ones are not among them."""
    done: int
    refused: int
    """Those that could not be done any more: delivered meanwhile, or final."""
    reasons: Mapping[str, int]
    """Why they were refused → how many."""
    created_at: datetime
    updated_at: datetime


def bulk_routes(auth: RequestAuth, acts: BulkActs, database: Database, *, trusted_proxies: Networks) -> Blueprint:
    """A client's token acts on its own deliveries, the admin token on all."""
    routes = Blueprint("bulk", __name__, url_prefix="/api/bulk")

    @routes.post("")
    @endpoint(body=BulkRequest, answers={202: BulkAnswer}, problems=(409,), act="bulk action")
    async def start(body: BulkRequest) -> tuple[BulkAnswer, int]:
        """Retry or cancel all that match, as of now. It runs in slices, goes on after a restart, and can be stopped."""
        who = auth.identity()
        which = filter_of(body.filter)
        count, newest = await database.browse(count_matching, which, client_id=who.client_id)
        made = await acts.start(
            body.action,
            which,
            until=newest,
            total=count,
            who=name_of(who),
            client_id=who.client_id,
            address=address_of(trusted_proxies),
        )
        act_stored()
        return answer_of(made), 202

    @routes.get("/<bulk_id>")
    @endpoint(answers={200: BulkAnswer})
    async def show(bulk_id: str) -> BulkAnswer:
        """How far it is."""
        return answer_of(await database.browse(get_bulk, bulk_id, client_id=auth.identity().client_id))

    @routes.post("/<bulk_id>/stop")
    @endpoint(answers={200: BulkAnswer}, act="stop")
    async def stop(bulk_id: str) -> BulkAnswer:
        """Stop it. What was done stays done."""
        made = await acts.stop(bulk_id, client_id=auth.identity().client_id)
        acts_on(made.id, owner=made.client_id, detail=f"after {made.done}")
        return answer_of(made)

    return routes


def filter_of(asked: BulkFilter) -> DeliveryFilter:
    """As the storage takes it. UnprocessableError: it lets everything through."""
    if asked == BulkFilter():
        raise UnprocessableError("say which deliveries: target, status, account, chat, error, since …", field="filter")
    handler, _, own_id = (asked.target or "").partition(":")
    return DeliveryFilter(
        handler=handler or None,
        target=own_id or None,
        status=asked.status,
        account=asked.account,
        chat=chat_key(asked.chat) if asked.chat else None,
        error=asked.error,
        since=None if asked.since is None else in_calendar(asked.since, "filter.since"),
        until=None if asked.until is None else in_calendar(asked.until, "filter.until"),
    )


def answer_of(made: Bulk) -> BulkAnswer:
    """As the API shows it."""
    return BulkAnswer(
        id=made.id,
        action=made.verb,
        state=made.state,
        total=made.total,
        done=made.done,
        refused=made.refused,
        reasons=made.reasons,
        created_at=made.created_at,
        updated_at=made.updated_at,
    )
