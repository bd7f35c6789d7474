"""What `/health` asks beside database and disk: Redis, consumers, providers, receivers, plugins."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import trio

from wagate.context.targets import TargetDesk
from wagate.errors import QueueError
from wagate.hooks.providers import Check as Look
from wagate.hooks.providers import Finding
from wagate.inbound.position import Owed
from wagate.metrics import CollectorRegistry, Gauge
from wagate.outbound.observed import Trouble
from wagate.process.assemble import Gateway
from wagate.storage.deliveries.not_working import SENDER, NotWorking, not_working
from wagate.storage.owners.directory import Account
from wagate.web.health import FRESH, Check, HealthMonitor, Level, ProviderHealth, ReceiverHealth

PATIENCE = timedelta(minutes=2)
"""A provider that does not answer for less is none of anybody's business yet."""
SHOWN = 20
"""Receivers that the doctor names."""

State = Literal["refused", "failing", "logged_out"]
Way = Literal["push", "pull", "outbound"]
WAYS: Mapping[Way, str] = {
    "push": "deliveries to receivers",
    "pull": "jobs for workers",
    "outbound": "messages to send",
}
"""How what waits goes on → what it is."""
STATES: tuple[State, ...] = ("refused", "failing", "logged_out")


def health_monitor(gateway: Gateway, watched: Watched) -> HealthMonitor:
    """The monitor with our probes."""

    async def redis() -> Check:
        try:
            for node in await gateway.redis.nodes():
                await node.command("PING")
        except QueueError as error:
            return Check(status=Level.DEGRADED, detail=f"{error}; messages are stored and wait in the database")
        return Check(status=Level.HEALTHY)

    async def consumers() -> Check:
        if (failing := gateway.consumers.failing) is not None:
            detail = f"the consumer failed and is restarting: {failing}; see the log"
            return Check(status=Level.UNHEALTHY, detail=detail)
        try:
            stats = await gateway.consumers.stats()
        except QueueError as error:
            return Check(status=Level.DEGRADED, detail=str(error))
        parked = f"; receivers down or busy: {stats.parked_targets}" if stats.parked_targets else ""
        paused = Level.DEGRADED if stats.paused else Level.HEALTHY
        return Check(status=paused, detail=f"{stats.active} running, {stats.backoff} waiting to retry{parked}")

    async def plugins() -> Check:
        told = [f"{plugin}: {why}" for plugin, why in sorted(gateway.watching.troubles.items())]
        return Check(status=Level.DEGRADED if told else Level.HEALTHY, detail="; ".join(told))

    probes = {
        "redis": redis,
        "consumers": consumers,
        "providers": watched.providers,
        "receivers": watched.receivers,
        "plugins": plugins,
    }
    return HealthMonitor(
        gateway.database,
        gateway.config.data.dir,
        gateway.clock,
        probes,
        queue_size=lambda: gateway.positions.deliveries,
    )


class Ailing(msgspec.Struct, frozen=True, kw_only=True):
    """An account through which nothing goes."""

    account: Account
    state: State
    since: datetime
    error: str
    """What its provider said last; '' when only this process saw it fail."""


def ailing(
    accounts: Mapping[str, Account], *, seen: NotWorking, observed: Mapping[str, Trouble], linked: set[str]
) -> Iterator[Ailing]:
    """Those of ``accounts`` (by id) that can't send; ``linked``: providers whose numbers are linked as devices.

    What a target's row says outlives the process and holds for all processes; what was observed says why, and also
    knows of accounts for which others step in.
    """
    for id_ in sorted(accounts.keys() & (seen.senders.keys() | seen.logged_out.keys() | observed.keys())):
        account = accounts[id_]
        row, trouble, out = seen.senders.get(id_), observed.get(id_), seen.logged_out.get(id_)
        error = row.error if row is not None else ""
        if out is not None and account.provider in linked:
            yield Ailing(account=account, state="logged_out", since=out.since, error=out.status)
        elif trouble is not None and (row is not None or trouble.why == "refused" or trouble.lasts(PATIENCE)):
            since = min(trouble.since, row.since) if row is not None else trouble.since
            yield Ailing(account=account, state=trouble.why, since=since, error=error)
        elif row is not None:
            yield Ailing(account=account, state="failing", since=row.since, error=error)


