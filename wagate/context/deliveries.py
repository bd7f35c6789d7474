"""The audit log as plugins and the API see it."""

from __future__ import annotations

from wagate.consumers.control import Control
from wagate.hooks.views import AttemptView, DeliveryView, Page
from wagate.rules.filters import ALL_DELIVERIES, DeliveryFilter
from wagate.storage.database import Database
from wagate.storage.events.listing import Searched, get_delivery, list_deliveries, search_deliveries
from wagate.storage.rows import DeliveryDetail


class DeliveryLog:
    """`wagate.hooks.context.Deliveries`."""

    def __init__(self, database: Database, control: Control) -> None:
        self._database = database
        self._control = control

    async def page(
        self, which: DeliveryFilter = ALL_DELIVERIES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[DeliveryView]:
        """A page of deliveries with their attempts, newest first."""
        page = await self._database.browse(list_deliveries, which, client_id=client_id, limit=limit, cursor=cursor)
        return Page(data=[view_of(each) for each in page.data], next_cursor=page.next_cursor)

    async def search(
        self, which: DeliveryFilter, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> tuple[Page[DeliveryView], Searched]:
        """A page of those with a text in their error, and how far the search came."""
        found = await self._database.browse(search_deliveries, which, client_id=client_id, limit=limit, cursor=cursor)
        return Page(data=[view_of(each) for each in found.data], next_cursor=found.next_cursor), found

    async def get(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """One delivery with its attempts, by its id or its event's id. NotFoundError."""
        return view_of(await self._database.browse(get_delivery, delivery_id, client_id=client_id))

    async def retry(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Run it again: now when it waits, at the end of its chat when it was final. ConflictError when delivered."""
        found = await self.get(delivery_id, client_id=client_id)
        await self._control.retry(found.id, client_id=client_id)
        return await self.get(found.id, client_id=client_id)

    async def cancel(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Give it up. ConflictError when it is final already."""
        found = await self.get(delivery_id, client_id=client_id)
        await self._control.cancel(found.id, client_id=client_id)
        return await self.get(found.id, client_id=client_id)

    async def skip(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Put it at the end of its chat. ConflictError when it is final, or being tried."""
        found = await self.get(delivery_id, client_id=client_id)
        await self._control.skip(found.id, client_id=client_id)
        return await self.get(found.id, client_id=client_id)


def view_of(detail: DeliveryDetail) -> DeliveryView:
    """A stored delivery as plugins see it."""
    row = detail.delivery
    return DeliveryView(
        id=row.id,
        event=detail.event,
        handler=row.handler,
        target=row.target_id.removeprefix(f"{row.handler}:"),
        mode=row.mode,
        status=row.status,
        attempt_count=row.attempt_count,
        max_retries=row.max_retries,
        http_status=row.http_status,
        response=row.response,
        error=row.error,
        held=row.held,
        stuck=row.stuck,
        next_retry_at=row.next_retry_at,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
        updated_at=row.updated_at,
        attempts=[
            AttemptView(
                number=each.number,
                started_at=each.started_at,
                duration_ms=each.duration_ms,
                http_status=each.http_status,
                error=each.error,
            )
            for each in detail.attempts
        ],
    )
