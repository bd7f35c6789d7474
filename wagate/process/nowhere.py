"""What leads nowhere, and nobody would notice: for ``wagate doctor``, and at the start for the log."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio

from wagate.hooks.providers import Check as Look
from wagate.hooks.providers import Finding
from wagate.process.assemble import Gateway
from wagate.process.backup import ENGINE
from wagate.storage.deliveries.not_working import MOST, unserved
from wagate.storage.owners.endpoints import lost_endpoints

SHOWN: Final = 20
"""Webhooks that the doctor names."""
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Of an account."""

log = structlog.get_logger("wagate.process.nowhere")


def looks(gateway: Gateway) -> list[tuple[str, Look]]:
    """For the doctor, by part; a look that finds nothing says nothing."""
    return [
        ("receivers", partial(switched_off, gateway)),
        ("webhooks", partial(of_nobody, gateway)),
        ("engine", partial(left_behind, gateway)),
    ]


async def tell(gateway: Gateway) -> None:
    """At the start, in the log."""
    for each in await gateway.database.read(unserved, handlers=gateway.handlers):
        log.warning(
            "deliveries wait for a connector that is off",
            connector=each.connector,
            waiting=each.waiting,
            oldest=each.oldest.isoformat(),
        )
    for folder in await _left(gateway):
        log.warning("engine folder of no account", folder=str(folder))


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


async def of_nobody(gateway: Gateway) -> Sequence[Finding]:
    """Webhooks for events of a name or number that no account of their client has: after a rename, say."""
    found = await gateway.database.browse(lost_endpoints, gateway.live.now)
    told = [
        f"{each.name or each.webhook_url.partition('?')[0]} (id {each.id}) is for {each.phone_number}, and no account "
        f"of {each.tenant} has this name or number: it gets nothing"
        for each in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        told.append(f"and {len(found) - SHOWN} more")
    step = "was an account renamed? set the webhook's phone_number (dashboard, or PATCH /api/webhooks/ID), or delete it"
    return [Finding(level="warn", what="number", detail=each, next_step=step) for each in told]


async def left_behind(gateway: Gateway) -> Sequence[Finding]:
    """Folders of providers that keep keys, named as an account that is gone: it was taken out while nothing ran."""
    told = [str(each) for each in await _left(gateway)]
    step = (
        "log this device out on the phone (Linked devices), then delete the folder; "
        "an account that is put back is a new one, and its number is linked again"
    )
    return [
        Finding(
            level="warn", what="folder", detail=f"{each}: no account has it; its number may be linked", next_step=step
        )
        for each in told
    ]


async def _left(gateway: Gateway) -> Sequence[Path]:
    accounts = gateway.live.now.by_id.values()
    own = {
        each.name: {account.id for account in accounts if account.provider == each.name}
        for each in gateway.providers.all
        if each.forget is not None
    }
    return await trio.to_thread.run_sync(_folders, gateway.config.data.dir / ENGINE, own)


def _folders(engine: Path, own: Mapping[str, Collection[str]]) -> Sequence[Path]:
    """Those below each provider's that have an id for a name, but none of its accounts'."""
    found: list[Path] = []
    for name, ids in sorted(own.items()):
        with suppress(OSError):  # what can't be read is said where it is needed
            places = sorted((engine / name).iterdir())
            found += [each for each in places if each.name not in ids and _ID.fullmatch(each.name) and each.is_dir()]
    return found
