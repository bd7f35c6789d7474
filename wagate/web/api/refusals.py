"""``/api/refusals``: webhooks of providers that were refused, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from quart import Blueprint

from wagate.hooks.routes import endpoint
from wagate.hooks.views import Page
from wagate.storage.refusals import RefusedRow
from wagate.web.access.identity import RequestAuth
from wagate.web.api.lists import Limit, page_of

Look = Callable[..., Awaitable[Sequence[RefusedRow]]]
"""`wagate.web.inbound.refusals.Refusals.all`."""


class RefusalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused of one account for one reason."""

    account: str
    tenant_id: str
    """The owner's slug."""
    provider: str
    reason: str
    """``signature``: it did not prove who sent it; ``challenge``: a wrong verify token; ``body``: it can't be read."""
    detail: str
    """What was wrong with the latest."""
    in_a_row: int
    """Since the last accepted webhook of the account."""
    times: int
    """In all."""
    first_at: datetime
    """The first one since the last accepted one."""
    last_at: datetime


class RefusalsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of which refusals."""

    limit: Limit = 50
    cursor: str | None = None
    """`next_cursor` of the page before."""
    account: str | None = None
    """An account's name."""


def refusals_routes(auth: RequestAuth, look: Look) -> Blueprint:
    """A client's token sees those of its own accounts, the admin token all."""
    routes = Blueprint("refusals", __name__, url_prefix="/api/refusals")

    @routes.get("")
    @endpoint(query=RefusalsQuery, answers={200: Page[RefusalAnswer]})
    async def index(query: RefusalsQuery) -> Page[RefusalAnswer]:
        """Refused webhooks by account and reason. They are kept for 90 days."""
        found = [row for row in await look(client_id=auth.identity().client_id) if query.account in {None, row.account}]
        page, cursor = page_of(found, lambda row: f"{row.account} {row.reason}", limit=query.limit, after=query.cursor)
        return Page(data=[_answer(row) for row in page], next_cursor=cursor)

    return routes


def _answer(row: RefusedRow) -> RefusalAnswer:
    return RefusalAnswer(
        account=row.account,
        tenant_id=row.tenant,
        provider=row.provider,
        reason=row.reason,
        detail=row.detail,
        in_a_row=row.in_a_row,
        times=row.times,
        first_at=row.first_at,
        last_at=row.last_at,
    )
