"""One look at everything, for all who watch a page: nobody watching costs nothing, fifty cost hardly more than one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import msgspec
import trio
from markupsafe import Markup

from wagate.storage.deliveries.survey import Glance, Survey, Totals
from wagate.storage.events.listing import MOST_NEWER, ShownDelivery, count_newer, shown_deliveries
from wagate.storage.minutes import Lately
from wagate.web.ui import needs
from wagate.web.ui.deliveries import wanted as wanted_deliveries
from wagate.web.ui.leaves import Leaves, changed, leaf, leaves_of
from wagate.web.ui.overview import Look, Snapshot, figures, last_hour, look, snapshot
from wagate.web.ui.parts import Parts
from wagate.web.ui.signin import Viewer

EVERY: Final = 1.0
"""Seconds between two looks, while somebody watches."""
SHARE: Final = 0.02
"""Of the time, looks take no more than this: with ten thousand receivers that all need somebody they are rarer.

But for a page that the last look did not cover: it is looked at once.
"""
FRESH: Final = 1.0
"""Seconds for which it is known who is signed in."""
SHOW: Final = "Show it"
OF_ONE_NUMBER: Final = frozenset({"number", "first"})
ALONE: Final = OF_ONE_NUMBER | {"bulk"}
"""Pages that are not looked at together with the others: each is about one thing."""


class Watched(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Which page, and what is on it."""

    page: str
    viewer: Viewer
    things: Sequence[str]
    """Receivers on the page, by id; or a number's name, or the id of an act on many."""
    ids: Sequence[str]
    """Deliveries on the page."""
    at: str
    """The newest delivery when it was shown; on the overview, `wagate.web.ui.needs.key` of what needed somebody;
    of an act on many, how many were refused."""
    asked: Mapping[str, str]
    """The page's filter."""
    of: int | None = None
    """The only client whose things the admin looks at."""

    @property
    def client_id(self) -> int | None:
        """Whose things it may show; None: everybody's."""
        return self.of if self.viewer.client_id is None else self.viewer.client_id

    @property
    def same(self) -> tuple[object, ...]:
        """Equal for two who see the same figures."""
        return (self.client_id, self.page, self.at, *self.asked.items(), *self.things, *self.ids)


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What one look is about."""

    pages: frozenset[str]
    clients: frozenset[int | None]
    names: frozenset[str]
    """Receivers, whether there are such or not."""
    ids: frozenset[str]
    """Deliveries, likewise."""

    def covers(self, watched: Watched) -> bool:
        """Whether this page can be shown by it."""
        return (
            watched.page in self.pages
            and watched.client_id in self.clients
            and self.names.issuperset(watched.things)
            and self.ids.issuperset(watched.ids)
        )


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one look came to; parts that no page wants are not looked at."""

    now: datetime
    wanted: _Wanted
    glance: Glance | None
    look: Look | None
    hours: Mapping[int | None, Lately]
    """The last one, of each client that watches the overview."""
    deliveries: Mapping[str, ShownDelivery]
    newest: str
    """Id of the newest delivery of all."""
    cuts: dict[int | None, Snapshot]
    leaves: dict[tuple[object, ...], Leaves]
    news: dict[tuple[int, int], tuple[Leaves, Sequence[Markup]]]
    """By what was there before and what is now, as objects: those before are kept here, those now in ``leaves``."""


