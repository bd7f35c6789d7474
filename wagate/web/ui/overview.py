"""The first page: what needs somebody, then all else, quietly."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime

import msgspec
import trio
from quart import Blueprint

from wagate.events import SESSION_STATES, SessionGroup, SessionStatus
from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.owners.accounts import list_accounts
from wagate.storage.rows import AccountRow
from wagate.web.ui import needs, words
from wagate.web.ui.needs import Need
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
    def connected(self) -> int:
        """Numbers."""
        return sum(SESSION_STATES[each.status].group is SessionGroup.CONNECTED for each in self.numbers)


async def take(parts: Parts, *, client_id: int | None) -> Snapshot:
    """Look once at everything that the viewer may see."""
    now = parts.now()
    every = await parts.targets.all(client_id=client_id)
    numbers = await parts.database.browse(list_accounts, client_id=client_id)
    report = await parts.health.report()
    free = (await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)).free
    mine = client_id is None
    found = needs.needs(
        every,
        numbers,
        report.checks.items() if mine else (),
        free=free if mine else needs.LITTLE_FREE,
        recover=parts.recover,
        now=now,
        refused=await parts.refused(client_id=client_id),
    )
    return Snapshot(
        found=found,
        targets=sorted(
            (row for row in every if not row.id.startswith("outbound:")),
            key=lambda row: (WORST.index(row.standing), -row.failed, -row.waiting, row.name),
        ),
        sending={row.id.partition(":")[2]: row for row in every if row.id.startswith("outbound:")},
        numbers=sorted(numbers, key=lambda row: (SESSION_STATES[row.status].group is SessionGroup.CONNECTED, row.name)),
        free=free,
        uptime=parts.health.uptime(),
        now=now,
    )


def number_mark(row: AccountRow) -> tuple[str, str]:
    """How a number is: the mark's kind, and the word. Most providers have no session, and so nothing to say of it."""
    if row.status is SessionStatus.INITIALIZING and not row.ever_connected and not row.message:
        return "off", "No session"
    return words.NUMBERS[SESSION_STATES[row.status].group]


def pages(parts: Parts) -> Blueprint:
    """``/ui/``."""
    routes = Blueprint("overview", __name__)

    @routes.get("/")
    async def index() -> str:
        seen = await take(parts, client_id=viewer().client_id)
        if not seen.numbers and viewer().identity.admin:
            return parts.page("welcome", "overview", seen=seen)
        return parts.page(
            "overview",
            "overview",
            seen=seen,
            heading=needs.heading(seen.found),
            most=needs.MOST,
            shown=SHOWN,
            number_mark=number_mark,
        )

    return routes
