"""The first page: what needs attention, then all else, quietly."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import structlog
import trio
from markupsafe import Markup
from quart import Blueprint

from wagate.errors import StorageError
from wagate.events import SESSION_STATES, SessionGroup
from wagate.hooks.watch import Need as NeedView
from wagate.storage.deliveries.survey import SENDING, Survey, Totals
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.minutes import HOUR, Bucket, Lately, lately, read_buckets
from wagate.storage.owners.accounts import list_accounts
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow
from wagate.storage.upkeep.copies import last_backup
from wagate.web.api.doctor import DoctorLine
from wagate.web.health import Check
from wagate.web.ui import charts, needs, without_text, words
from wagate.web.ui.leaves import NO_SESSION, age, leaf, number_mark
from wagate.web.ui.needs import Need
from wagate.web.ui.number_new import choices
from wagate.web.ui.parts import Parts, one_client, viewer

T = TypeVar("T")
log = structlog.get_logger("wagate.ui")
SHOWN = 12
"""Receivers and numbers on the page; the rest are on their own pages."""
REFUSED = 5
"""Refused webhooks on the page."""
WARNINGS = 5
"""Lines of the log on the page, for the admin."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows."""

    found: Sequence[Need]
    totals: Totals
    hour: Lately | None
    """The last one; None: it could not be read."""
    targets: Sequence[TargetRow]
    """Receivers that are on the page, worst first."""
    sending: dict[str, TargetRow]
    """By account's id: what waits to leave."""
    numbers: Sequence[AccountRow]
    """Worst first."""
    refused: Sequence[RefusedRow] | None
    """Webhooks, the latest first; None: they could not be read."""
    free: int
    """Bytes on the disk."""
    uptime: str
    backup: datetime | None
    now: datetime

    @property
    def connection(self) -> str:
        """Of the numbers. Most providers have no session: theirs are neither connected nor not."""
        groups = [SESSION_STATES[each.status].group for each in self.numbers if number_mark(each) != NO_SESSION]
        every, connected = words.plural(len(self.numbers), "number"), groups.count(SessionGroup.CONNECTED)
        if len(groups) == len(self.numbers):
            return f"{connected} of {every} connected"
        return f"{every}, {connected} of {words.plural(len(groups), 'phone')} connected" if groups else every


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """All but the receivers, of everybody or of one client, at one moment."""

    numbers: Sequence[AccountRow]
    refused: Sequence[RefusedRow] | None
    """None: they could not be read."""
    checks: Mapping[str, Check]
    failing: Sequence[DoctorLine]
    stopped: Collection[str]
    """Ids of numbers whose provider lets them send nothing."""
    listening: Collection[str]
    """Names of providers by which phones are linked."""
    free: int
    """Bytes on the disk."""
    uptime: str
    backup: datetime | None
    """When the newest was made, as far as it is known."""
    now: datetime


async def _or_none(part: str, reading: Awaitable[T]) -> T | None:
    """None when it can't be read: its card says so, and the others stand."""
    try:
        return await reading
    except StorageError as error:
        log.warning("part of a page failed", part=part, error=str(error))
        return None


async def look(parts: Parts, *, client_id: int | None) -> Look:
    """Read it."""
    return Look(
        now=parts.now(),
        numbers=await parts.database.browse(list_accounts, client_id=client_id),
        refused=await _or_none("refused webhooks", parts.refused(client_id=client_id)),
        checks=(await parts.health.report()).checks,
        failing=parts.failing(),
        stopped=parts.stopped(),
        listening=frozenset(each.name for each in parts.providers.all if each.listens),
        free=(await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)).free,
        uptime=parts.health.uptime(),
        backup=await trio.to_thread.run_sync(last_backup, parts.folder),
    )


def snapshot(seen: Look, survey: Survey, hour: Lately | None, *, client_id: int | None, recover: float) -> Snapshot:
    """The part of it that this client may see; None: all. ``survey`` and ``hour``: of its own receivers."""
    mine = client_id is None
    numbers = [row for row in seen.numbers if mine or row.client_id == client_id]
    own = {each.id for each in numbers}
    refused = [row for row in seen.refused or () if row.account_id in own]
    found = needs.needs(
        survey.urgent,
        numbers,
        seen.checks.items() if mine else (),
        free=seen.free if mine else needs.LITTLE_FREE,
        recover=recover,
        now=seen.now,
        refused=refused,
        backup=seen.backup if mine else None,
        failing=seen.failing if mine else (),
        stopped=seen.stopped,
        listening=seen.listening,
    )
    return Snapshot(
        found=found,
        totals=survey.totals,
        hour=hour,
        targets=survey.shown,
        sending={row.id.removeprefix(SENDING): row for row in survey.urgent if row.id.startswith(SENDING)},
        numbers=sorted(numbers, key=lambda row: (SESSION_STATES[row.status].group is SessionGroup.CONNECTED, row.name)),
        refused=None if seen.refused is None else sorted(refused, key=lambda row: row.last_at, reverse=True)[:REFUSED],
        free=seen.free,
        uptime=seen.uptime,
        backup=seen.backup,
        now=seen.now,
    )


