"""Fixture: wagate's own engine, played by a fake, for tests of the dashboard's pages about a number."""

from __future__ import annotations

import pytest
import trio

from wagate.errors import UnavailableError
from wagate.events import NewEvent, SessionChange, SessionStatus
from wagate.hooks import SESSION_ACTIONS, Inlet, Provider, ProviderAccount
from wagate.hooks.providers import UNOFFICIAL
from wagate_whatsapp.number import SECRETS, WhatsAppSettings


class FakeEngine:
    """An engine that shows one code, and is linked when it is told so."""

    def __init__(self) -> None:
        self.scanned = trio.Event()
        self.lost = trio.Event()
        self.asked: list[str] = []
        self.away = False
        """Whether it refuses to start and stop."""
        self.inlet: Inlet | None = None
        """Of the number that it listened for last."""

    async def run(self, _account: ProviderAccount, inlet: Inlet) -> None:
        self.inlet = inlet
        await inlet.state(SessionChange(status=SessionStatus.QR_GENERATED, qr="2@THREE,CLICKS"))
        await self.scanned.wait()
        await inlet.number("12025550142")
        await inlet.state(SessionChange(status=SessionStatus.SESSION_CONNECTED))
        await self.lost.wait()
        await inlet.state(SessionChange(status=SessionStatus.SESSION_NOT_CONNECTED, message="logged out"))
        await trio.sleep_forever()

    async def scan(self) -> None:
        """Somebody scans the code."""
        self.scanned.set()

    async def tells(self, status: SessionStatus, message: str) -> None:
        """It tells of the number's session."""
        assert self.inlet is not None
        await self.inlet.state(SessionChange(status=status, message=message))

    async def hears(self, text: str, *, name: str = "Ana Souza", from_me: bool = False) -> None:
        """A message comes in."""
        assert self.inlet is not None
        chat = "5511911112222@c.us"
        said = NewEvent(
            kind="message.any" if from_me else "message",
            provider_id=text,
            message_id=text,
            chat=chat,
            sender=chat,
            type="text",
            content=text,
            contact_name=name,
            from_me=from_me,
        )
        await self.inlet.take([said])

    async def control(self, action: str, account: ProviderAccount) -> None:
        if self.away:
            raise UnavailableError("the engine is away")
        self.asked.append(f"{action} {account.name}")

    async def code(self, phone: str, _account: ProviderAccount) -> str:
        self.asked.append(phone)
        return "ABCD1234"

    def provider(self, _context: object) -> Provider:
        return Provider(
            name="whatsapp",
            title="WhatsApp (linked device)",
            notice=UNOFFICIAL,
            settings_type=WhatsAppSettings,
            secrets=SECRETS,
            sessions=True,
            abilities=frozenset(SESSION_ACTIONS),
            run=self.run,
            control=self.control,
            pair_code=self.code,
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """In place of the provider ``whatsapp``."""
    made = FakeEngine()
    monkeypatch.setattr("wagate_whatsapp.check_installed", lambda: None)
    monkeypatch.setattr("wagate_whatsapp.make_provider", made.provider)
    return made
