"""Who listens at ``/ws``, and the events that were stored since."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import trio
from uuid_utils import UUID, uuid7

from wagate.clock import Clock
from wagate.errors import WagateError
from wagate.events import Event
from wagate.events.kinds import EVENT_KINDS, GROUP_PREFIX, MESSAGE, MESSAGE_ANY, matches
from wagate.parsing.waha import EVENT_OF_TYPE
from wagate.storage.database import Database
from wagate.storage.events.listing import events_by_id, ids_since
from wagate.web.access.streams import Streams

EVERY: Final = 1.0
"""Seconds between two looks at the table, while somebody listens."""
OVERLAP: Final = 10_000
"""Milliseconds: an event may be committed so long after one whose id is higher, and is still told."""
MOST: Final = 1000
"""Events that wait for one who reads too slowly; one more, and it is dropped."""

AT_ONCE: Final = 500
"""Events of one read."""

log = structlog.get_logger("wagate.waha")


class Wish:
    """What a listener wants."""

    def __init__(self, events: frozenset[str], *, client_id: int | None, account_id: str | None) -> None:
        """``events``: WAHA's names, and ``*``; ``client_id`` None: all clients', ``account_id`` None: all accounts'."""
        self.events = events
        self.client_id = client_id
        self.account_id = account_id

    def name_of(self, event: Event) -> str | None:
        """Under which of WAHA's names it is told; None: it is not."""
        if self.client_id not in {None, event.client_id} or self.account_id not in {None, event.account_id}:
            return None
        kind = event.kind
        if kind not in EVENT_KINDS and not kind.startswith(GROUP_PREFIX):
            return None
        if kind in {MESSAGE, MESSAGE_ANY} and EVENT_OF_TYPE.get(event.type) in self.events:
            return kind
        if not matches(self.events, kind):
            return None
        asked_for_any = kind == MESSAGE and MESSAGE_ANY in self.events and MESSAGE not in self.events
        return MESSAGE_ANY if asked_for_any else kind


class Listener:
    """One who listens; nobody waits for anybody."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self._events: deque[Event] = deque()
        self._wake = trio.Event()
        self.behind = False
        """More than `MOST` waited: what came since is not told."""
        self.closed = False
        """The process stops."""

    @property
    def wake(self) -> trio.Event:
        """Set when there is something to take, or nothing more to wait for."""
        return self._wake

    def tell(self, event: Event) -> None:
        """If it is wanted. Never blocks."""
        if self.behind or self.wish.name_of(event) is None:
            return
        self.behind = len(self._events) >= MOST
        if not self.behind:
            self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """Nothing will come any more."""
        self.closed = True
        self._wake.set()

    def take(self) -> Event | None:
        """The next event, in the order they were stored; None: there is none now."""
        if self._events:
            return self._events.popleft()
        if not self.closed and not self.behind:
            self._wake = trio.Event()
        return None


class Listeners:
    """Looks for new events each second, while somebody listens; so those of other processes are told, too."""

    def __init__(self, database: Database, clock: Clock, *, most: int) -> None:
        """``most``: listeners of one client at once."""
        self._database = database
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._streams = Streams(most)
        self._listened, self._looked = trio.Event(), trio.Event()
        self._closed = False
        self._floor = ""
        self._seen: set[str] = set()

    @contextmanager
    def listen(self, wish: Wish) -> Iterator[Listener]:
        """Until it is left. TooManyRequestsError; the admin's are not counted."""
        listener = Listener(wish)
        if self._closed:
            listener.close()
        with self._streams.one(wish.client_id):
            self._listeners.add(listener)
            self._listened.set()
            try:
                yield listener
            finally:
                self._listeners.discard(listener)

    async def looked(self, listener: Listener) -> None:
        """Wait until all that is stored from now on will be told."""
        while not self._looked.is_set() and not listener.closed:
            await self._clock.wait(self._looked, EVERY)

    def close(self) -> None:
        """Let all go, when the process stops."""
        self._closed = True
        for listener in self._listeners:
            listener.close()

    async def run(self) -> None:
        """For ever. To be run as a task."""
        while True:
            await self._listened.wait()
            self._floor, self._seen, self._looked = "", set(), trio.Event()
            while self._listeners:
                try:
                    await self._look()
                except WagateError as error:
                    log.warning("can't look for new events", error=str(error))
                await self._clock.sleep(EVERY)
            self._listened, self._looked = trio.Event(), trio.Event()

    async def _look(self) -> None:
        """Tell what is new since the last look; the first only notes what there is."""
        now = uuid7().timestamp  # by the clock that ids are made of
        first = not self._floor
        found = await self._database.read(ids_since, self._floor or _id_at(now - OVERLAP))
        fresh = [each for each in found if each not in self._seen]
        for start in range(0, 0 if first else len(fresh), AT_ONCE):
            part = fresh[start : start + AT_ONCE]
            events = await self._database.read(events_by_id, part)
            for event in (events[each] for each in part if each in events):
                for listener in self._listeners:
                    listener.tell(event)
            self._seen.update(part)
        self._floor = _id_at(now - OVERLAP)
        self._seen = {each for each in found if each >= self._floor}
        self._looked.set()


def _id_at(milliseconds: int) -> str:
    """The lowest id of that time."""
    return str(UUID(int=milliseconds << 80))
