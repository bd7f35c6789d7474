"""What waits between a connection and its application: hypercorn's channel without its trips to the scheduler."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio
from hypercorn.config import Config
from hypercorn.trio.task_group import TaskGroup, _handle
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope

LAST = frozenset({"http.disconnect", "websocket.disconnect"})
"""The types of the events after which the ASGI specification has no other."""


class Inbox:
    """At most ``limit`` events on their way to an application; ``put`` waits while it is full.

    The disconnect never waits: an application that answers without reading a large body, and is gone, would
    otherwise leave the connection waiting for room for ever.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: deque[ASGIReceiveEvent] = deque()
        self._closed = False
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()

    async def put(self, event: ASGIReceiveEvent) -> None:
        """Add an event, waiting for room. After the disconnect, events are dropped."""
        if event["type"] in LAST:
            self._writers.unpark_all()
        else:
            while len(self._events) >= self._limit and not self._closed:
                await self._writers.park()
        if not self._closed:
            self._closed = event["type"] in LAST
            self._events.append(event)
            if self._readers:
                self._readers.unpark()

    async def receive(self) -> ASGIReceiveEvent:
        """The next event, the ASGI ``receive``. Waits for ever after the disconnect was taken, as hypercorn's does."""
        while not self._events:
            await self._readers.park()
        if self._writers:
            self._writers.unpark()
        return self._events.popleft()

    def close(self) -> None:
        """The application has ended: what it did not take is let go, as is what would still come."""
        self._closed = True
        self._events.clear()
        self._writers.unpark_all()


async def spawn_app(
    task_group: TaskGroup,
    app: AppWrapper,
    config: Config,
    scope: Scope,
    send: Callable[[ASGISendEvent | None], Awaitable[None]],
) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
    """Run the application in the task group; what puts events into its inbox. Stands in for ``TaskGroup.spawn_app``."""
    inbox = Inbox(config.max_app_queue_size)

    async def run() -> None:
        try:
            await _handle(app, config, scope, inbox.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
        finally:
            # An error's traceback may keep it until the collector comes: up to ten parts of a body, 64 KiB each.
            inbox.close()

    task_group.spawn(run)
    return inbox.put
