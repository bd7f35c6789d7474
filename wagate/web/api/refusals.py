"""Webhooks that reach nobody: ``/api/refusals``, with the reason; ``/api/unknown-numbers``, for no account of ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from quart import Blueprint

from wagate.hooks.routes import endpoint
from wagate.hooks.views import Page
from wagate.inbound.numbers import Strangers
from wagate.storage.owners.live import LiveDirectory
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


class UnknownNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A session or number of a provider that no account has; what came for it is kept apart, and goes nowhere."""

    number: str
    """As the provider names it: WAHA's session, Meta's phone number id, Twilio's and Infobip's number."""
    provider: str
    account: str
    """To whose URL the last webhook came."""
    tenant_id: str
    events: int
    first_at: datetime
    last_at: datetime


class UnknownNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    data: list[UnknownNumber]
    """The latest first."""


class UnknownNumbersQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose."""

    tenant_id: str | None = None
    """With the admin token: only this client's, by slug or id."""


def unknown_numbers_routes(auth: RequestAuth, strangers: Strangers, live: LiveDirectory) -> Blueprint:
    """A client's token sees its own."""
    routes = Blueprint("unknown_numbers", __name__, url_prefix="/api/unknown-numbers")

    @routes.get("")
    @endpoint(query=UnknownNumbersQuery, answers={200: UnknownNumbers}, problems=(404,))
    async def index(query: UnknownNumbersQuery) -> UnknownNumbers:
        """Sessions and numbers for which webhooks came, and which no account has; add an account for what is yours."""
        scope = auth.identity().client_id if query.tenant_id is None else auth.owner(query.tenant_id).id
        return UnknownNumbers(
            data=[
                UnknownNumber(
                    number=each.number,
                    provider=each.provider,
                    account=each.account,
                    tenant_id=live.now.clients[each.client_id].slug,
                    events=each.events,
                    first_at=each.first_at,
                    last_at=each.last_at,
                )
                for each in await strangers.all(client_id=scope)
                if each.client_id in live.now.clients
            ]
        )

    return routes
