"""The Chatwoot connector before a fake Chatwoot, without a gateway: events in, what stands in Chatwoot out."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from wagate.config import convert_settings
from wagate.events import Event
from wagate.hooks import Delivery, Handler, Receipt
from wagate.http import HttpClient
from wagate.testing import Fakes, fake_context, make_delivery, make_event
from wagate.testing.chatwoot import FakeChatwoot, Message
from wagate.testing.server import running
from wagate_chatwoot.handler import make_handler
from wagate_chatwoot.inboxes import App, Apps, make_apps
from wagate_chatwoot.settings import Settings

CHAT = "5511999999999@c.us"


@dataclass
class Desk:
    """One inbox, ``support``, that shows the account ``main``."""

    server: FakeChatwoot
    fakes: Fakes
    apps: Apps
    handler: Handler

    @property
    def app(self) -> App:
        return self.apps["support"]

    def restart(self) -> None:
        """A new process: all that it knows is the ledger."""
        self.apps = make_apps(self.app.context)
        self.handler = make_handler(self.app.context, self.apps)

    def arrives(self, event: Event | None = None, *, attempt: int = 1, **fields: Any) -> Delivery:
        """A delivery that was stored just now."""
        event = event or make_event(**fields)
        delivery = make_delivery(event, target="in/support", attempt=attempt)
        return msgspec.structs.replace(delivery, created_at=self.fakes.clock.now())

    async def handle(self, delivery: Delivery) -> Receipt | None:
        assert self.handler.handle is not None
        return await self.handler.handle(delivery)

    async def takes(self, **fields: Any) -> Message:
        """Handle an event; the message that it became."""
        before = len(self.server.posted())
        await self.handle(self.arrives(**fields))
        [message] = self.server.posted()[before:]
        return message

    def requests(self) -> list[str]:
        """What was asked of Chatwoot, without the account: ``POST contacts``."""
        return [f"{seen.method} {seen.path.removeprefix('/api/v1/accounts/1/')}" for seen in self.server.seen]


@asynccontextmanager
async def a_desk(**inbox: Any) -> AsyncIterator[Desk]:
    server = FakeChatwoot()
    async with running(server):
        table = {"inboxes": {"support": server.settings(accounts=["main"]) | inbox}}
        settings = convert_settings(Settings, table, key="plugins.chatwoot")
        fakes = fake_context("chatwoot", settings=settings)
        server.state.now = fakes.clock.time
        context = dataclasses.replace(fakes.context, http=HttpClient())
        apps = make_apps(context)
        fakes.clock.shift(10.0)
        yield Desk(server=server, fakes=fakes, apps=apps, handler=make_handler(context, apps))
