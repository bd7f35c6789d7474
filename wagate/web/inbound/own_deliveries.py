"""In front of a door: what this gateway itself delivers does not come in again, by whatever way it leads back."""

from __future__ import annotations

from wagate.errors import ConflictError, NotFoundError
from wagate.storage.database import Database
from wagate.storage.events.listing import get_delivery
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer, Door

HEADER = "webhook-id"
"""Of Standard Webhooks; ours is the delivery's id."""


class NotOwnDoor:
    """Refuses deliveries of ours for good: each one taken in would make the next."""

    def __init__(self, door: Door, database: Database) -> None:
        self._door = door
        self._database = database

    def admit(self, request: Request) -> bool:
        """As the door."""
        return self._door.admit(request)

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """As the door. ConflictError: it is a delivery of ours. StorageError."""
        own_id = request.headers.get(HEADER)
        if own_id is not None and await self._is_ours(own_id):
            raise ConflictError("this is a delivery of this gateway itself: a webhook of its own leads back into it")
        return await self._door(request, body)

    async def _is_ours(self, own_id: str) -> bool:
        try:
            await self._database.read(get_delivery, own_id)
        except NotFoundError:
            return False
        return True
