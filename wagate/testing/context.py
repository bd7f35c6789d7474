"""A plugin's context made of fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.events import Event, NewEvent
from wagate.hooks import DeliveryView, PluginContext, Target
from wagate.testing.archive import FakeArchive
from wagate.testing.endpoints import FakeEndpoints
from wagate.testing.events import NOW
from wagate.testing.fakes import FakeAccounts, FakeAuth, FakeDeliveries, FakeJobs, FakeStore
from wagate.testing.http import FakeHttp
from wagate.testing.media import FakeMedia
from wagate.testing.messages import FakeMessages
from wagate.testing.people import FakePeople
from wagate.testing.sessions import FakeSessionStates
from wagate.testing.watch import FakeWatch

Listener = Callable[[], Awaitable[None]]
Emitted = tuple[NewEvent, list[Target] | None]
"""An event of the plugin's own, and its targets when it named them."""


CONFIGURED: dict[str, Any] = {
    "public_url": "https://gateway.example",
    "version": "0.0.0",
    "allow_http": False,
    "max_retries": 3,
    "timeout": 10.0,
}
"""What every fake context says of the configuration."""


class FixedClock(Clock):
    """Wall time begins at `wagate.testing.NOW` and only `shift` moves it."""

    def now(self) -> datetime:
        """The fixed time, shifted."""
        return datetime.fromtimestamp(self.time(), NOW.tzinfo)

    def time(self) -> float:
        """Unix seconds of `now`."""
        return NOW.timestamp() + self.offset


@dataclass
class Fakes:
    """A context, and the fakes it is made of."""

    context: PluginContext
    http: FakeHttp
    auth: FakeAuth
    accounts: FakeAccounts
    endpoints: FakeEndpoints
    deliveries: FakeDeliveries
    jobs: FakeJobs
    store: FakeStore
    messages: FakeMessages
    media: FakeMedia
    sessions: FakeSessionStates
    archive: FakeArchive
    people: FakePeople
    watch: FakeWatch
    clock: FixedClock
    emitted: list[Emitted] = field(default_factory=list)
    """Events of the plugin's own, and their targets when it named them."""
    listeners: list[Listener] = field(default_factory=list)
    """What the plugin wants called after a change."""


def fake_context(
    name: str, *, settings: msgspec.Struct | None = None, http: FakeHttp | None = None, folder: Path = Path("nowhere")
) -> Fakes:
    """The context of a plugin: clients ``default`` (1) and ``acme`` (2), the admin asking, nothing registered.

    ``folder``: what `PluginContext.folder` gives; it is the test's to make one.
    """
    accounts, deliveries, clock, jobs, store = FakeAccounts(), FakeDeliveries(), FixedClock(), FakeJobs(), FakeStore()
    http, auth = http or FakeHttp(), FakeAuth(accounts)
    endpoints = FakeEndpoints(lambda client_id: accounts.owners[client_id].slug, clock)
    media, messages, sessions = FakeMedia(), FakeMessages(accounts, clock), FakeSessionStates(accounts, clock)
    archive, people, listeners, emitted = FakeArchive(), FakePeople(), list[Listener](), list[Emitted]()

    async def emit(event: NewEvent, *, client_id: int, account: str = "", only: Sequence[Target] | None = None) -> str:
        emitted.append((event, None if only is None else list(only)))
        stored = _stored(event, client_id, accounts.owners[client_id].slug, account, clock.now())
        return _emitted(deliveries, stored, name, only)

    context = PluginContext(
        name=name,
        settings=settings,
        **CONFIGURED,
        http=http,
        log=structlog.get_logger(name),
        clock=clock,
        folder=lambda: folder,
        auth=auth,
        accounts=accounts,
        endpoints=endpoints,
        deliveries=deliveries,
        jobs=jobs,
        store=store,
        messages=messages,
        media=media,
        sessions=sessions,
        archive=archive,
        people=people,
        watch=(watch := FakeWatch()),
        emit=emit,
        encrypt=lambda text: text[::-1],
        decrypt=lambda text: text[::-1],
        on_change=listeners.append,
    )
    return Fakes(
        context=context,
        http=http,
        auth=auth,
        accounts=accounts,
        endpoints=endpoints,
        deliveries=deliveries,
        jobs=jobs,
        store=store,
        messages=messages,
        media=media,
        sessions=sessions,
        archive=archive,
        people=people,
        watch=watch,
        clock=clock,
        emitted=emitted,
        listeners=listeners,
    )


def _emitted(deliveries: FakeDeliveries, stored: Event, name: str, only: Sequence[Target] | None) -> str:
    deliveries.rows += [_waiting(name, each, stored) for each in only or ()]
    return stored.id


def _stored(new: NewEvent, client_id: int, tenant: str, account: str, now: datetime) -> Event:
    beside = {"raw", "session", "variant", "dedupe_kind", "provider_id", "number", "reference", "aliases"}
    values = {name: value for name, value in msgspec.structs.asdict(new).items() if name not in beside}
    values |= {"timestamp": new.timestamp or now}
    return Event(
        **values,
        id=str(uuid7()),
        account=account,
        phone="",
        provider="wagate",
        client_id=client_id,
        tenant=tenant,
        created_at=now,
    )


def _waiting(handler: str, target: Target, event: Event) -> DeliveryView:
    return DeliveryView(
        id=str(uuid7()),
        event=event,
        handler=handler,
        target=target.id,
        mode="push",
        status="pending",
        attempt_count=0,
        max_retries=target.max_retries or 3,
        http_status=None,
        response=None,
        error=None,
        held=False,
        next_retry_at=None,
        created_at=event.created_at,
        delivered_at=None,
        updated_at=event.created_at,
    )
