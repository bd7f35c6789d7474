"""Events of our own: what plugins and the consumers have to tell, stored and delivered like any other."""

from __future__ import annotations

from collections.abc import Sequence

from wagate.events import Event, NewEvent
from wagate.hooks.contracts import Target
from wagate.inbound.receive import Receiver
from wagate.inbound.route import Router
from wagate.storage.events.intake import Route
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory

OURSELVES = "wagate"
"""Provider of events that no WhatsApp provider brought."""


class Emitter:
    """Stores an event of a client, of one of its accounts or of none."""

    def __init__(self, receiver: Receiver, router: Router, live: LiveDirectory) -> None:
        self._receiver = receiver
        self._router = router
        self._live = live

    async def emit(
        self,
        event: NewEvent,
        *,
        client_id: int,
        account: str = "",
        handler: str | None = None,
        only: Sequence[Target] | None = None,
    ) -> str:
        """Stored and committed when this returns; the event's id. ``only``: just to these targets of ``handler``."""
        owner = self._live.now.accounts.get(account)
        if owner is None or owner.client_id != client_id:
            owner = self._nobody(client_id)
        if only is None or handler is None:
            [stored] = await self._receiver.receive(owner, [event], b"")
        else:
            intake = self._receiver.prepare_for(owner, event, lambda each: self._router.routes_to(handler, only, each))
            [stored] = await self._receiver.store([intake])
        return stored.event_id

    async def emit_about(self, event: NewEvent, *, client_id: int, without: str) -> None:
        """Store an event about a target (``<handler>:<target>``) for the client's other targets."""

        def others(stored: Event) -> tuple[Route, ...]:
            return tuple(route for route in self._router.routes(stored) if route.target_id != without)

        # What sends has the id of its account as its own.
        account = self._live.now.by_id.get(without.partition(":")[2]) or self._nobody(client_id)
        await self._receiver.store([self._receiver.prepare_for(account, event, others)])

    def _nobody(self, client_id: int) -> Account:
        client = self._live.now.clients[client_id]
        return Account(
            id="",
            name="",
            client_id=client_id,
            tenant=client.slug,
            provider=OURSELVES,
            phone="",
            metadata={},
            ignore={},
            webhook_secret="",
            source="",
        )
