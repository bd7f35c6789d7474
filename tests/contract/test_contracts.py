"""Our own connectors and providers, by the contracts of the kit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from tests import provider_sites
from tests.chatwoot_desk import a_desk
from tests.contract.test_golden_outgoing import opened
from tests.provider_sites import DOOR, KEY, PUBLIC, THEM, Site
from tests.unit.test_webhook_deliver import register
from wagate.events import Event
from wagate.hooks import Handler, InboundRequest
from wagate.testing import (
    SENTENCE,
    FakeHttp,
    HandlerContract,
    HandlerUnderTest,
    ProviderContract,
    ProviderUnderTest,
    SendingContract,
    TargetsContract,
    fake_context,
    make_event,
)
from wagate.testing.server import Fault, Reply
from wagate_n8n import plugin as n8n
from wagate_webhook import plugin as webhook


class TestWebhook(HandlerContract):
    async def make(self, stack: AsyncExitStack) -> HandlerUnderTest:
        http = FakeHttp()
        fakes = fake_context("webhook", http=http)
        await register(fakes)
        [handler] = webhook.register_handlers(fakes.context)

        return HandlerUnderTest(
            handler=handler,
            event=make_event(content=SENTENCE),
            accepts=lambda: http.answer(200),
            stumbles=lambda: http.answer(503),
            refuses=lambda: http.answer(404),
        )


class TestChatwoot(HandlerContract):
    async def make(self, stack: AsyncExitStack) -> HandlerUnderTest:
        desk = await stack.enter_async_context(a_desk())
        busy = Fault(reply=Reply(status=503))
        return HandlerUnderTest(
            handler=desk.handler,
            event=make_event(content=SENTENCE),
            accepts=lambda: setattr(desk.server, "chance", lambda _seen: None),
            stumbles=lambda: setattr(desk.server, "chance", lambda _seen: busy),
        )


class TestN8n(TargetsContract):
    async def open(self, stack: AsyncExitStack) -> tuple[Handler, Event]:
        fakes = fake_context("n8n", settings=n8n.settings_type()())
        [handler] = n8n.register_handlers(fakes.context)
        return handler, make_event()


async def service(site: Site, stack: AsyncExitStack) -> ProviderUnderTest:
    """One of our own providers, before the fake of its service."""
    provider, account = await stack.enter_async_context(opened(site))
    body = site.text(SENTENCE)
    headers = {name.lower(): value for name, value in site.proof(body).items()}

    def fails(fault: Fault | None) -> Callable[[], None]:
        return lambda: setattr(site.server, "chance", lambda _seen: fault)

    return ProviderUnderTest(
        provider=provider,
        account=msgspec.structs.replace(account, webhook_secret=KEY),
        webhook=InboundRequest(method="POST", url=PUBLIC + DOOR, query={}, headers=headers, body=body),
        person=f"{THEM}@c.us",
        accepts=fails(None),
        stumbles=fails(Fault(reply=Reply(status=503))),
        hangs_up=fails(Fault(drop=True)),
    )


class TestMeta(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Meta(), stack)


class TestDialog360(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Dialog360(), stack)


class TestInfobip(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Infobip(), stack)


class TestTwilio(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Twilio(), stack)


class TestWaha(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Waha(), stack)


class TestSessions(SendingContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Sessions(), stack)
