"""States of sessions that a test sets, and what was done to them."""

from __future__ import annotations

from typing import Any

import trio
from msgspec.structs import replace

from wagate.clock import Clock
from wagate.errors import NotFoundError, NotSupportedError, SendError, UnprocessableError
from wagate.events import SessionStatus
from wagate.hooks import SESSION_ACTIONS, AccountView, Profile, SessionView
from wagate.hooks.asks import Ask
from wagate.inbound.qr_image import qr_png
from wagate.testing.fakes import FakeAccounts


class FakeSessionStates:
    """`wagate.hooks.context.Sessions`. An account is connected, and can do everything, until `put` says otherwise."""

    def __init__(self, accounts: FakeAccounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._changed: dict[str, SessionView] = {}
        self.qrs: dict[str, str] = {}
        """Account → the QR text that only its provider has."""
        self.controlled: list[tuple[str, str]] = []
        """(account, action), in order."""
        self.pair_codes: dict[str, str] = {}
        """Account → the code that links its number."""
        self.pairing: list[tuple[str, str]] = []
        """(account, phone) that codes were asked for, in order."""
        self.profiles: dict[str, Profile] = {}
        """Chat → what WhatsApp shows of it."""
        self.profiled: list[tuple[str, str]] = []
        """(account, chat) whose profiles were asked for, in order."""
        self.answers: dict[type[Ask], Any] = {}
        """What is answered to asks of a type; others are not supported."""
        self.asked: list[tuple[str, Ask]] = []
        """(account, ask), in order."""
        self.silent = False
        """The provider answers nothing, ever, when it is asked for a profile."""
        self.fails: SendError | None = None
        """Raised by what would ask the provider."""

    def put(
        self, account: str, status: SessionStatus, *, message: str = "", qr: str = "", percent: int | None = None
    ) -> None:
        """Set an account's state, as of now."""
        self._changed[account] = replace(
            self._plain(self._accounts.accounts[account]),
            status=status,
            message=message,
            qr=qr,
            percent=percent,
            updated_at=self._clock.now(),
        )

    def change(self, account: str, **fields: object) -> None:
        """Set any fields of its view: ``actions``, ``linked`` and so on."""
        self._changed[account] = replace(self._plain(self._accounts.accounts[account]), **fields)

    async def view(self, account: str, *, client_id: int | None) -> SessionView:
        """How it is."""
        found = self._accounts.get(account)
        if found is None or client_id not in {None, found.client_id}:
            raise NotFoundError(f"no account {account!r}")
        return self._changed.get(account) or self._plain(found)

    async def qr(self, account: str, *, client_id: int | None) -> str:
        """Its QR text."""
        view = await self.view(account, client_id=client_id)
        if not view.qr and self.fails is not None:
            raise self.fails
        return view.qr or self.qrs.get(account, "")

    async def qr_png(self, account: str, *, client_id: int | None) -> bytes | None:
        """As a picture."""
        return qr_png(await self.qr(account, client_id=client_id))

    async def control(self, account: str, action: str, *, client_id: int | None) -> None:
        """Note it."""
        view = await self.view(account, client_id=client_id)
        if action not in view.actions:
            raise UnprocessableError(f"{view.provider} can't {action} a session")
        if self.fails is not None:
            raise self.fails
        self.controlled.append((account, action))

    async def pair_code(self, account: str, phone: str, *, client_id: int | None) -> str:
        """What was put there; UnprocessableError when nothing was."""
        await self.view(account, client_id=client_id)
        if self.fails is not None:
            raise self.fails
        if account not in self.pair_codes:
            raise UnprocessableError("the provider can't link numbers with a code")
        self.pairing.append((account, phone))
        return self.pair_codes[account]

    async def ask(self, ask: Ask, *, account: str, client_id: int | None) -> Any:
        """What was put there for asks of its type."""
        view = await self.view(account, client_id=client_id)
        self.asked.append((account, ask))
        if self.fails is not None:
            raise self.fails
        if type(ask) not in self.answers:
            raise NotSupportedError(f"{view.provider} can't do this")
        return self.answers[type(ask)]

    async def profile(self, chat: str, *, account: str, client_id: int | None) -> Profile:
        """What was put there; nothing of other chats."""
        await self.view(account, client_id=client_id)
        self.profiled.append((account, chat))
        if self.silent:
            await trio.sleep_forever()
        if self.fails is not None:
            raise self.fails
        return self.profiles.get(chat, Profile())

    def _plain(self, account: AccountView) -> SessionView:
        return SessionView(
            account=account.name,
            provider=account.provider,
            linked=True,
            status=SessionStatus.SESSION_CONNECTED,
            message="",
            percent=None,
            qr="",
            phone=account.phone,
            updated_at=self._clock.now(),
            actions=SESSION_ACTIONS,
        )
