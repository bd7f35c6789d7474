"""How the gateway is: what it depends on, asked under a deadline and at most once a second."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec
import structlog
import trio

from wagate import __version__
from wagate.clock import Clock
from wagate.errors import WagateError
from wagate.storage.database import Database, beat, last_beat

SERVICE = "whatsapp-engine"
HEARTBEAT = "health"
FRESH = 1.0
"""Seconds for which a report is used again: anybody may ask."""
KNOWN = 5.0
"""Seconds for which pages go by what was last seen of the database."""
GLANCE = 0.25
"""Seconds that a page waits for that."""
PATIENCE = 2.0
"""Seconds that each part may take to answer."""
LEAST_FREE = 50 * 1024 * 1024
"""Bytes; below it a commit may fail at any moment."""

DECISIVE = frozenset({"database", "disk", "consumers"})
"""Parts without which nothing is taken in, or nothing delivered."""

log = structlog.get_logger("wagate.health")


class Level(StrEnum):
    """How a part is, or all of it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class ProviderHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the accounts of one provider are."""

    accounts: int
    """All of them."""
    refused: int = 0
    """The provider lets them send nothing: wrong token, blocked, unpaid."""
    failing: int = 0
    """It has not answered their sends, or not as it should, for two minutes or longer."""
    logged_out: int = 0
    """They were connected once, and are not now: logged out, or their QR code waits to be scanned."""
    since: datetime | None = None
    """Since when the first of these is so."""


class ReceiverHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the places that deliveries go to are: webhooks, inboxes, jobs."""

    down: int = 0
    """They get only probes until one succeeds; what is for them waits."""
    failing: int = 0
    """Their last tries failed; they are still tried."""
    disabled: int = 0
    """They were switched off."""
    paused: int = 0
    """A person lets them wait."""
    waiting: int = 0
    """Deliveries for those that are down; 10,000 stands for as many and more."""
    since: datetime | None = None
    """Since when the first of these is down."""
    oldest: datetime | None = None
    """When the oldest of what waits for them came in."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How one part is."""

    status: Level
    """unhealthy: nothing can be taken in, or delivered. degraded: things are taken in, but wait."""
    detail: str = ""
    """In words."""
    providers: dict[str, ProviderHealth] | msgspec.UnsetType = msgspec.UNSET
    """By name; only of the part ``providers``, with the admin token."""
    receivers: ReceiverHealth | msgspec.UnsetType = msgspec.UNSET
    """Only of the part ``receivers``, with the admin token."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How the gateway is."""

    status: Level
    """The worst of its parts."""
    queue_size: int
    """Deliveries that are not done yet."""
    checks: dict[str, Check]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may know."""

    status: Level
    """healthy; degraded: messages are taken in, but some wait; unhealthy: they can't be taken in, or delivered."""
    service: str = SERVICE
    queue_size: int
    """Deliveries that are not done yet."""
    uptime: str
    """As in ``2h 15m``."""
    version: str = __version__


class HealthDetails(Health, frozen=True, kw_only=True):
    """What somebody with a token may know."""

    checks: dict[str, Check] | msgspec.UnsetType = msgspec.UNSET
    """Only with a token: database, disk, redis, consumers, providers, receivers, plugins."""


Probe = Callable[[], Awaitable[Check]]


