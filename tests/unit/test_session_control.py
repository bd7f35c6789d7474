"""Sessions at WAHA and at session engines: what can be done to them, and the QR code that they show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from tests.unit.test_session_send import engine
from tests.waha_site import waha
from wagate.errors import AccountStoppedError, OutcomeUnknownError, SendError
from wagate.hooks import SESSION_ACTIONS, Provider, ProviderAccount
from wagate.testing.providers.session import FakeSessions
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Fault, Reply

Which = Literal["waha", "session"]


@asynccontextmanager
async def site(which: Which) -> AsyncIterator[tuple[FakeWaha | FakeSessions, Provider, ProviderAccount]]:
    """A provider, its account, and the server behind it, whose session is connected."""
    if which == "waha":
        there = FakeWaha(api_key="k", session="main")
        async with waha(there, api_key="k", session="main") as (provider, to):
            yield there, provider, to
    else:
        fake = FakeSessions(api_key="k")
        async with engine(fake, api_key="k") as (provider, to):
            yield fake, provider, to


async def qr(provider: Provider, to: ProviderAccount) -> str:
    assert provider.qr is not None
    return await provider.qr(to)


async def control(provider: Provider, to: ProviderAccount, action: str) -> None:
    assert provider.control is not None
    await provider.control(action, to)


@pytest.mark.parametrize("which", ["waha", "session"])
async def test_a_session_that_is_logged_out_shows_a_code_to_scan(which: Which) -> None:
    async with site(which) as (fake, provider, to):
        assert set(SESSION_ACTIONS) <= provider.abilities
        assert await qr(provider, to) == ""
        await control(provider, to, "logout")
        shown = fake.qr if isinstance(fake, FakeWaha) else fake.qrs["main"]
        assert await qr(provider, to) == shown != ""


async def test_each_action_is_a_request_to_wahas_session() -> None:
    async with site("waha") as (fake, provider, to):
        for action in SESSION_ACTIONS:
            await control(provider, to, action)
        assert [(each.method, each.path) for each in fake.seen] == [
            ("POST", f"/api/sessions/main/{action}") for action in SESSION_ACTIONS
        ]


async def test_each_action_is_a_request_to_the_engines_session() -> None:
    async with site("session") as (fake, provider, to):
        for action in ("restart", "stop", "start", "logout"):
            await control(provider, to, action)
        paths = [each.path for each in fake.seen]
        assert {each.method for each in fake.seen} == {"GET"}
        assert paths == [f"/session/{each}/main" for each in ("restart", "stop", "start", "terminate", "start")]


async def test_to_start_what_runs_is_no_error_to_start_what_is_refused_is() -> None:
    async with site("session") as (fake, provider, to):
        await control(provider, to, "start")
        fake.fail(Fault(reply=Reply(status=422, json={"success": False, "error": "wrong id"})))
        with pytest.raises(AccountStoppedError, match="wrong id"):
            await control(provider, to, "start")


@pytest.mark.parametrize("which", ["waha", "session"])
@pytest.mark.parametrize(("status", "kind"), [(401, AccountStoppedError), (500, OutcomeUnknownError)])
async def test_what_was_refused_says_why(which: Which, status: int, kind: type[SendError]) -> None:
    async with site(which) as (fake, provider, to):
        refusal = Reply(status=status, json={"message": "no", "error": "no"})
        fake.fail(Fault(reply=refusal), Fault(reply=refusal))
        with pytest.raises(kind):
            await control(provider, to, "restart")
        with pytest.raises(kind):
            await qr(provider, to)
