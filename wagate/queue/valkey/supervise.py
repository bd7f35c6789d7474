"""The embedded Valkey: a child on a unix socket in the data folder, supervised, stopped last."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import structlog
import trio

from wagate.errors import AlreadyRunningError, QueueError
from wagate.queue.valkey.folder import Place, lock, open_place
from wagate.queue.valkey.server import NoAnswerError, Server, answers, kill, start_or_adopt, stop

log = structlog.get_logger(__name__)

STEADY = 10.0
"""Seconds a server must live for its death not to count as one more in a row."""
LONGEST_PAUSE = 5.0
PING = 1.0
"""Seconds between two pings."""
DEADLINE = 2.0
"""Seconds in which a ping must be answered."""
HUNG = 3
"""Pings in a row without an answer, after which the server counts as dead."""


class EmbeddedValkey:
    """The running server; another process after a restart, at the same address."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def url(self) -> str:
        """For `RedisThread`."""
        return f"unix://{quote(str(self.server.place.socket))}"

    @property
    def pid(self) -> int:
        """The server's process id now."""
        return self.server.pid


@asynccontextmanager
async def embedded_valkey(data: Path, *, maxmemory: str = "256mb") -> AsyncIterator[EmbeddedValkey]:
    """Run a Valkey in ``<data>/valkey`` for as long as the block runs.

    It answers when the block begins. A survivor of a killed process is taken over. A server that dies is started again
    (what is not yet on disk, at most a second, the sweep puts back from the tables); one that hangs is killed first. An
    append-only file that can't be read is moved aside.

    Raises:
        AlreadyRunningError: another process runs a server in this folder.
        QueueError: it can't be started; the message says why.
    """
    try:
        place = open_place(data)
        owner = lock(place.owner_lock)
    except OSError as error:
        raise QueueError(f"The embedded Valkey's folder {data}/valkey can't be used: {error}") from error
    if owner is None:
        raise AlreadyRunningError(f"Another process runs the embedded Valkey in {place.folder}")
    try:
        embedded = EmbeddedValkey(await start_or_adopt(place, maxmemory=maxmemory))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_supervise, embedded, place, maxmemory)
                try:
                    yield embedded
                finally:
                    nursery.cancel_scope.cancel()
        finally:
            await stop(embedded.server)
    finally:
        os.close(owner)


async def _supervise(embedded: EmbeddedValkey, place: Place, maxmemory: str) -> None:
    """Start the server again whenever it ends or hangs; the first time at once, then 0.1, 0.2 … 5 s apart."""
    deaths = 0
    while True:
        started = trio.current_time()
        await _gone(embedded.server)
        deaths = 1 if trio.current_time() - started > STEADY else deaths + 1
        log.warning("embedded_valkey_died", pid=embedded.pid, deaths_in_a_row=deaths)
        await trio.sleep(_pause(deaths))
        while True:
            try:
                embedded.server = await start_or_adopt(place, maxmemory=maxmemory)
                break
            except (QueueError, OSError) as error:
                deaths += 1
                log.error("embedded_valkey_not_started", reason=str(error))  # noqa: TRY400  (the reason says it)
                await trio.sleep(_pause(deaths))


async def _gone(server: Server) -> None:
    """Wait until it has ended, by itself or killed because it hung."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_kill_when_hung, server)
        await server.gone()
        nursery.cancel_scope.cancel()


async def _kill_when_hung(server: Server) -> None:
    unanswered = 0
    while unanswered < HUNG:
        await trio.sleep(PING)
        try:
            await answers(server.place.socket, seconds=DEADLINE)  # also "not yet": it loads
            unanswered = 0
        except NoAnswerError:
            unanswered += 1
    log.warning("embedded_valkey_hung", pid=server.pid, unanswered=unanswered)
    kill(server)


def _pause(deaths: int) -> float:
    return 0.0 if deaths <= 1 else float(min(0.1 * 2 ** min(deaths - 2, 10), LONGEST_PAUSE))