class HealthMonitor:
    """Asks the probes side by side. Those named database and disk decide whether anything can be taken in.

    One that does not answer is unhealthy when it is one of these, else degraded.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        clock: Clock,
        probes: Mapping[str, Probe],
        *,
        queue_size: Callable[[], int],
    ) -> None:
        """``probes`` are the parts beside database and disk: ``redis``, ``consumers``, ``providers`` and so on.

        ``queue_size`` says at once how many deliveries are not done.
        """
        self._database = database
        self._folder = folder
        self._clock = clock
        self._began = clock.monotonic()
        self._probes = {"database": self._ask_database, "disk": self._ask_disk} | dict(probes)
        self._lock = trio.Lock()
        self._report = Report(status=Level.HEALTHY, queue_size=0, checks={})
        self._asked_at: float | None = None
        self._queue_size = queue_size
        self._stores = Check(status=Level.HEALTHY)
        self._seen_at = clock.now()
        """When that was seen of the database."""
        self._glanced_at: float | None = None

    async def report(self) -> Report:
        """The newest report, a second old at most."""
        async with self._lock:
            if self._asked_at is None or self._clock.monotonic() - self._asked_at > FRESH:
                self._report = await self._ask()
                self._asked_at = self._clock.monotonic()
        return self._report

    async def glance(self) -> None:
        """Look whether the database takes anything, unless that is known; whoever waits for a page waits no longer."""
        now = self._clock.monotonic()
        if self._glanced_at is None or now - self._glanced_at > KNOWN:
            self._glanced_at = now
            checks: dict[str, Check] = {}
            with trio.move_on_after(GLANCE):
                await self._look_again()
                await self._ask_one("database", self._probes["database"], checks)
                self._see(checks["database"])

    async def _look_again(self) -> None:
        """Whether what an earlier look wrote is there: a slow disk takes it only when that page is gone."""
        if not self.unwritable:
            return
        with suppress(WagateError):
            at = await self._database.read(last_beat, HEARTBEAT)
            if at is not None and at > self._seen_at:
                self._see(Check(status=Level.HEALTHY))

    def _see(self, check: Check) -> None:
        self._stores, self._seen_at = check, self._clock.now()

    @property
    def unwritable(self) -> str:
        """Why the database took nothing when that was last seen; '' when it did."""
        if self._stores.status is not Level.UNHEALTHY:
            return ""
        return self._stores.detail.removeprefix(f"{self._database.where}: ")

    def uptime(self) -> str:
        """How long it has run."""
        return uptime(self._clock.monotonic() - self._began)

    async def _ask(self) -> Report:
        checks: dict[str, Check] = {}
        with trio.move_on_after(GLANCE):
            await self._look_again()
        async with trio.open_nursery() as nursery:
            for name, probe in self._probes.items():
                nursery.start_soon(self._ask_one, name, probe, checks)
        ordered = {name: checks[name] for name in self._probes}
        self._see(checks["database"])
        self._glanced_at = self._clock.monotonic()
        return Report(status=worst(ordered), queue_size=self._queue_size(), checks=ordered)

    async def _ask_one(self, name: str, probe: Probe, checks: dict[str, Check]) -> None:
        failing = Level.UNHEALTHY if name in {"database", "disk"} else Level.DEGRADED
        checks[name] = Check(status=failing, detail=f"no answer within {PATIENCE:g} s")
        # That it takes nothing is known then: pages ask for this, too, and none waits for what does not come.
        with trio.move_on_after(GLANCE if name == "database" and self.unwritable else PATIENCE):
            try:
                checks[name] = await probe()
            except WagateError as error:
                checks[name] = Check(status=failing, detail=str(error))
            except Exception as error:  # noqa: BLE001  (a probe fails alone)
                log.warning("health probe failed", probe=name, error=type(error).__name__)
                checks[name] = Check(status=failing, detail=type(error).__name__)

    async def _ask_database(self) -> Check:
        # What counts is whether it takes anything in: a locked file, a standby and a full disk still read well.
        await self._database.write(beat, HEARTBEAT, self._clock.now())
        return Check(status=Level.HEALTHY, detail=self._database.dialect)

    async def _ask_disk(self) -> Check:
        free = (await trio.to_thread.run_sync(shutil.disk_usage, self._folder)).free
        status = Level.HEALTHY if free >= LEAST_FREE else Level.UNHEALTHY
        return Check(status=status, detail=f"{free // 1024**2} MiB free")


def for_clients(checks: Mapping[str, Check]) -> dict[str, Check]:
    """What a client's token shows: how the parts are, and no figures of other clients."""
    unset = msgspec.UNSET
    return {
        name: msgspec.structs.replace(check, providers=unset, receivers=unset, detail="")
        if check.providers is not unset or check.receivers is not unset or name == "plugins"
        else check
        for name, check in checks.items()
    }


def worst(checks: Mapping[str, Check]) -> Level:
    """The gateway is as its worst part, but only those of `DECISIVE` make it unhealthy."""
    levels = {
        Level.DEGRADED if check.status is Level.UNHEALTHY and name not in DECISIVE else check.status
        for name, check in checks.items()
    }
    return next((level for level in (Level.UNHEALTHY, Level.DEGRADED) if level in levels), Level.HEALTHY)


def uptime(seconds: float) -> str:
    """The two largest units: ``3d 4h``, ``2h 15m``, ``5m 12s``, ``42s``."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
