"""What `/health` asks beside database and disk: Redis, consumers, providers, receivers, plugins."""

from __future__ import annotations

from wagate.errors import QueueError
from wagate.process.assemble import Gateway
from wagate.process.standing import Watched
from wagate.web.health import Check, HealthMonitor, Level


def health_monitor(gateway: Gateway, watched: Watched) -> HealthMonitor:
    """The monitor with our probes."""

    async def redis() -> Check:
        try:
            for node in await gateway.redis.nodes():
                await node.command("PING")
        except QueueError as error:
            return Check(status=Level.DEGRADED, detail=f"{error}; messages are stored and wait in the tables")
        return Check(status=Level.HEALTHY)

    async def consumers() -> Check:
        if (failing := gateway.consumers.failing) is not None:
            detail = f"the consumer broke and starts again: {failing}; the log says where"
            return Check(status=Level.UNHEALTHY, detail=detail)
        try:
            stats = await gateway.consumers.stats()
        except QueueError as error:
            return Check(status=Level.DEGRADED, detail=str(error))
        parked = f"; {stats.parked_targets} targets are down or busy" if stats.parked_targets else ""
        paused = Level.DEGRADED if stats.paused else Level.HEALTHY
        return Check(status=paused, detail=f"{stats.active} at work, {stats.backoff} waiting to retry{parked}")

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