class SharedLook:
    """Looks at what all open pages show, at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = trio.Lock()
        self._making = trio.Lock()
        self._watchers: dict[int, Watched] = {}
        self._last: _Seen | None = None
        self._due = 0.0
        self._signed_in: set[str] = set()
        self._checked = 0.0

    @contextmanager
    def watching(self, watched: Watched) -> Iterator[None]:
        """Look at this page's receivers, too, as long as it is open."""
        self._watchers[id(watched)] = watched
        try:
            yield
        finally:
            del self._watchers[id(watched)]

    async def leaves(self, watched: Watched) -> Leaves:
        """What the newest look says on this page, made once for all who watch the same."""
        seen = await self._seen(watched)
        async with self._making:  # Who sees the same waits for it here, rather than counting for themselves.
            if watched.same not in seen.leaves:
                made = self._figures(seen, watched)
                if watched.page == "deliveries":
                    made["more"] = await self._newer(seen, watched)
                seen.leaves[watched.same] = made
        return seen.leaves[watched.same]

    def news(self, watched: Watched, before: Leaves, after: Leaves) -> Sequence[Markup]:
        """What is new on this page, compared once for all who saw the same before."""
        if before is after:
            return ()
        last = self._last
        if last is None or last.leaves.get(watched.same) is not after:
            return changed(before, after)
        key = id(before), id(after)
        if key not in last.news:
            last.news[key] = before, changed(before, after)
        return last.news[key][1]

    async def lasts(self, watched: Watched) -> bool:
        """Whether its viewer was signed in a few seconds ago; asked for all in one go."""
        async with self._lock:
            now = self._parts.clock.monotonic()
            if now >= self._checked + FRESH or watched.viewer.cookie not in self._signed_in:
                viewers = {each.viewer.cookie: each.viewer for each in self._watchers.values()}
                self._signed_in = await self._parts.signins.lasting(viewers.values())
                self._checked = now
            return watched.viewer.cookie in self._signed_in

    async def _seen(self, watched: Watched) -> _Seen:
        async with self._lock:
            began = self._parts.clock.monotonic()
            last = self._last
            if last is None or began >= self._due or not last.wanted.covers(watched):
                last = self._last = await self._look()
                took = self._parts.clock.monotonic() - began
                self._due = began + max(EVERY * 0.9, took / SHARE)
            return last

    async def _look(self) -> _Seen:
        parts, every = self._parts, [each for each in self._watchers.values() if each.page not in ALONE]
        wanted = _Wanted(
            pages=frozenset(each.page for each in every),
            clients=frozenset(each.client_id for each in every),
            names=frozenset(thing for each in every for thing in each.things),
            ids=frozenset(one for each in every for one in each.ids),
        )
        clients = [each for each in wanted.clients if each is not None]
        deliveries: Mapping[str, ShownDelivery] = {}
        newest = ""
        if wanted.ids or "deliveries" in wanted.pages:
            deliveries, newest = await parts.database.browse(shown_deliveries, sorted(wanted.ids))
        return _Seen(
            now=parts.now(),
            wanted=wanted,
            glance=await parts.targets.glance(wanted.names, clients) if wanted.pages - {"deliveries"} else None,
            look=await look(parts, client_id=None) if "overview" in wanted.pages else None,
            hours=await last_hour(parts, wanted.clients) if "overview" in wanted.pages else {},
            deliveries=deliveries,
            newest=newest,
            cuts={},
            leaves={},
            news={},
        )

    async def _newer(self, seen: _Seen, watched: Watched) -> Markup:
        count = 0
        if seen.newest > watched.at:
            which = wanted_deliveries(self._parts, watched.asked)
            count = await self._parts.database.browse(count_newer, which, watched.at, client_id=watched.client_id)
        many = f"{MOST_NEWER}+" if count == MOST_NEWER else str(count)
        text = f"{many} newer {'delivery' if count == 1 else 'deliveries'}. {SHOW}" if count else ""
        return leaf("more", text)

    def _figures(self, seen: _Seen, watched: Watched) -> dict[str, Markup]:
        named = {} if seen.glance is None else seen.glance.named
        targets = [named[each] for each in watched.things if each in named]
        deliveries = [seen.deliveries[each] for each in watched.ids if each in seen.deliveries]
        found = leaves_of(
            [row for row in targets if watched.client_id is None or row.client_id == watched.client_id],
            (),
            [one for one in deliveries if watched.client_id is None or one.client_id == watched.client_id],
            seen.now,
        )
        return found | self._overview(seen, watched) if watched.page == "overview" else found

    def _overview(self, seen: _Seen, watched: Watched) -> dict[str, Markup]:
        mine = self._cut(seen, watched.client_id)
        text = "" if watched.at == needs.key(mine.found) else f"What needs you has changed. {SHOW}"
        tab = leaf("tab", f"{needs.tab(mine.found)} · wagate")
        return {**leaves_of((), mine.numbers, (), seen.now), **figures(mine), "more": leaf("more", text), "tab": tab}

    def _cut(self, seen: _Seen, client_id: int | None) -> Snapshot:
        if client_id not in seen.cuts:
            assert seen.glance is not None  # as somebody watches the overview
            assert seen.look is not None
            urgent = [row for row in seen.glance.urgent if client_id is None or row.client_id == client_id]
            survey = Survey(totals=seen.glance.totals.get(client_id, Totals()), shown=(), urgent=urgent)
            seen.cuts[client_id] = snapshot(
                seen.look, survey, seen.hours.get(client_id), client_id=client_id, recover=self._parts.recover
            )
        return seen.cuts[client_id]
