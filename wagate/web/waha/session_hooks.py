"""Sessions and their webhooks, made and changed through our own API: all of its checks and rights hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from quart import g

from wagate.errors import UnprocessableError
from wagate.events import EVENT_KINDS
from wagate.events.kinds import GROUP_PREFIX
from wagate.hooks.contracts import Identity
from wagate.web.access.identity import RequestAuth
from wagate.web.ui.own_api import Answered, OwnApi

NAME = "waha "
"""What the names of webhooks begin with that were made in a session's config."""
MOST = 200


class Hmac(msgspec.Struct, frozen=True, kw_only=True):
    """What its requests are signed with."""

    key: str | None = None


class Retries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often it is tried again."""

    attempts: int | None = None


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A header to send along."""

    name: str
    value: str


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session's webhook."""

    url: str
    events: Annotated[list[str], Meta(max_length=100)] = []
    hmac: Hmac | None = None
    retries: Retries | None = None
    custom_headers: Annotated[list[Header], Meta(max_length=50)] | None = None


class Asker(msgspec.Struct, frozen=True):
    """Who asks, as our own API wants it."""

    identity: Identity
    cookie: str


class SessionHooks:
    """Accounts and webhooks, as whoever runs the request."""

    def __init__(self, api: OwnApi, auth: RequestAuth) -> None:
        self._api = api
        self._auth = auth

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Answered:
        """Ask our own API."""
        done = g.get("done")
        try:
            return await self._api.call(method, path, body, who=Asker(self._auth.identity(), g.token), query=query)
        finally:
            g.done = done  # a request within another one shares its ``g``; what it did is not ours to write down

    async def all(self, session: str = "") -> dict[str, list[dict[str, Any]]]:
        """Session → its webhooks in WAHA's form; of one ``session`` alone."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in await self._rows(session):
            found[row["phone_number"]].append({"url": row["webhook_url"], "events": row["events"]})
        return found

    async def _rows(self, session: str) -> list[dict[str, Any]]:
        answered = await self.call("GET", "/api/webhooks/list", limit=MOST, phone_number=session)
        return answered.data["data"] if answered.status == 200 else []  # no connector of that kind is installed

    async def add(self, session: str, webhooks: Sequence[Webhook], *, tenant: str) -> None:
        """Register them. UnprocessableError names the one that is wrong."""
        for number, each in enumerate(webhooks):
            answered = await self.call("POST", "/api/webhooks/register", _registered(session, number, each, tenant))
            if answered.status >= 400:
                why = "; ".join(answered.wrong.values())
                raise UnprocessableError(f"webhook {each.url[:200]!r}: {why}", field=f"config.webhooks[{number}]")

    async def replace(self, session: str, webhooks: Sequence[Webhook], *, tenant: str) -> None:
        """In place of those that a session's config made before."""
        await self.remove(session)
        await self.add(session, webhooks, tenant=tenant)

    async def remove(self, session: str) -> None:
        """Delete those that a session's config made."""
        for row in await self._rows(session):
            if row["phone_number"] == session and str(row["name"]).startswith(NAME):
                (await self.call("DELETE", f"/api/webhooks/{row['id']}")).expect()


def _registered(session: str, number: int, given: Webhook, tenant: str) -> dict[str, Any]:
    """What `POST /api/webhooks/register` takes. UnprocessableError: it wants nothing that there is."""
    body: dict[str, Any] = {
        "phone_number": session,
        "webhook_url": given.url,
        "name": f"{NAME}{session} {number + 1}"[:100],
        "format": "waha",
        "events": known_events(given.events, number),
        "tenant_id": tenant,
    }
    if given.custom_headers:
        body["headers"] = {each.name: each.value for each in given.custom_headers}
    if given.hmac is not None and given.hmac.key:
        body["secret"] = given.hmac.key
    if given.retries is not None and given.retries.attempts is not None:
        body["max_retries"] = max(0, min(given.retries.attempts, 20))
    return body


def known_events(events: Sequence[str], number: int = 0) -> list[str]:
    """Those that wagate has; all of them when none is named. UnprocessableError: it has none of them."""
    known = [each for each in events if each in EVENT_KINDS or each == "*" or each.startswith(GROUP_PREFIX)]
    if events and not known:
        raise UnprocessableError(
            f"wagate has none of these events: {', '.join(events)[:300]}", field=f"config.webhooks[{number}].events"
        )
    return known or ["*"]
