"""Our own connectors and providers, by the contracts of the kit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import pytest

from tests import provider_sites
from tests.chatwoot_desk import a_desk
from tests.contract.test_golden_outgoing import opened
from tests.provider_sites import DOOR, KEY, PUBLIC, THEM, Site
from tests.unit.test_webhook_deliver import register
from wagate.hooks import InboundRequest
from wagate.testing import (
    SENTENCE,
    FakeHttp,
    HandlerContract,
    HandlerUnderTest,
    ProviderContract,
    ProviderUnderTest,
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


class TestN8n(HandlerContract):
    async def make(self, stack: AsyncExitStack) -> HandlerUnderTest:
        fakes = fake_context("n8n", settings=n8n.settings_type()())
        [handler] = n8n.register_handlers(fakes.context)
        return HandlerUnderTest(handler=handler, event=make_event(content=SENTENCE))


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


class TestSessions(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return await service(provider_sites.Sessions(), stack)


class Silent(HandlerContract):
    """A handler that pushes, and says nothing of its other side."""

    async def make(self, stack: AsyncExitStack) -> HandlerUnderTest:
        made = await TestWebhook().make(stack)
        return HandlerUnderTest(handler=made.handler, event=made.event)


class Deaf(ProviderContract):
    """A provider that reads webhooks, and shows none."""

    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        return dataclasses.replace(await TestMeta().open(stack), webhook=None)


async def test_what_a_contract_leaves_out_must_be_declared() -> None:
    with pytest.raises(AssertionError):
        await Silent().test_it_pushes_to_another_side_or_workers_pull()
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await Deaf().test_it_hears_in_one_of_three_ways()