async def take(parts: Parts, *, client_id: int | None, most: int = SHOWN, texts: bool = True) -> Snapshot:
    """Look once at what the viewer may see; at so many receivers, the worst. ``texts``: with their words."""
    survey = await parts.targets.survey(client_id=client_id, most=most)
    for row in () if texts else (*survey.shown, *survey.urgent):
        without_text.target(row)
    seen = await look(parts, client_id=client_id)
    if not texts:
        numbers = [without_text.number(each) for each in seen.numbers]
        refused = None if seen.refused is None else [without_text.refusal(each) for each in seen.refused]
        seen = msgspec.structs.replace(seen, numbers=numbers, refused=refused)
    hour = (await last_hour(parts, [client_id])).get(client_id)
    return snapshot(seen, survey, hour, client_id=client_id, recover=parts.recover)


async def last_hour(parts: Parts, clients: Collection[int | None]) -> Mapping[int | None, Lately]:
    """Of each of these clients; None: of all together. Empty when it can't be read."""
    reading = parts.database.browse(lately, clients, since=parts.now() - timedelta(hours=1))
    return await _or_none("the last hour", reading) or {}


async def for_plugins(parts: Parts) -> list[NeedView]:
    """What needs attention; when the database can't be read, what is known without it."""
    try:
        found = (await take(parts, client_id=None, most=0)).found
    except StorageError:
        free = (await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)).free
        checks = (await parts.health.report()).checks.items()
        now, failing = parts.now(), parts.failing()
        found = needs.needs((), (), checks, free=free, recover=parts.recover, now=now, failing=failing)
    return [needs.view(each) for each in found]


def figures(seen: Snapshot) -> dict[str, Markup]:
    """The page's own leaves."""
    all_of = seen.totals
    values: dict[str, Markup | str] = {
        "f-waiting": f"{all_of.waiting:,}",
        "f-oldest": Markup("oldest {}").format(age(all_of.oldest_at, seen.now)) if all_of.waiting else "nothing waits",
        "f-failed": f"{all_of.failed:,}",
        "f-leaving": f"{all_of.leaving:,}",
        "f-in": "–" if seen.hour is None else f"{seen.hour.came_in:,}",
        "f-on": "–" if seen.hour is None else f"{seen.hour.done:,}",
        "f-lag": "–" if seen.hour is None else words.at_most(seen.hour.lag),
        "f-standing": f"{seen.connection}, {all_of.up} of {words.plural(all_of.count, 'receiver')} up.",
    }
    sending = {
        f"n-{row.id}-leaving": str(seen.sending[row.id].waiting if row.id in seen.sending else 0)
        for row in seen.numbers
    }
    return {name: leaf(name, value) for name, value in (values | sending).items()}


def watching(page: str, targets: Sequence[TargetRow], **more: str) -> str:
    """What a page with these receivers asks of the stream."""
    asked = {name: value for name, value in more.items() if value}
    return urlencode({"page": page, **asked, "thing": [row.id for row in targets]}, doseq=True)


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
        seen = await take(parts, client_id=parts.whose(), texts=viewer().texts)
        client = one_client()
        if not seen.numbers and viewer().may_act and not client:
            return parts.page("welcome", "overview", **choices(parts))
        return parts.page(
            "overview",
            "overview",
            seen=seen,
            heading=needs.heading(seen.found),
            tab=needs.tab(seen.found),
            most=needs.MOST,
            shown=SHOWN,
            sparks=await _or_none("the last day", _sparks(parts, [row.id for row in seen.targets], seen.now)),
            leaves=figures(seen),
            warnings=parts.warnings()[:WARNINGS] if viewer().identity.admin and not client else (),
            client=client,
            live=watching("overview", seen.targets, client=client, at=needs.key(seen.found)),
        )

    return routes
