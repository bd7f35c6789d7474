"""An inbox whose messages wait because an agent said so. It outlasts the process, and holds for all of them."""

from __future__ import annotations

from wagate.errors import ConflictError, NotFoundError, Postpone
from wagate.hooks import DeliveryFilter, PluginContext

AGAIN = 30.0
"""Seconds after which what waits is looked at again; who resumes rings, and does not wait for that."""
REMEMBERED = 2.0
"""Seconds for which a process believes what it read last."""
MOST_LOOKED_AT = 5000
"""Deliveries among which the head of each chat is looked for; what is not found comes within `AGAIN`."""


class Pause:
    """Of one inbox, in both directions."""

    def __init__(self, context: PluginContext, inbox: str) -> None:
        self._context = context
        self._key = f"{inbox}/paused"
        self._paused = False
        self._until = float("-inf")

    async def on(self) -> bool:
        """Whether messages wait."""
        now = self._context.clock.monotonic()
        if now >= self._until:
            self._paused = await self._context.store.get(self._key) is not None
            self._until = now + REMEMBERED
        return self._paused

    async def hold(self) -> None:
        """For a delivery that must not run now: Postpone, which spends no attempt and keeps its place."""
        if await self.on():
            raise Postpone("an agent paused the queue", after=AGAIN)

    async def put(self, *, paused: bool) -> bool:
        """Pause or resume; whether that changed anything. Committed when it returns."""
        before = await self._context.store.get(self._key) is not None
        if paused:
            await self._context.store.set(self._key, value=True)
        else:
            await self._context.store.delete(self._key)
        self._paused, self._until = paused, self._context.clock.monotonic() + REMEMBERED
        return before != paused

    async def ring(self, target: str, *, client_id: int | None) -> int:
        """Call the first delivery of each chat that waits for a target, after a pause; how many."""
        heads: dict[tuple[str, str], str] = {}
        cursor, seen = None, 0
        while seen < MOST_LOOKED_AT:
            which = DeliveryFilter(handler=self._context.name, target=target, status="pending")
            page = await self._context.deliveries.page(which, client_id=client_id, limit=200, cursor=cursor)
            # Newest first: the last one of a chat that is seen is its head.
            heads |= {(each.event.account, each.event.chat): each.id for each in page.data}
            seen, cursor = seen + len(page.data), page.next_cursor
            if cursor is None:
                break
        for delivery_id in heads.values():
            try:
                await self._context.deliveries.retry(delivery_id, client_id=client_id)
            except (ConflictError, NotFoundError):
                continue  # it ran meanwhile
        return len(heads)
