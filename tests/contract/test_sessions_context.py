"""States of sessions as plugins see them: from the tables, from the provider where those have nothing, by owner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
import trio

from wagate.config.vault import Vault
from wagate.context import sessions as context_sessions
from wagate.context.sessions import AccountSessions
from wagate.errors import AccountStoppedError, NotFoundError, OutcomeUnknownError, SendError, UnprocessableError
from wagate.events import NewEvent, SessionChange, SessionStatus
from wagate.hooks import Profile, Provider, ProviderAccount, SessionView
from wagate.inbound.people import People
from wagate.inbound.receive import Receiver
from wagate.inbound.route import Router
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.accounts import NewAccount, create_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.live import LiveDirectory
from wagate.testing.context import FixedClock

GROUP, SILENT = "120363@g.us", "120364@g.us"


class NoKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to set."""


class World:
    """The account ``main`` of a provider with sessions, and ``plain`` of one without."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock()
        self.done: list[tuple[str, str]] = []
        self.qr = ""
        self.fails: Exception | None = None
        self.live = LiveDirectory(database, Vault(["a secret key for tests"]).decrypt)
        self.providers = Providers(public_url="")
        common: dict[str, Any] = {"settings_type": NoKeys, "secrets": frozenset[str]()}
        self.providers.add(
            [
                Provider(
                    name="linked",
                    title="Linked",
                    sessions=True,
                    abilities=frozenset({"restart", "logout"}),
                    control=self._control,
                    qr=self._qr,
                    profile=self._profile,
                    **common,
                ),
                Provider(name="cloud", title="Cloud", **common),
            ]
        )
        self.sessions = AccountSessions(database, self.live, self.providers)

    async def make(self) -> World:
        await self.database.write(ensure_default_client, now=self.clock.now())
        for name, provider in (("main", "linked"), ("plain", "cloud")):
            new = NewAccount(name=name, client_id=1, provider=provider, phone="15550000001")
            await self.database.write(create_account, new, now=self.clock.now())
        await self.live.reload()
        return self

    async def becomes(self, status: str, **fields: Any) -> None:
        router = Router({}, max_retries=3)
        receiver = Receiver(
            self.database,
            router,
            self.clock,
            ring=lambda _: None,
            session_changed=lambda _: None,
            recognize=People(self.database, self.providers, self.clock).recognize,
        )
        event = NewEvent(kind="session.status", session=SessionChange(status=status, **fields))
        await receiver.receive(self.live.now.accounts["main"], [event], b"")

    async def view(self, name: str = "main") -> SessionView:
        return await self.sessions.view(name, client_id=1)

    async def _control(self, action: str, account: ProviderAccount) -> None:
        if self.fails:
            raise self.fails
        self.done.append((action, account.name))

    async def _profile(self, chat: str, account: ProviderAccount) -> Profile:
        if self.fails:
            raise self.fails
        if chat == SILENT:
            await trio.sleep_forever()
        return Profile(name=f"{chat} at {account.name}")

    async def _qr(self, account: ProviderAccount) -> str:
        if self.fails:
            raise self.fails
        assert account.name == "main"
        return self.qr


async def test_a_view_tells_state_and_what_can_be_done(database: Database) -> None:
    world = await World(database).make()
    await world.becomes(SessionStatus.LOADING, percent=40, message="Loading: 40%")
    main, plain = await world.view(), await world.view("plain")
    assert (main.status, main.percent, main.message, main.phone) == ("loading", 40, "Loading: 40%", "15550000001")
    assert (main.linked, main.actions) == (True, ("restart", "logout"))
    assert (plain.linked, plain.actions) == (False, ())
    assert world.clock.now() - main.updated_at < timedelta(seconds=1)


async def test_the_qr_comes_from_the_tables_else_from_the_provider(database: Database) -> None:
    world = await World(database).make()
    world.qr = "2@provider"
    await world.becomes(SessionStatus.QR_GENERATED, qr="2@event")
    assert await world.sessions.qr("main", client_id=1) == "2@event"
    await world.becomes(SessionStatus.QR_GENERATED)
    assert await world.sessions.qr("main", client_id=1) == "2@provider"
    picture = await world.sessions.qr_png("main", client_id=1)
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


async def test_a_connected_session_and_one_without_a_device_have_no_qr(database: Database) -> None:
    world = await World(database).make()
    world.qr = "2@provider"
    await world.becomes(SessionStatus.SESSION_CONNECTED)
    for name in ("main", "plain"):
        assert await world.sessions.qr(name, client_id=1) == ""
        assert await world.sessions.qr_png(name, client_id=1) is None


async def test_an_action_reaches_the_provider_only_when_it_can_do_it(database: Database) -> None:
    world = await World(database).make()
    await world.sessions.control("main", "restart", client_id=1)
    for name, action, said in (("main", "stop", "linked can't stop"), ("plain", "restart", "cloud can't restart")):
        with pytest.raises(UnprocessableError, match=said):
            await world.sessions.control(name, action, client_id=1)
    assert world.done == [("restart", "main")]


async def test_another_clients_session_is_not_there(database: Database) -> None:
    world = await World(database).make()
    with pytest.raises(NotFoundError):
        await world.sessions.view("main", client_id=2)
    with pytest.raises(NotFoundError):
        await world.sessions.qr("main", client_id=2)
    with pytest.raises(NotFoundError):
        await world.sessions.control("main", "logout", client_id=2)
    assert world.done == []
    assert (await world.sessions.view("main", client_id=None)).account == "main"


@pytest.mark.parametrize(
    ("error", "kind"),
    [(AccountStoppedError("wrong key"), AccountStoppedError), (ValueError("a bug"), OutcomeUnknownError)],
)
async def test_a_providers_failure_is_a_send_error(database: Database, error: Exception, kind: type[SendError]) -> None:
    world = await World(database).make()
    world.fails = error
    with pytest.raises(kind):
        await world.sessions.control("main", "restart", client_id=1)
    with pytest.raises(kind):
        await world.sessions.qr_png("main", client_id=1)


async def test_a_profile_is_asked_of_the_provider_and_empty_without_one(database: Database) -> None:
    world = await World(database).make()
    told = await world.sessions.profile(GROUP, account="main", client_id=1)
    assert told == Profile(name="120363@g.us at main")
    assert await world.sessions.profile(GROUP, account="main", client_id=None) == told
    assert await world.sessions.profile(GROUP, account="plain", client_id=1) == Profile()
    for account, client_id in (("main", 2), ("gone", 1)):
        with pytest.raises(NotFoundError):
            await world.sessions.profile(GROUP, account=account, client_id=client_id)


async def test_a_profile_that_does_not_come_is_a_send_error(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await World(database).make()
    monkeypatch.setattr(context_sessions, "PROFILE_SECONDS", 0.05)
    with pytest.raises(OutcomeUnknownError, match=r"0\.05 s"):
        await world.sessions.profile(SILENT, account="main", client_id=1)
    for error, kind in ((AccountStoppedError("wrong key"), AccountStoppedError), (KeyError("x"), OutcomeUnknownError)):
        world.fails = error
        with pytest.raises(kind):
            await world.sessions.profile(GROUP, account="main", client_id=1)
