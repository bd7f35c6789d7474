"""What plugins and wagate exchange: frozen data and plain functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from wagate.events import Event
from wagate.hooks.views import DeliveryView, RequestView


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver of an event. Its chats are delivered in order; it fails and recovers apart from other targets."""

    id: str
    """The handler's own id of the target: a webhook's id, an inbox's name. Elsewhere it is ``<handler>:<id>``."""
    max_retries: int | None = None
    """Attempts in total; None: ``delivery.max_retries``."""
    expires: float | None = None
    """Seconds after which a job that is not done expires (pull handlers); None: never."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver one event to one target."""

    id: str
    """The same for all attempts: send it (``webhook-id``, ``source_id``) so that the target can drop duplicates."""
    event: Event
    """What happened."""
    target: str
    """`Target.id`."""
    attempt: int
    """1 for the first try."""
    created_at: datetime
    """When it was stored (aware UTC)."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The target's answer to a delivery that succeeded."""

    http_status: int | None = None
    """Status of the answer."""
    response: str | None = None
    """The beginning of the answer's body; the attempt's record keeps it."""


class TargetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one target, where they differ from those of its handler."""

    timeout: float | None = None
    """Seconds for one attempt, at most 110; None: `Handler.timeout`."""
    rate: float | None = None
    """Attempts a second, over all processes; None: no limit. What exceeds it waits in order and spends no attempt."""
    burst: int = 1
    """Attempts that may begin at once after a pause, with ``rate``."""


class TargetName(msgspec.Struct, frozen=True, kw_only=True):
    """The name and address of a target, for people."""

    name: str = ""
    """A display name: ``Order bot``, ``Chatwoot inbox main``; '': show the URL's host, or its id."""
    url: str = ""
    """Its URL without secrets; '' if it has none."""


Targets = Callable[[Event], Iterable[Target]]
Handle = Callable[[Delivery], Awaitable[Receipt | None]]


@dataclass(frozen=True, kw_only=True)
class Handler:
    """How a connector handles events.

    ``targets`` is pure and quick: it runs inside the intake, over a snapshot that the plugin keeps. ``handle`` returns
    once the target has accepted. It raises `wagate.errors.Retry` (try again later), `wagate.errors.Reject` (never try
    again) or `wagate.errors.Postpone` (wait, without spending an attempt); after any other exception the delivery is
    tried again by the retry schedule. Without ``handle`` it is a pull handler: its deliveries are jobs, which workers
    take through `wagate.hooks.context.Jobs`.
    """

    name: str
    """Unique; the first part of each target's full name. Not ``all`` and not ``in``."""
    targets: Targets
    """Event → the targets that want it."""
    handle: Handle | None = None
    """Delivers one event to its target; None: pull."""
    concurrency: int = 32
    """Deliveries to one target at the same time, per process."""
    timeout: float = 60.0
    """Seconds after which ``handle`` is cancelled and the attempt has timed out."""
    limits: Callable[[str], TargetLimits] = lambda _target: TargetLimits()
    """`Target.id` → its current limits. Called for every delivery: pure and quick, over a snapshot."""
    describe: Callable[[str], TargetName] = lambda _target: TargetName()
    """`Target.id` → a name for people, for lists and alerts. Pure and quick; also called for deleted targets. wagate
    knows the names of registered endpoints itself."""
    request: Callable[[DeliveryView], Awaitable[RequestView | None]] | None = None
    """Delivery → the request that is made for it, for its page on the dashboard; None: there is none to show. It has
    5 s, changes nothing, and asks no other machine. Also called for deleted targets."""
    lasting: bool = False
    """Whether its targets stay on however long they fail."""

    @property
    def pull(self) -> bool:
        """Whether workers take its deliveries."""
        return self.handle is None


Task = Callable[[], Awaitable[None]]
"""A long-running task of a plugin. It is restarted with backoff if it raises, but not if it returns."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a request."""

    admin: bool
    """Whether it is the admin token, which sees everything."""
    client_id: int | None = None
    """The client that owns the token; None for the admin."""
    tenant: str | None = None
    """That client's slug."""
    read_only: bool = False
    """Whether it is a view token, which can only read."""


class ClientView(msgspec.Struct, frozen=True, kw_only=True):
    """A client as plugins see it."""

    id: int
    """``client_id`` in the API."""
    slug: str
    """``tenant_id`` in the API."""
    name: str
    """A display name."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as plugins see it, without credentials."""

    name: str
    """Unique over all clients; ``sessionId``, WAHA's ``session``."""
    client_id: int
    """Owner."""
    provider: str
    """meta, waha, session, engine …"""
    phone: str
    """Digits of our number, '' when not known."""
    metadata: dict[str, Any]
    """The account's metadata, which webhooks carry."""
