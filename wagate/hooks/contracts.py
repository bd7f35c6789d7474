"""What plugins and the core hand each other: frozen data, plain functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from wagate.events import Event


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One place that wants an event. Its chats are delivered in order; it fails and recovers on its own."""

    id: str
    """The handler's own id of the place (a webhook's id, an inbox' name). ``<handler>:<id>`` names it everywhere."""
    max_retries: int | None = None
    """Attempts in all; None: ``delivery.max_retries``."""
    expires: float | None = None
    """Seconds after which an undelivered job is expired (pull handlers); None: never."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one target, at one attempt."""

    id: str
    """Stable over retries: send it along (``webhook-id``, ``source_id``) so that the target can drop a duplicate."""
    event: Event
    """What happened."""
    target: str
    """`Target.id`."""
    attempt: int
    """1 for the first try."""
    created_at: datetime
    """When it was stored (aware UTC)."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the target answered to a delivery that is done."""

    http_status: int | None = None
    """Status line of the answer."""
    response: str | None = None
    """First part of the answer's body, for the record."""


class TargetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one target may ask of its handler beyond what the handler says for all."""

    timeout: float | None = None
    """Seconds for one attempt, as `Handler.timeout`; None: that one. At most 110."""
    rate: float | None = None
    """Attempts a second, over all processes; None: no limit. What comes sooner waits, in order; it is no attempt."""
    burst: int = 1
    """Attempts that may begin at once after a pause, with ``rate``."""


class TargetName(msgspec.Struct, frozen=True, kw_only=True):
    """What people call a target."""

    name: str = ""
    """For a list and a heading: ``Order bot``, ``Chatwoot inbox main``. '': its id is all that is known."""
    url: str = ""
    """Where it is, without secrets; '' when it has no address."""


Targets = Callable[[Event], Iterable[Target]]
Handle = Callable[[Delivery], Awaitable[Receipt | None]]


@dataclass(frozen=True, kw_only=True)
class Handler:
    """A connector's way of handling events.

    ``targets`` is pure and quick: it runs inside the intake, over a snapshot that the plugin keeps. ``handle`` returns
    when the target has accepted; it raises `wagate.errors.Retry` (again later), `wagate.errors.Reject` (never again),
    `wagate.errors.Postpone` (not now, and it was no try) or anything else (again by the retry schedule). Without
    ``handle`` it is a pull handler: its deliveries are jobs that somebody takes through `wagate.hooks.context.Jobs`.
    """

    name: str
    """Unique; first part of every target's name."""
    targets: Targets
    """Event → who wants it."""
    handle: Handle | None = None
    """Does the outside work of one delivery; None: pull."""
    concurrency: int = 32
    """Deliveries to one target at once, per process."""
    timeout: float = 60.0
    """Seconds after which ``handle`` is cancelled and the attempt counts as timed out."""
    limits: Callable[[str], TargetLimits] = lambda _target: TargetLimits()
    """`Target.id` → its limits now. Called for every delivery: pure and quick, over a snapshot."""
    describe: Callable[[str], TargetName] = lambda _target: TargetName()
    """`Target.id` → what people call it, for lists and alerts. Pure and quick; also for targets that are gone. The core
    knows the names of registered endpoints itself."""
    lasting: bool = False
    """Whether its targets are never switched off, however long they fail."""

    @property
    def pull(self) -> bool:
        """Whether deliveries wait to be taken."""
        return self.handle is None


Task = Callable[[], Awaitable[None]]
"""A long-running task of a plugin; restarted with backoff when it ends in an error, not when it returns."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    admin: bool
    """The admin token: sees all."""
    client_id: int | None = None
    """The client whose token it is; None for the admin."""
    tenant: str | None = None
    """That client's slug."""
    read_only: bool = False
    """A view token: may only look."""


class ClientView(msgspec.Struct, frozen=True, kw_only=True):
    """A client as plugins see it."""

    id: int
    """``client_id`` outside."""
    slug: str
    """``tenant_id`` outside."""
    name: str
    """For people."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as plugins see it: no credentials."""

    name: str
    """Unique over all clients; ``sessionId``, WAHA's ``session``."""
    client_id: int
    """Owner."""
    provider: str
    """meta, waha, session, engine …"""
    phone: str
    """Digits of our number, '' when not known."""
    metadata: dict[str, Any]
    """Copied into webhooks."""
