"""What goes into the queue and what comes out of it: frozen values."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Doorbell(msgspec.Struct, frozen=True, kw_only=True):
    """One id to ring for: its rows are in the tables already."""

    key: str
    """The order key (target and chat): its rows run one after the other."""
    target: str
    """Where the key's rows go; a key belongs to one target."""
    id: str
    """The row's id; a hint only, the consumer runs the key's lowest unsettled row."""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """The row is settled for good."""

    key: str
    token: str
    """As handed out; a stale one does not count."""
    more: bool
    """The tables hold more unsettled rows of this key."""


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """Not now: the key waits, its head stays."""

    key: str
    token: str
    after: float
    """Seconds from now."""
    tried: bool = False
    """It was tried, and we live: it is no suspect."""


class Park(msgspec.Struct, frozen=True, kw_only=True):
    """The target is down or saturated: the key waits for it, no attempt is spent."""

    key: str
    token: str
    target: str
    tried: bool = False
    """As in `Delay`."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Not begun: the key is ready again, at the front."""

    key: str
    token: str


Result: TypeAlias = Ack | Delay | Park | Release


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """Hand out parked keys of one target (a probe, or a target that has room again)."""

    target: str
    most: int


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One key handed out."""

    key: str
    id: str
    """The id at its head, '' when only the tables know it."""
    token: str
    crashes: int
    """Workers that died while they held this key, since its last try that ended."""
    alone: int = 0
    """Those of them that held nothing else."""


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A target that keys wait for."""

    target: str
    keys: int


class Pumped(msgspec.Struct, frozen=True, kw_only=True):
    """What one pump brought."""

    taken: tuple[Taken, ...]
    fenced: tuple[Result, ...]
    """Results that did not count: the key is someone else's by now, or was forgotten."""
    next_due: float | None
    """Seconds until the next key becomes ready by itself."""
    ready: int
    """Keys still ready: pump again when there is room."""
    depth: int
    """Ids in Redis."""
    overflow: bool
    """Ids were refused: the tables know more."""
    paused: bool
    parked: tuple[Parked, ...]
    """At most 100 targets; when there are more, each pump reports others."""
    unrung: BaseException | None = None
    """Why Redis took none, or not all, of the doorbells that went along: the sweep brings their keys."""


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """What one leased take brought."""

    taken: tuple[Taken, ...]
    next_due: float | None
    """Seconds until the next key becomes ready by itself (a lease ends, a delay is over)."""


class DeadWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker whose heartbeat stood still."""

    name: str
    heartbeat: int
    """The counter as it was seen; when it has moved since, the worker keeps its keys."""


class QueueStats(msgspec.Struct, frozen=True, array_like=True):
    """Lengths, in the order in which stats.lua answers them."""

    depth: int
    """Ids in Redis."""
    ready: int
    """Keys that may be taken (so are all down to parked)."""
    active: int
    """Held by workers."""
    leased: int
    """Held under a lease."""
    backoff: int
    """Waiting for a time."""
    parked: int
    """Waiting for their target."""
    parked_targets: int
    paused: bool
    """The whole queue."""
    paused_keys: int
    """Keys paused one by one, with and without work."""
    workers: int
    overflow: bool
    wake: int
    """Wake tokens nobody has taken."""
