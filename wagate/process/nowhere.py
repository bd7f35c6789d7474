"""What leads nowhere, and nobody would notice: for ``wagate doctor``, and at the start for the log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog

from wagate.hooks.providers import Check as Look
from wagate.hooks.providers import Finding
from wagate.process.assemble import Gateway
from wagate.storage.deliveries.not_working import MOST, unserved

log = structlog.get_logger("wagate.process.nowhere")


def looks(gateway: Gateway) -> list[tuple[str, Look]]:
    """For the doctor, by part; a look that finds nothing says nothing."""
    return [("receivers", partial(switched_off, gateway))]


async def tell(gateway: Gateway) -> None:
    """At the start, in the log."""
    for each in await gateway.database.read(unserved, handlers=gateway.handlers):
        log.warning(
            "deliveries wait for a connector that is off",
            connector=each.connector,
            waiting=each.waiting,
            oldest=each.oldest.isoformat(),
        )


async def switched_off(gateway: Gateway) -> Sequence[Finding]:
    """Connectors that are off, for which something waits: it is neither tried nor given up, and its events are kept."""
    return [
        Finding(
            level="warn",
            what="off",
            detail=f"{each.waiting}{' or more' if each.waiting >= MOST else ''} deliveries wait for {each.connector}, "
            f"which is off, the oldest since {each.oldest:%Y-%m-%d %H:%M} UTC",
            next_step=f"switch it on ([plugins.{each.connector}] in config.toml, then restart), or give them up: "
            f"wagate jobs cancel --pending --connector {each.connector}",
        )
        for each in await gateway.database.browse(unserved, handlers=gateway.handlers)
    ]
