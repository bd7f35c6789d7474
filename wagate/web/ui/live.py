"""``/ui/live``: figures and states of the page that somebody looks at, as Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec
import trio
from markupsafe import Markup
from quart import Blueprint, Response, request

from wagate.errors import NotFoundError
from wagate.storage.deliveries.survey import survey_of
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.events.listing import MOST_NEWER, count_newer, shown_deliveries
from wagate.web.access.streams import begun
from wagate.web.ui import needs
from wagate.web.ui.deliveries import FIELDS, PAGE, wanted
from wagate.web.ui.leaves import Leaves, changed, leaf, leaves_of
from wagate.web.ui.numbers import scan_panel
from wagate.web.ui.overview import Look, Snapshot, figures, look, snapshot
from wagate.web.ui.parts import Parts, viewer
from wagate.web.ui.signin import Viewer

EVERY: Final = 1.0
"""Seconds between two looks, while somebody watches."""
SHARE: Final = 0.02
"""Of the time, looks take no more than this: with ten thousand receivers they are rarer."""
CHECKED: Final = 5.0
"""Seconds after which a stream asks again whether its viewer is signed in."""
BEAT: Final = 15.0
"""Seconds; proxies cut connections that are silent for longer than a minute or so."""
SHOW: Final = "Show it"
PAGES: Final = ("overview", "receivers", "receiver", "deliveries", "number")


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Which page, and what is on it."""

    page: str
    viewer: Viewer
    things: Sequence[str]
    """Receivers on the page, by id; or a number's name."""
    ids: Sequence[str]
    """Deliveries on the page."""
    at: str
    """The newest delivery when it was shown; on the overview, `wagate.web.ui.needs.key` of what needed somebody."""
    asked: Mapping[str, str]
    """The page's filter."""


class SharedLook:
    """One look at everything, for all who watch; nobody watching costs nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = trio.Lock()
        self._last: tuple[Look, Sequence[TargetRow]] | None = None
        self._due = 0.0
        self._cuts: dict[int | None, Snapshot] = {}
        self._made: dict[tuple[object, ...], Leaves] = {}

    async def now(self, client_id: int | None) -> Snapshot:
        """What this viewer may see of the newest look."""
        async with self._lock:
            began = self._parts.clock.monotonic()
            if self._last is None or began >= self._due:
                targets = await self._parts.targets.all(client_id=None)
                self._last, self._cuts = (await look(self._parts, client_id=None), targets), {}
                self._made = {}
                took = self._parts.clock.monotonic() - began
                self._due = began + max(EVERY * 0.9, took / SHARE)
            if client_id not in self._cuts:
                seen, targets = self._last
                survey = survey_of(row for row in targets if client_id in {None, row.client_id})
                self._cuts[client_id] = snapshot(seen, survey, client_id=client_id, recover=self._parts.recover)
            return self._cuts[client_id]

    async def leaves(self, watched: Watched) -> Leaves:
        """What the newest look says on this page, made once for all who watch the same."""
        client_id = watched.viewer.client_id
        seen = await self.now(client_id)
        key = (client_id, watched.page, watched.at, *watched.things)
        if key not in self._made:
            self._made[key] = _figures(seen, watched)
        return self._made[key]


def pages(parts: Parts) -> Blueprint:
    """``/ui/live``."""
    routes = Blueprint("live", __name__)
    shared = SharedLook(parts)

    @routes.get("/live")
    async def live() -> Response:
        who = viewer()
        watched = Watched(
            page=request.args.get("page", ""),
            viewer=who,
            things=[each[:200] for each in request.args.getlist("thing")][:PAGE],
            ids=[each for each in request.args.get("ids", "").split(",") if 0 < len(each) < 50][:PAGE],
            at=request.args.get("at", "")[:50],
            asked={name: request.args.get(name, "").strip()[:200] for name in FIELDS},
        )
        if watched.page not in PAGES:
            raise NotFoundError("no such page")
        response = Response(
            await begun(parts.streams.counted(who.client_id, _stream(parts, shared, watched))),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            content_type="text/event-stream; charset=utf-8",
        )
        response.timeout = None
        return response

    return routes


async def _stream(parts: Parts, shared: SharedLook, watched: Watched) -> AsyncGenerator[bytes, None]:
    """Until the gateway stops or the sign-in ends: what is new, once a second at most."""
    sent: Leaves = {}
    clock = parts.clock
    checked = clock.monotonic()
    said = checked - BEAT  # so that something is said at once
    with _alarm(parts, watched) as alarm:
        while not parts.stop.is_set():
            wake = alarm()
            found = await _leaves(parts, shared, watched)
            if news := changed(sent, found):
                yield event("patch", Markup("\n").join(news))
                sent, said = {**sent, **found}, clock.monotonic()
            elif clock.monotonic() >= said + BEAT:
                yield b": beat\n\n"
                said = clock.monotonic()
            await clock.wait(wake, EVERY)
            if clock.monotonic() >= checked + CHECKED:
                checked = clock.monotonic()
                if not await parts.signins.lasts(watched.viewer):
                    yield event("end", "Signed out")
                    return


@contextmanager
def _alarm(parts: Parts, watched: Watched) -> Iterator[Callable[[], trio.Event]]:
    """What wakes a stream before its second is over: the stop, and for a number that its session changed."""
    if watched.page != "number":
        yield lambda: parts.stop
        return
    with parts.hub.watch() as watcher:

        def armed() -> trio.Event:
            watcher.take()
            return watcher.wake

        yield armed


async def _leaves(parts: Parts, shared: SharedLook, watched: Watched) -> Leaves:
    who = watched.viewer.client_id
    if watched.page == "number":
        return await scan_panel(parts, "".join(watched.things[:1]), client_id=who, may_act=watched.viewer.may_act)
    rows = await parts.database.browse(shown_deliveries, watched.ids, client_id=who) if watched.ids else ()
    if watched.page == "deliveries":
        return {**leaves_of((), (), rows, parts.now()), **await _more(parts, watched, who)}
    figures_of = await shared.leaves(watched)
    return {**figures_of, **leaves_of((), (), rows, parts.now())} if rows else figures_of


def _figures(seen: Snapshot, watched: Watched) -> Leaves:
    targets = [seen.by_id[each] for each in watched.things if each in seen.by_id]
    if watched.page != "overview":
        return leaves_of(targets, (), (), seen.now)
    text = "" if watched.at == needs.key(seen.found) else f"What needs you has changed. {SHOW}"
    tab = leaf("tab", f"{needs.tab(seen.found)} · wagate")
    return {**leaves_of(targets, seen.numbers, (), seen.now), **figures(seen), "more": leaf("more", text), "tab": tab}


async def _more(parts: Parts, watched: Watched, client_id: int | None) -> Leaves:
    newer = await parts.database.browse(count_newer, wanted(parts, watched.asked), watched.at, client_id=client_id)
    count = f"{MOST_NEWER}+" if newer == MOST_NEWER else str(newer)
    text = f"{count} newer {'delivery' if newer == 1 else 'deliveries'}. {SHOW}" if newer else ""
    return {"more": leaf("more", text)}


def event(name: str, text: str) -> bytes:
    """One Server-Sent Event."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n".encode()