class StandingMetrics:
    """How many are how, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._accounts = Gauge("wagate_accounts", "Accounts by state", ["provider", "state"], registry=registry)
        self._receivers = Gauge("wagate_receivers", "Receivers that don't work, by state", ["state"], registry=registry)
        self._waiting = Gauge("wagate_receivers_waiting", "Deliveries for receivers that are down", registry=registry)
        self._owed = Gauge("wagate_waiting", "All that waits, by how it goes on", ["kind"], registry=registry)
        self._since = Gauge("wagate_waiting_oldest_seconds", "Age of the oldest of it", ["kind"], registry=registry)
        self._oldest = Gauge("wagate_receivers_oldest_seconds", "Age of the oldest of these", registry=registry)

    def providers(self, providers: Mapping[str, ProviderHealth]) -> None:
        """Accounts are so now."""
        self._accounts.clear()
        for name, health in providers.items():
            counts: dict[str, int] = {state: getattr(health, state) for state in STATES}
            counts["well"] = health.accounts - sum(counts.values())
            for state, count in counts.items():
                self._accounts.labels(name, state).set(count)

    def receivers(self, health: ReceiverHealth, now: datetime) -> None:
        """Receivers are so now."""
        for state in ("down", "failing", "disabled", "paused"):
            self._receivers.labels(state).set(getattr(health, state))
        self._waiting.set(health.waiting)
        age = 0.0 if health.oldest is None else (now - health.oldest).total_seconds()
        self._oldest.set(max(0.0, age))

    def waiting(self, owed: Mapping[Way, Owed], now: datetime) -> None:
        """So much waits now; of what nothing waits, the oldest is 0 s old."""
        for way in WAYS:
            found = owed.get(way)
            self._owed.labels(way).set(0 if found is None else found.waiting)
            age = 0.0 if found is None else (now - found.oldest).total_seconds()
            self._since.labels(way).set(max(0.0, age))


class Watched:
    """Looks at them, once a second at most."""

    def __init__(self, gateway: Gateway, desk: TargetDesk) -> None:
        self._gateway = gateway
        self._desk = desk
        self._metrics = StandingMetrics(gateway.registry)
        self._lock = trio.Lock()
        self._looked_at = -math.inf
        self._found: tuple[list[Ailing], NotWorking] | None = None

    async def providers(self) -> Check:
        """How many accounts of each provider can't send."""
        found, _ = await self._look()
        count = Counter(each.provider for each in self._gateway.live.now.by_id.values())
        states: defaultdict[str, Counter[str]] = defaultdict(Counter)
        since: dict[str, datetime] = {}
        for each in found:
            name = each.account.provider
            states[name][each.state] += 1
            since[name] = min(each.since, since.get(name, each.since))
        providers = {
            name: ProviderHealth(accounts=count[name], **states[name], since=since.get(name)) for name in sorted(count)
        }
        self._metrics.providers(providers)
        total = Counter(each.state for each in found)
        words = [f"{total[state]} {state.replace('_', ' ')}" for state in STATES if total[state]]
        return Check(
            status=Level.DEGRADED if found else Level.HEALTHY,
            detail=", ".join([f"{count.total()} accounts", *words]),
            providers=providers,
        )

    async def receivers(self) -> Check:
        """How many receivers are down, and what waits for them."""
        _, seen = await self._look()
        oldest = min((each.oldest for each in seen.down if each.oldest is not None), default=None)
        health = ReceiverHealth(
            down=len(seen.down),
            failing=seen.failing,
            disabled=seen.disabled,
            paused=seen.paused,
            waiting=seen.waiting,
            since=seen.down[0].since if seen.down else None,
            oldest=oldest,
        )
        self._metrics.receivers(health, self._gateway.clock.now())
        self._metrics.waiting(self._owed(), self._gateway.clock.now())
        words = f"{health.down} down, {health.failing} failing, {health.disabled} disabled, {health.paused} paused"
        waits = f"; {health.waiting} deliveries wait" if health.waiting else ""
        return Check(status=Level.DEGRADED if health.down else Level.HEALTHY, detail=words + waits, receivers=health)

    def looks(self) -> list[tuple[str, Look]]:
        """For the doctor, by part."""
        return [("sending", self.sending), ("receivers", self.reception), ("waiting", self.backlog)]

    async def sending(self) -> Sequence[Finding]:
        """For the doctor: accounts that can't send, by name."""
        found, _ = await self._look()
        step = "see what its provider says above; the next successful send clears this"
        return [
            Finding(
                level="warn" if each.state == "logged_out" else "fail",
                what=each.state.replace("_", " "),
                detail=f"{each.account.name} since {_minute(each.since)}" + (f": {each.error}" if each.error else ""),
                next_step="scan its QR code, or delete the account" if each.state == "logged_out" else step,
            )
            for each in found
        ] or [Finding(level="ok", what="sends", detail="no account is refused, failing or logged out")]

    async def reception(self) -> Sequence[Finding]:
        """For the doctor: receivers that are down, by name and address."""
        _, seen = await self._look()
        step = "fix the receiver: waiting deliveries are then sent automatically; try now: `wagate targets probe NAME`"
        shown = seen.down[:SHOWN]
        places = await self._desk.places([each.id for each in shown])
        told = [f"{places[each.id]} since {_minute(each.since)}: {each.error}" for each in shown]
        if len(seen.down) > SHOWN:
            told.append(f"and {len(seen.down) - SHOWN} more")
        well = Finding(
            level="ok", what="up", detail=f"{seen.failing} failing, {seen.disabled} disabled, {seen.paused} paused"
        )
        return [Finding(level="warn", what="down", detail=each, next_step=step) for each in told] or [well]

    async def backlog(self) -> Sequence[Finding]:
        """For the doctor: how much waits, and since when, by the count that is made beside the traffic."""
        return [
            Finding(
                level="ok", what=way, detail=f"{each.waiting:,} {WAYS[way]}, the oldest since {_minute(each.oldest)}"
            )
            for way, each in self._owed().items()
        ] or [Finding(level="ok", what="none", detail="nothing waits")]

    def _owed(self) -> dict[Way, Owed]:
        """What waits, by how it goes on."""
        found: dict[Way, Owed] = {}
        for connector, each in self._gateway.positions.owed.items():
            handler = self._gateway.handlers.get(connector)
            way: Way = "outbound" if connector == SENDER else "pull" if handler is not None and handler.pull else "push"
            before = found.get(way, Owed(waiting=0, oldest=each.oldest))
            found[way] = Owed(waiting=before.waiting + each.waiting, oldest=min(before.oldest, each.oldest))
        return {way: found[way] for way in WAYS if way in found}

    async def _look(self) -> tuple[list[Ailing], NotWorking]:
        async with self._lock:
            if self._found is None or self._gateway.clock.monotonic() - self._looked_at > FRESH:
                self._found = await self._read()
                self._looked_at = self._gateway.clock.monotonic()
            return self._found

    async def _read(self) -> tuple[list[Ailing], NotWorking]:
        gateway = self._gateway
        accounts, names = gateway.live.now.by_id, gateway.providers.names
        seen = await gateway.database.read(not_working, handlers=gateway.handlers, now=gateway.clock.now())
        linked = {name for name in names if (one := gateway.providers.get(name)) and one.sessions}
        return list(ailing(accounts, seen=seen, observed=gateway.outbound.observed.all, linked=linked)), seen


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
