"""States of accounts that are linked as devices, what can be done to them, and what is seen of their chats."""

from __future__ import annotations

import re
from typing import Any

import trio

from wagate.errors import NoAnswerError, NotFoundError, NotSupportedError, SendError, UnprocessableError
from wagate.events import SessionStatus
from wagate.hooks.asks import Ask
from wagate.hooks.providers import Profile, Provider
from wagate.hooks.sessions import SESSION_ACTIONS, SessionView
from wagate.http import on_behalf_of
from wagate.inbound.qr_image import qr_png
from wagate.outbound.handover import as_send_error
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.accounts import get_account
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import AccountRow

CONTROL_SECONDS = 60.0
"""A browser may have to start."""
QR_SECONDS = 10.0
PROFILE_SECONDS = 10.0
ASK_SECONDS = 30.0


class AccountSessions:
    """`wagate.hooks.context.Sessions`, over the tables and the providers."""

    def __init__(self, database: Database, live: LiveDirectory, providers: Providers) -> None:
        self._database = database
        self._live = live
        self._providers = providers

    async def view(self, account: str, *, client_id: int | None) -> SessionView:
        """How it is, as the tables say. NotFoundError."""
        row = await self._database.read(get_account, account, client_id=client_id)
        return _view(row, self._providers.get(row.provider))

    async def qr(self, account: str, *, client_id: int | None) -> str:
        """The QR text that waits to be scanned, from the provider when the tables have none. See the protocol."""
        view = await self.view(account, client_id=client_id)
        provider = self._providers.get(view.provider)
        if view.qr or provider is None or provider.qr is None or view.status == SessionStatus.SESSION_CONNECTED:
            return view.qr
        found = self._account(account)
        seen = self._providers.account(found)
        try:
            with trio.fail_after(QR_SECONDS), on_behalf_of(found.client_id):
                return await provider.qr(seen)
        except Exception as error:
            raise _judged(error, provider.name, QR_SECONDS) from error

    async def qr_png(self, account: str, *, client_id: int | None) -> bytes | None:
        """`qr` as a picture; None when there is none, or it can't be drawn."""
        return qr_png(await self.qr(account, client_id=client_id))

    async def control(self, account: str, action: str, *, client_id: int | None) -> None:
        """Start, stop, restart or log out. See the protocol."""
        view = await self.view(account, client_id=client_id)
        provider = self._providers.need(view.provider)
        if provider.control is None or action not in view.actions:
            raise UnprocessableError(f"{provider.name} can't {action[:40]} a session")
        found = self._account(account)
        seen = self._providers.account(found)
        try:
            with trio.fail_after(CONTROL_SECONDS), on_behalf_of(found.client_id):
                await provider.control(action, seen)
        except Exception as error:
            raise _judged(error, provider.name, CONTROL_SECONDS) from error

    async def pair_code(self, account: str, phone: str, *, client_id: int | None) -> str:
        """A code to be typed on the phone. See the protocol."""
        view = await self.view(account, client_id=client_id)
        provider = self._providers.need(view.provider)
        if provider.pair_code is None:
            raise UnprocessableError(f"{provider.name} can't link numbers with a code")
        found = self._account(account)
        seen = self._providers.account(found)
        try:
            with trio.fail_after(CONTROL_SECONDS), on_behalf_of(found.client_id):
                return await provider.pair_code(phone, seen)
        except Exception as error:
            raise _judged(error, provider.name, CONTROL_SECONDS) from error

    def notice(self, account: str) -> str:
        """What people have to know before they link its number; '' for nothing."""
        provider = self._providers.get(self._account(account).provider)
        return "" if provider is None else provider.notice

    async def ask(self, ask: Ask, *, account: str, client_id: int | None) -> Any:
        """What the provider answers. See the protocol."""
        found = self._account(account)
        if client_id not in {None, found.client_id}:
            raise NotFoundError(f"no account {account[:100]!r}")
        provider = self._providers.need(found.provider)
        answer = provider.answers.get(type(ask))
        if answer is None:
            raise NotSupportedError(f"{provider.title} can't do this: {words_of(type(ask))}")
        seen = self._providers.account(found)
        try:
            with trio.fail_after(ASK_SECONDS), on_behalf_of(found.client_id):
                return await answer(ask, seen)
        except Exception as error:
            raise _judged(error, provider.name, ASK_SECONDS) from error

    async def number_of(self, lid: str, *, account: str) -> str:
        """The key of the number behind a LID; '' when it is not known. SendError: the provider could not be asked."""
        found = self._account(account)
        provider = self._providers.need(found.provider)
        if provider.number_of is None:
            return ""
        try:
            with trio.fail_after(PROFILE_SECONDS), on_behalf_of(found.client_id):
                return await provider.number_of(lid, self._providers.account(found))
        except Exception as error:
            raise _judged(error, provider.name, PROFILE_SECONDS) from error

    async def profile(self, chat: str, *, account: str, client_id: int | None) -> Profile:
        """What WhatsApp shows of a chat. See the protocol."""
        found = self._account(account)
        if client_id not in {None, found.client_id}:
            raise NotFoundError(f"no account {account[:100]!r}")
        provider = self._providers.get(found.provider)
        if provider is None or provider.profile is None:
            return Profile()
        seen = self._providers.account(found)
        try:
            with trio.fail_after(PROFILE_SECONDS), on_behalf_of(found.client_id):
                return await provider.profile(chat, seen)
        except Exception as error:
            raise _judged(error, provider.name, PROFILE_SECONDS) from error

    def _account(self, name: str) -> Account:
        found = self._live.now.accounts.get(name)
        if found is None:
            raise NotFoundError(f"no account {name[:100]!r}")
        return found


def words_of(ask: type[Ask]) -> str:
    """``ListGroups`` → ``list groups``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", ask.__name__).lower()


def _judged(error: Exception, provider: str, seconds: float) -> SendError:
    if isinstance(error, trio.TooSlowError):
        return NoAnswerError(f"no answer from {provider} within {seconds:g} s")
    return as_send_error(error)


def _view(row: AccountRow, provider: Provider | None) -> SessionView:
    waits = row.status == SessionStatus.QR_GENERATED
    can = frozenset[str]() if provider is None or provider.control is None else provider.abilities
    return SessionView(
        account=row.name,
        provider=row.provider,
        linked=provider is not None and provider.sessions,
        status=row.status,
        message=row.message,
        percent=row.percent if row.status == SessionStatus.LOADING else None,
        qr=(row.qr or "") if waits else "",
        phone=row.phone,
        updated_at=row.updated_at,
        actions=tuple(each for each in SESSION_ACTIONS if each in can),
    )
