"""A provider for tests that listens by itself: a tape on which somebody writes, and a place on it for each account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
import trio
from msgspec.structs import replace

from wagate.events import Media, NewEvent, SessionChange, SessionStatus
from wagate.hooks import Inlet, Outgoing, PluginContext, Provider, ProviderAccount, Sent, Sink, hookimpl


class TapeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the fake."""

    word: str = ""


class Tape:
    """The plugin. What it is asked is noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.place: dict[str, int] = {}
        """By account's id: how many lines were taken in."""
        self.past: list[tuple[str, datetime]] = []
        """Archived when a run begins: (chat|text, when)."""
        self.sent: list[str] = []
        self.forgotten: list[str] = []
        self.released: list[str] = []
        self.ran: list[str] = []
        """Account's names, each time that ``run`` began."""
        self.steps: list[str] = []
        """What happened around it, in order."""
        self.breaks = 0
        """So many of the next runs fail at once."""
        self._written = trio.Event()
        self.silent = trio.Event()
        """Set when a run was cancelled."""
        self.sending = trio.Event()
        self.slow = False
        """A message leaves only once nothing is read any more."""

    async def write(self, line: str) -> None:
        """Somebody writes."""
        self.lines.append(line)
        woken, self._written = self._written, trio.Event()
        woken.set()

    def provider(self) -> Provider:
        """What it registers."""
        return Provider(
            name="tape",
            title="Tape",
            settings_type=TapeSettings,
            secrets=frozenset(),
            sessions=True,
            abilities=frozenset({"text"}),
            run=self.run,
            lifespan=self.lifespan,
            forget=self.forget,
            release=self.release,
            send=self.send,
            fetch_media=self.fetch,
            pair_code=self.pair_code,
        )

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        return [self.provider()]

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        self.steps.append("open")
        yield
        self.steps.append("close")

    async def run(self, account: ProviderAccount, inlet: Inlet) -> None:
        self.ran.append(account.name)
        if self.breaks:
            self.breaks -= 1
            raise RuntimeError("the tape is torn")
        try:
            await inlet.state(SessionChange(status=SessionStatus.SESSION_CONNECTED, message="The tape turns"))
            await inlet.number("5511777770000")
            if self.past:
                past = enumerate(self.past, 900)
                await inlet.archive([replace(_event(at, line), timestamp=when) for at, (line, when) in past])
            while True:
                begun = self.place.get(account.id, 0)
                waiting = list(enumerate(self.lines))[begun:]
                if waiting:
                    await inlet.take([_event(number, line) for number, line in waiting])
                    self.place[account.id] = begun + len(waiting)
                    continue
                await self._written.wait()
        finally:
            self.steps.append("silent")
            self.silent.set()

    async def send(self, outgoing: Outgoing) -> Sent:
        self.sending.set()
        if self.slow:
            await self.silent.wait()
        self.sent.append(outgoing.message.text)
        self.steps.append("sent")
        return Sent(message_id=outgoing.id)

    async def forget(self, account: ProviderAccount) -> None:
        self.forgotten.append(account.name)

    async def release(self, account: ProviderAccount) -> None:
        self.released.append(account.name)
        self.steps.append("released")

    async def fetch(self, media: Media, _account: ProviderAccount, sink: Sink) -> None:
        for part in (b"%PDF-1.7 ", (media.provider_id or "").encode()):
            await sink(part)

    async def pair_code(self, phone: str, _account: ProviderAccount) -> str:
        return f"CODE-{phone[-4:]}"


def _event(number: int, line: str) -> NewEvent:
    chat, _, text = line.rpartition("|")
    file = text.partition("file:")[2]
    return NewEvent(
        kind="message",
        provider_id=f"line-{number}",
        message_id=f"line-{number}",
        chat=chat or "5511999999999@c.us",
        sender=chat or "5511999999999@c.us",
        type="document" if file else "text",
        content="" if file else text,
        media=Media(mimetype="application/pdf", provider_id=file) if file else None,
    )
