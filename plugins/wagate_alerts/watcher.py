"""The task: look, decide, tell, remember."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import trio

from wagate.errors import StorageError
from wagate.hooks import PluginContext
from wagate_alerts import rules
from wagate_alerts.lines import Alert, NotTakenError, Send, Ways
from wagate_alerts.rules import Line, Memory, Part
from wagate_alerts.settings import Settings

LOOK: Final = 15.0
"""Seconds between two looks."""
BEAT: Final = 60.0
"""Seconds between two records of being there."""
AT_ONCE: Final = 2
"""Lines: each may be a process of 45 MB for a moment."""
MEMORY: Final = "memory"
THERE: Final = "there"


class Watcher:
    """For one gateway; of several on one database the one that leads does all this."""

    def __init__(self, context: PluginContext, ways: Ways) -> None:
        self._context = context
        self._ways = ways
        self._memory = Memory()
        self._saved = b""
        self._beat_at: float | None = None
        self._leads = False
        self._told: dict[str, str] = {}
        """Line → what the log was told of it."""

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.turn()
            await self._context.clock.sleep(LOOK)

    async def turn(self) -> None:
        """One look, and what follows from it."""
        if not await self._may():
            return
        needs = await self._context.watch.needs()
        settings, lines = self._ways.settings, self._ways.lines
        self._memory.lines = {name: self._memory.lines.get(name) or Line() for name in lines}
        parts = rules.notice(self._memory, needs, self._context.clock.now(), settings)
        self._let_wait(parts)
        await self._remember()  # before anything is sent: nothing is told twice, and nothing is forgotten
        limit = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for name, send in lines.items():
                nursery.start_soon(self._serve, name, send, settings, limit)
        await self._remember()
        self._tell_of_lines()

    async def _may(self) -> bool:
        """Whether it is on this process; one that begins reads what was remembered."""
        watch = self._context.watch
        try:
            leads = await watch.lead()
            if leads and not self._leads:
                await self._begin()
            self._leads = leads
        except StorageError as error:
            # The database's own absence has to be told, too: by who led last, since nobody can follow now.
            self._context.log.warning("alerts go on by what is known", reason=str(error))
        if not self._leads:
            watch.trouble("")
        return self._leads

    async def _begin(self) -> None:
        stored = await self._context.store.get(MEMORY)
        self._memory = remembered(stored)
        self._memory.lines = {name: self._memory.lines.get(name) or Line() for name in self._ways.lines}
        self._saved = msgspec.json.encode(self._memory)
        last = await self._context.store.get(THERE)
        now, waiting = self._context.clock.now(), await self._context.watch.waiting()
        since = datetime.fromisoformat(last) if isinstance(last, str) else None
        self._beat_at = None
        if rules.was_away(since, now):
            self._memory.back_at = now
        self._let_wait(rules.returned(since, waiting, now, self._ways.settings))

    def _let_wait(self, parts: Sequence[Part]) -> None:
        for line in self._memory.lines.values():
            rules.put(line, parts)

    async def _serve(self, name: str, send: Send, settings: Settings, limit: trio.CapacityLimiter) -> None:
        line, now = self._memory.lines[name], self._context.clock.now()
        if not (parts := rules.due(line, now, settings)):
            return
        title, text = rules.message(parts, dropped=line.dropped, public_url=self._context.public_url)
        async with limit:
            try:
                error = await send(Alert(title=title, text=text, key=_key(name, parts, line.tries)))
            except NotTakenError as failure:
                rules.failed(line, str(failure), self._context.clock.now())
            else:
                rules.sent(line, parts, self._context.clock.now(), error=error)

    async def _remember(self) -> None:
        """Write down what changed, and once a minute that we are there."""
        clock, values = self._context.clock, dict[str, Any]()
        if (encoded := msgspec.json.encode(self._memory)) != self._saved:
            values[MEMORY] = msgspec.to_builtins(self._memory)
        if self._beat_at is None or clock.monotonic() - self._beat_at >= BEAT:
            values[THERE] = clock.now().isoformat()
        if not values:
            return
        try:
            await self._context.store.set_all(values)
        except StorageError as error:
            self._context.log.warning("what was told is not written down", reason=str(error))
            return
        self._saved = encoded
        self._beat_at = clock.monotonic() if THERE in values else self._beat_at

    def _tell_of_lines(self) -> None:
        found = dict(rules.troubles(self._memory))
        for name in self._memory.lines:
            if found.get(name) != self._told.get(name):
                if name in found:
                    self._context.log.warning("alert not delivered", channel=name, reason=found[name])
                else:
                    self._context.log.info("alerts are delivered again", channel=name)
        self._told = found
        self._context.watch.trouble("; ".join(f"channel {name}: {why}" for name, why in found.items()))


def remembered(stored: Any) -> Memory:
    """What was remembered; nothing when it is of another version."""
    try:
        return Memory() if stored is None else msgspec.convert(stored, Memory)
    except msgspec.ValidationError:
        return Memory()


def _key(name: str, parts: Sequence[Part], tries: int) -> str:
    """The same for the same message: after a crash it is not sent twice where the way knows keys."""
    told = "\n".join(f"{each.at.isoformat()} {each.title}" for each in parts)
    return hashlib.sha256(f"{name}\n{tries}\n{told}".encode()).hexdigest()[:32]
