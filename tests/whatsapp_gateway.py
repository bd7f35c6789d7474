"""A whole gateway process with a number of our own, beside the fake WhatsApp server and a webhook's receiver."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from tests.gateway import GatewayProcess, register
from tests.sink import Got, Sink, authority, https_sink
from tests.whatsapp_site import ANA, BOB, OURS
from wagate.testing.gateway import Tables
from wagate.testing.whatsapp import Running, World, running_whatsapp

PATIENCE = 120.0
SOON = {"wagate_whatsapp.reach.BACK_SOON": 1.0}
"""Seconds, in place of 15, until a message is tried again that came while there was no connection."""


@dataclass
class Whole:
    """All of it."""

    server: GatewayProcess
    fake: Running
    world: World
    sink: Sink
    root: Path
    """Its engines' files are below."""

    async def session(self) -> dict[str, Any]:
        """How the number is."""
        answer = await self.server.http.get("/api/whatsapp/session/status/main")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def until(self, *, field: str) -> dict[str, Any]:
        """Wait until the session says so: ``needsQR``, ``isConnected`` …"""
        with trio.fail_after(PATIENCE):
            while not (found := await self.session())[field]:
                await trio.sleep(0.05)
        return found

    async def link(self) -> None:
        """Scan the code that the API shows."""
        shown = await self.until(field="needsQR")
        assert shown["qrImage"].startswith("data:image/png;base64,")
        await self.fake.server.scan(shown["qr"], OURS)
        await self.until(field="isConnected")

    async def send(self, text: str, to: str = ANA) -> dict[str, Any]:
        """Through the API."""
        body = {"to": to, "message": text, "account": "main", "tenant_id": "default"}
        answer = await self.server.http.post("/messages/send", json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    @property
    def texts(self) -> list[str]:
        """What the webhook got of people's messages, in order."""
        return [text_of(each) for each in self.sink.accepted if each.json["event"] == "message"]

    def engines(self) -> list[int]:
        """Process ids of this gateway's engines, pairing ones too."""
        return [each for each in _processes() if self._is_ours(each)]

    def kill_engine(self) -> None:
        """SIGKILL."""
        for pid in self.engines():
            os.kill(pid, signal.SIGKILL)

    def kill_both(self) -> None:
        """Gateway and engine, in the same moment."""
        engines = self.engines()
        self.server.kill()
        for pid in engines:
            os.kill(pid, signal.SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        try:
            links = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            return False
        return any(link.startswith(f"{self.root}/") for link in links)

    async def engines_gone(self) -> None:
        """Wait until no engine of ours runs."""
        with trio.fail_after(PATIENCE):
            while self.engines():
                await trio.sleep(0.05)


def text_of(got: Got) -> str:
    """The message's text."""
    return str(got.json["content"])


def _processes() -> list[int]:
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                if b"wagate_whatsapp_child" in (each / "cmdline").read_bytes():
                    found.append(int(each.name))
            except OSError:
                continue
    return found


@asynccontextmanager
async def whole(**settings: Any) -> AsyncIterator[Whole]:
    """A gateway with an account ``main``; ``settings`` are the account's. Nothing is linked yet."""
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        folder = Path(name)
        async with running_whatsapp(folder, authority()) as fake, https_sink() as sink:
            for phone in (ANA, BOB):
                fake.server.person(phone)
            account = {"provider": "whatsapp", "proxy": fake.proxy, "typing": False, **settings}
            server = GatewayProcess(folder, {"accounts.main": account}, fake.environment)
            server.constants = SOON
            made = Whole(server, fake, fake.world(OURS), sink, folder)
            try:
                await server.start()
                await register(server, sink.url)
                yield made
            finally:
                with trio.CancelScope(shield=True):
                    await server.close()
                    _end(made)


@asynccontextmanager
async def two(tables: Tables, **of_first: Any) -> AsyncIterator[tuple[Whole, Whole]]:
    """Two gateways on one database and Redis, which ``tables`` name, with one folder of keys; the first one runs.

    ``of_first``: tables that it has instead.
    """
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        keys = Path(name) / "engine"
        keys.mkdir()
        async with running_whatsapp(Path(name), authority()) as fake, https_sink() as sink:
            for phone in (ANA, BOB):
                fake.server.person(phone)
            account = {"provider": "whatsapp", "proxy": fake.proxy, "typing": False}
            made = []
            for which in ("first", "second"):
                folder = Path(name) / which
                (folder / "data").mkdir(parents=True)
                (folder / "data" / "engine").symlink_to(keys)
                own = {**tables, **(of_first if which == "first" else {}), "accounts.main": account}
                server = GatewayProcess(folder, own, fake.environment)
                server.constants = SOON
                made.append(Whole(server, fake, fake.world(OURS), sink, keys))
            try:
                await made[0].server.start()
                await register(made[0].server, sink.url)
                yield made[0], made[1]
            finally:
                with trio.CancelScope(shield=True):
                    for each in made:
                        await each.server.close()
                    _end(made[0])


def _end(made: Whole) -> None:
    """An engine whose gateway was killed writes down what it holds, and ends by itself: not for ever."""
    deadline = time.monotonic() + 15
    while made.engines() and time.monotonic() < deadline:
        time.sleep(0.05)
    made.kill_engine()
