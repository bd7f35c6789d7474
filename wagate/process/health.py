"""What `/health` asks beside database and disk: Redis, consumers, providers."""

from __future__ import annotations

from wagate.errors import QueueError
from wagate.process.assemble import Core
from wagate.web.health import Check, HealthMonitor, Level


def health_monitor(core: Core) -> HealthMonitor:
    """The monitor with our probes."""

    async def redis() -> Check:
        try:
            await core.redis.command("PING")
        except QueueError as error:
            return Check(status=Level.DEGRADED, detail=f"{error}; messages are stored and wait in the tables")
        return Check(status=Level.HEALTHY)

    async def consumers() -> Check:
        if (failing := core.consumers.failing) is not None:
            detail = f"the consumer broke and starts again: {failing}; the log says where"
            return Check(status=Level.UNHEALTHY, detail=detail)
        try:
            stats = await core.consumers.stats()
        except QueueError as error:
            return Check(status=Level.DEGRADED, detail=str(error))
        parked = f"; {stats.parked_targets} targets are down or busy" if stats.parked_targets else ""
        paused = Level.DEGRADED if stats.paused else Level.HEALTHY
        return Check(status=paused, detail=f"{stats.active} at work, {stats.backoff} waiting to retry{parked}")

    async def providers() -> Check:
        accounts = core.live.now.accounts.values()
        return Check(status=Level.HEALTHY, detail=f"{len(accounts)} accounts")

    probes = {"redis": redis, "consumers": consumers, "providers": providers}
    return HealthMonitor(core.database, core.config.data.dir, core.clock, probes)
