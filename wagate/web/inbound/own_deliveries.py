"""What this gateway itself delivers does not come in again, by whatever way it leads back."""

from __future__ import annotations

from wagate.errors import ConflictError, NotFoundError
from wagate.storage.database import Database
from wagate.storage.events.listing import get_delivery
from wagate.web.http.asgi import Request

HEADER = "webhook-id"
"""Of Standard Webhooks; ours is the delivery's id."""


class OwnDeliveries:
    """Refuses deliveries of ours for good: each one taken in would make the next."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refuse(self, request: Request) -> None:
        """Of a sender who was believed: no stranger makes us look. ConflictError: it is ours. StorageError."""
        own_id = request.headers.get(HEADER)
        if own_id is not None and await self._is_ours(own_id):
            raise ConflictError("this is a delivery of this gateway itself: a webhook of its own leads back into it")

    async def _is_ours(self, own_id: str) -> bool:
        try:
            await self._database.read(get_delivery, own_id)
        except NotFoundError:
            return False
        return True
