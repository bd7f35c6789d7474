"""The first page: what needs somebody, then all else, quietly."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import trio
from markupsafe import Markup
from quart import Blueprint

from wagate.errors import StorageError
from wagate.events import SESSION_STATES, SessionGroup
from wagate.hooks.watch import Need as NeedView
from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.minutes import HOUR, Bucket, read_buckets
from wagate.storage.owners.accounts import list_accounts
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow
from wagate.storage.upkeep.copies import last_backup
from wagate.web.api.doctor import DoctorLine
from wagate.web.health import Check
from wagate.web.ui import charts, needs, words
from wagate.web.ui.leaves import NO_SESSION, age, leaf, number_mark
from wagate.web.ui.needs import Need
from wagate.web.ui.number_new import choices
from wagate.web.ui.parts import Parts, viewer

WORST = (Standing.DOWN, Standing.FAILING, Standing.DISABLED, Standing.PAUSED, Standing.UP)
"""The order of receivers."""
SHOWN = 12
"""Receivers and numbers on the page; the rest are on their own pages."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows."""

    found: Sequence[Need]
    targets: Sequence[TargetRow]
    """Receivers, worst first."""
    sending: dict[str, TargetRow]
    """By account's id: what waits to leave."""
    numbers: Sequence[AccountRow]
    """Worst first."""
    free: int
    """Bytes on the disk."""
    uptime: str
    now: datetime

    @property
    def waiting(self) -> int:
        """For receivers."""
        return sum(each.waiting for each in self.targets)

    @property
    def oldest_at(self) -> datetime | None:
        """Of those."""
        return min((each.oldest_at for each in self.targets if each.oldest_at is not None), default=None)

    @property
    def failed(self) -> int:
        """For good, in 24 hours."""
        return sum(each.failed for each in self.targets)

    @property
    def leaving(self) -> int:
        """Messages that wait to be sent."""
        return sum(each.waiting for each in self.sending.values())

    @property
    def up(self) -> int:
        """Receivers."""
        return sum(each.standing is Standing.UP for each in self.targets)

    @property
    def connection(self) -> str:
        """Of the numbers. Most providers have no session: theirs are neither connected nor not."""
        groups = [SESSION_STATES[each.status].group for each in self.numbers if number_mark(each) != NO_SESSION]
        every, connected = words.plural(len(self.numbers), "number"), groups.count(SessionGroup.CONNECTED)
        if len(groups) == len(self.numbers):
            return f"{connected} of {every} connected"
        return f"{every}, {connected} of {words.plural(len(groups), 'phone')} connected" if groups else every


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, or everything of one client, at one moment."""

    targets: Sequence[TargetRow]
    numbers: Sequence[AccountRow]
    refused: Sequence[RefusedRow]
    checks: Mapping[str, Check]
    failing: Sequence[DoctorLine]
    free: int
    """Bytes on the disk."""
    uptime: str
    backup: datetime | None
    """When the newest was made, as far as it is known."""
    now: datetime


async def look(parts: Parts, *, client_id: int | None) -> Look:
    """Read it."""
    return Look(
        now=parts.now(),
        targets=await parts.targets.all(client_id=client_id),
        numbers=await parts.database.browse(list_accounts, client_id=client_id),
        refused=await parts.refused(client_id=client_id),
        checks=(await parts.health.report()).checks,
        failing=parts.failing(),
        free=(await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)).free,
        uptime=parts.health.uptime(),
        backup=await trio.to_thread.run_sync(last_backup, parts.folder),
    )


def snapshot(seen: Look, *, client_id: int | None, recover: float) -> Snapshot:
    """The part of it that this client may see; None: all."""
    mine = client_id is None
    every = [row for row in seen.targets if mine or row.client_id == client_id]
    numbers = [row for row in seen.numbers if mine or row.client_id == client_id]
    found = needs.needs(
        every,
        numbers,
        seen.checks.items() if mine else (),
        free=seen.free if mine else needs.LITTLE_FREE,
        recover=recover,
        now=seen.now,
        refused=[row for row in seen.refused if row.account_id in {each.id for each in numbers}],
        backup=seen.backup if mine else None,
        failing=seen.failing if mine else (),
    )
    return Snapshot(
        found=found,
        targets=sorted(
            (row for row in every if not row.id.startswith("outbound:")),
            key=lambda row: (WORST.index(row.standing), -row.failed, -row.waiting, row.name),
        ),
        sending={row.id.partition(":")[2]: row for row in every if row.id.startswith("outbound:")},
        numbers=sorted(numbers, key=lambda row: (SESSION_STATES[row.status].group is SessionGroup.CONNECTED, row.name)),
        free=seen.free,
        uptime=seen.uptime,
        now=seen.now,
    )


async def take(parts: Parts, *, client_id: int | None) -> Snapshot:
    """Look once at everything that the viewer may see."""
    return snapshot(await look(parts, client_id=client_id), client_id=client_id, recover=parts.recover)


async def for_plugins(parts: Parts) -> list[NeedView]:
    """What needs somebody; when the database can't be read, what is known without it."""
    try:
        found = (await take(parts, client_id=None)).found
    except StorageError:
        free = (await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)).free
        checks = (await parts.health.report()).checks.items()
        now, failing = parts.now(), parts.failing()
        found = needs.needs((), (), checks, free=free, recover=parts.recover, now=now, failing=failing)
    return [needs.view(each) for each in found]


def figures(seen: Snapshot) -> dict[str, Markup]:
    """The page's own leaves."""
    values: dict[str, Markup | str] = {
        "f-waiting": f"{seen.waiting:,}",
        "f-oldest": Markup("oldest {}").format(age(seen.oldest_at, seen.now)) if seen.waiting else "nothing waits",
        "f-failed": f"{seen.failed:,}",
        "f-leaving": f"{seen.leaving:,}",
        "f-standing": f"{seen.connection}, {seen.up} of {words.plural(len(seen.targets), 'receiver')} up.",
    }
    sending = {
        f"n-{row.id}-leaving": str(seen.sending[row.id].waiting if row.id in seen.sending else 0)
        for row in seen.numbers
    }
    return {name: leaf(name, value) for name, value in (values | sending).items()}


async def _sparks(parts: Parts, ids: Sequence[str], now: datetime) -> Mapping[str, tuple[Markup, str]]:
    """The last day of the receivers that are shown, and of no others: there may be ten thousand."""
    since = now - timedelta(hours=23)
    found = await parts.database.browse(read_buckets, ids, step=HOUR, since=since) if ids else []
    by_id: dict[str, list[Bucket]] = {each: [] for each in ids}
    for each in found:
        by_id[each.subject].append(each)
    return {id_: charts.spark(mine, now=now) for id_, mine in by_id.items()}


def pages(parts: Parts) -> Blueprint:
    """``/ui/``."""
    routes = Blueprint("overview", __name__)

    @routes.get("/")
    async def index() -> str:
        seen = await take(parts, client_id=viewer().client_id)
        if not seen.numbers and viewer().may_act:
            return parts.page("welcome", "overview", **choices(parts))
        return parts.page(
            "overview",
            "overview",
            seen=seen,
            heading=needs.heading(seen.found),
            tab=needs.tab(seen.found),
            most=needs.MOST,
            shown=SHOWN,
            sparks=await _sparks(parts, [row.id for row in seen.targets[:SHOWN]], seen.now),
            leaves=figures(seen),
            live=f"page=overview&at={needs.key(seen.found)}",
        )

    return routes
