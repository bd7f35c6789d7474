"""The provider ``whatsapp`` against the fake server: whatsmeow itself, in the engine's own process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import trio

from tests.sink import authority
from wagate.clock import Clock
from wagate.events import NewEvent, SessionStatus
from wagate.hooks import Duration, OutFile, Outgoing, OutMessage, Provider, ProviderAccount, Sent
from wagate.http.client import HttpClient
from wagate.http.guard import Guard, parse_networks
from wagate.testing import FakeInlet, fake_context
from wagate.testing.whatsapp import Running, World, running_whatsapp
from wagate_whatsapp import make_provider
from wagate_whatsapp.number import WhatsAppSettings

OURS = "5511966660000"
ANA = "5511988880001"
BOB = "5511988880002"


@contextmanager
def redirected(fake: Running) -> Iterator[None]:
    """Engines of this process find the fake."""
    with patch.dict(os.environ, fake.environment):
        yield


@dataclass
class Site:
    """A provider, its account, and the world around it."""

    fake: Running
    world: World
    provider: Provider
    account: ProviderAccount
    folder: Path
    clock: Clock

    @asynccontextmanager
    async def listening(self, inlet: FakeInlet | None = None) -> AsyncIterator[FakeInlet]:
        """``run``, for as long as the block runs."""
        inlet = inlet or FakeInlet()
        assert self.provider.run is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.provider.run, self.account, inlet)
            yield inlet
            nursery.cancel_scope.cancel()

    async def link(self, inlet: FakeInlet, ours: str = OURS) -> None:
        """Scan the QR code, and wait for the connection."""
        await inlet.until(lambda: any(each.qr for each in inlet.states))
        code = next(each.qr for each in reversed(inlet.states) if each.qr)
        assert code is not None
        await self.fake.server.scan(code, ours)
        await connected(inlet)


async def connected(inlet: FakeInlet) -> None:
    """Wait until the last state is connected."""
    await inlet.until(lambda: bool(inlet.states) and inlet.states[-1].status == SessionStatus.SESSION_CONNECTED)


@asynccontextmanager
async def site(folder: Path, *, ours: str = OURS, typing: bool = False, history: str = "0s") -> AsyncIterator[Site]:
    """A fake server and a provider that finds it; nothing is linked yet."""
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(running_whatsapp(folder, authority()))
        stack.enter_context(redirected(fake))
        http = HttpClient(guard=Guard(allow_networks=parse_networks(["127.0.0.0/8"])))
        stack.push_async_callback(http.aclose)
        for phone in (ANA, BOB):
            fake.server.person(phone)
        clock, own = Clock(), folder / "engine"
        own.mkdir()
        context = replace(fake_context("whatsapp", folder=own).context, http=http, clock=clock)
        provider = make_provider(context)
        account = ProviderAccount(
            name="main",
            phone="",
            settings=WhatsAppSettings(proxy=fake.proxy, typing=typing, history=Duration(history)),
            webhook_secret="",
            webhook_url="",
            trust="operator",
            id="0190-main",
        )
        assert provider.lifespan is not None
        await stack.enter_async_context(provider.lifespan())
        yield Site(fake, fake.world(ours), provider, account, own, clock)


async def send(
    here: Site,
    kind: str = "text",
    *,
    chat: str = ANA,
    file: OutFile | None = None,
    id_: str = "0191",
    **fields: Any,
) -> Sent:
    assert here.provider.send is not None
    message = OutMessage(chat=f"{chat}@c.us", type=kind, **fields)
    return await here.provider.send(Outgoing(id=id_, message=message, account=here.account, file=file))


def of_kind(inlet: FakeInlet, kind: str) -> list[NewEvent]:
    return [each for each in inlet.events if each.kind == kind]


def engine_pid() -> int:
    """Of the child of this process that is not about to end."""
    found = [
        int(each.name)
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and f"\nPPid:\t{os.getpid()}\n" in _read(each / "status")
        if b"wagate_whatsapp_child" in _bytes(each / "cmdline")
    ]
    assert len(found) == 1, found
    return found[0]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
