"""``GET /api/unknown-numbers``: for which numbers webhooks come that no account has."""

from __future__ import annotations

from datetime import datetime

import msgspec
from quart import Blueprint

from wagate.hooks.routes import endpoint
from wagate.inbound.numbers import Strangers
from wagate.storage.owners.live import LiveDirectory
from wagate.web.access.identity import RequestAuth


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
