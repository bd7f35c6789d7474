"""Who watches sessions, and what has changed since they last looked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import peewee
import structlog
import trio

from wagate.clock import Clock
from wagate.errors import WagateError
from wagate.storage.database import Database
from wagate.storage.models import Account

EVERY = 1.0
"""Seconds between two looks at the table, while somebody watches."""

log = structlog.get_logger("wagate.sessions")


class Watcher:
    """One who watches. Holds names, not states: who is slow gets the newest state, and nobody waits for anybody."""

    def __init__(self) -> None:
        self._changed: dict[str, None] = {}
        self._wake = trio.Event()
        self.closed = False
        """The process stops; say goodbye."""

    @property
    def wake(self) -> trio.Event:
        """Set when there is something to take."""
        return self._wake

    def note(self, account: str) -> None:
        """This account's session changed."""
        self._changed[account] = None
        self._wake.set()

    def close(self) -> None:
        """Nothing will change any more."""
        self.closed = True
        self._wake.set()

    def take(self) -> list[str]:
        """The names changed since the last call, in order of their first change."""
        names, self._changed = list(self._changed), {}
        if not self.closed:
            self._wake = trio.Event()
        return names


class SessionHub:
    """Tells watchers which sessions changed: at once in this process, within a second in the others.

    Every process that serves watchers compares the accounts' ``updated_at`` each second, but only while somebody
    watches. So changes made by other processes, lapsed QRs and deleted accounts are seen too.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._watched = trio.Event()
        self._looked = trio.Event()
        self._closed = False

    def changed(self, account: str) -> None:
        """The state of this account's session changed. Never blocks."""
        for watcher in self._watchers:
            watcher.note(account)

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """Watch from now on: enter it before the first look, so that no change is missed."""
        watcher = Watcher()
        if self._closed:
            watcher.close()
        self._watchers.add(watcher)
        self._watched.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def looked(self) -> None:
        """Wait until what others change is seen, before a watcher's own first look; not for long when it can't be."""
        await self._clock.wait(self._looked, EVERY)

    def close(self) -> None:
        """Let all watchers go, when the process stops."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()

    async def run(self) -> None:
        """Look for changes that others made, for ever. To be run as a task."""
        while True:
            await self._watched.wait()
            known: dict[str, datetime] | None = None
            while self._watchers:
                known = await self._look(known)
                self._looked.set()
                await self._clock.sleep(EVERY)
            self._watched, self._looked = trio.Event(), trio.Event()

    async def _look(self, known: dict[str, datetime] | None) -> dict[str, datetime] | None:
        try:
            found = await self._database.read(last_changes)
        except WagateError as error:
            log.warning("can't look for changed sessions", error=str(error))
            return known
        if known is not None:
            for name in sorted(found.keys() | known.keys()):
                if found.get(name) != known.get(name):
                    self.changed(name)
        return found


def last_changes(db: peewee.Database) -> dict[str, datetime]:
    """When each account, or its session, last changed; by name."""
    return dict(Account.select(Account.name, Account.updated_at).tuples().execute(db))
