"""The way out for flow tests: the world of `tests.consuming`, accounts, and providers that do as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from prometheus_client import CollectorRegistry

from tests.consuming import PATIENCE, World, open_world
from wagate.consumers import Consumers
from wagate.events import Event, NewEvent
from wagate.events.acks import ack_extra
from wagate.events.kinds import MESSAGE_ACK, MESSAGE_SEND
from wagate.hooks import Edit, Handler, MessageView, OutFile, Outgoing, OutMessage, Provider, Sent, Signal, Target
from wagate.hooks.contracts import Delivery
from wagate.hooks.providers import UNLIMITED, ProviderAccount, SendLimits
from wagate.inbound.people import People
from wagate.inbound.receive import Receiver
from wagate.inbound.route import Router
from wagate.outbound.context import OutboundContext
from wagate.outbound.outbound import Outbound
from wagate.outbound.outbox import Outbox
from wagate.plugins.account_settings import NoSettings
from wagate.plugins.registry import Providers
from wagate.rules.targets import TargetState
from wagate.storage.events.intake import Stored
from wagate.storage.owners.accounts import NewAccount, create_account
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import DeliveryDetail
from wagate.storage.statement import run

CHAT = "5511999999999@c.us"
Answer = Exception | trio.Event | str
"""An error to raise, an Event to wait for before taking it, or an id to take it under."""


@dataclass
class FakeProvider:
    """Takes messages under ``<name>.<number>`` unless told otherwise, and notes what it took."""

    name: str = "pigeon"
    idempotent: bool = False
    limits: SendLimits = UNLIMITED
    longest_text: int = 0
    longest_caption: int = 0
    abilities: frozenset[str] = frozenset({"text", "image", "reaction", "reply", "seen"})
    script: dict[str, list[Answer]] = field(default_factory=dict)
    """What happens next, by content, account or ''; each is used once."""
    always: dict[str, Exception] = field(default_factory=dict)
    """Raised every time, by account."""
    asked: list[Outgoing] = field(default_factory=list)
    took: list[Outgoing] = field(default_factory=list)
    """What reached the phone: of an idempotent provider each id once."""
    signals: list[Signal] = field(default_factory=list)
    revoked: list[tuple[str, str, str]] = field(default_factory=list)
    """(id, chat, account), as often as it was asked."""
    edited: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(id, chat, text, account)"""
    unwilling: Exception | None = None
    """Raised by `revoke` and `edit`."""
    chats: set[str] = field(default_factory=set)

    async def send(self, outgoing: Outgoing) -> Sent:
        assert outgoing.message.chat not in self.chats, "two messages of a chat at once"
        self.chats.add(outgoing.message.chat)
        try:
            self.asked.append(outgoing)
            return await self._answer(outgoing)
        finally:
            self.chats.discard(outgoing.message.chat)

    async def _answer(self, outgoing: Outgoing) -> Sent:
        if outgoing.account.name in self.always:
            raise self.always[outgoing.account.name]
        for name in (outgoing.message.text, outgoing.account.name, ""):
            if self.script.get(name):
                return await self._act(self.script[name].pop(0), outgoing)
        return self.take(outgoing)

    async def _act(self, answer: Answer, outgoing: Outgoing) -> Sent:
        match answer:
            case trio.Event():
                await answer.wait()
            case Exception():
                raise answer
            case str():
                return self.take(outgoing, answer)
        return self.take(outgoing)

    def take(self, outgoing: Outgoing, provider_id: str = "") -> Sent:
        """It reaches the phone."""
        if not (self.idempotent and outgoing.id in {each.id for each in self.took}):
            self.took.append(outgoing)
        return Sent(message_id=provider_id or f"{self.name}.{len(self.took)}", http_status=200)

    async def signal(self, signal: Signal, _account: ProviderAccount) -> None:
        self.signals.append(signal)

    async def revoke(self, message_id: str, chat: str, account: ProviderAccount) -> None:
        if self.unwilling is not None:
            raise self.unwilling
        self.revoked.append((message_id, chat, account.name))

    async def edit(self, edit: Edit, account: ProviderAccount) -> None:
        if self.unwilling is not None:
            raise self.unwilling
        self.edited.append((edit.message_id, edit.chat, edit.text, account.name))

    def texts(self, chat: str = CHAT) -> list[str]:
        return [each.message.text for each in self.took if each.message.chat == chat]

    def provider(self) -> Provider:
        return Provider(
            name=self.name,
            title=self.name,
            settings_type=NoSettings,
            secrets=frozenset(),
            abilities=self.abilities,
            idempotent=self.idempotent,
            limits=self.limits,
            longest_text=self.longest_text,
            longest_caption=self.longest_caption,
            send=self.send,
            signal=self.signal,
            revoke=self.revoke,
            edit=self.edit,
        )


@dataclass
class Post:
    """A world that sends."""

    world: World
    live: LiveDirectory
    providers: Providers
    provider: FakeProvider
    outbound: Outbound
    outbox: Outbox
    receiver: Receiver
    told: list[Event] = field(default_factory=list)
    """What a connector got, in order."""

    @asynccontextmanager
    async def running(self, *, take_over: bool = False) -> AsyncIterator[Consumers]:
        async with self.world.running(take_over=take_over) as consumers, trio.open_nursery() as nursery:
            nursery.start_soon(self.outbound.run)
            yield consumers
            nursery.cancel_scope.cancel()

    async def send(self, *texts: str, chat: str = CHAT, **options: Any) -> list[str]:
        """Submit texts, in order; their ids."""
        return [
            (await self.outbox.send(OutMessage(chat=chat, type="text", text=text), client_id=1, **options)).id
            for text in texts
        ]

    async def view(self, message_id: str) -> MessageView:
        return await self.outbox.get(message_id, client_id=None)

    async def status(self, message_id: str, *words: str) -> MessageView:
        """Until a message has one of these statuses."""
        found = await self.view(message_id)
        with trio.move_on_after(PATIENCE):
            while found.status not in words:
                await trio.sleep(0.01)
                found = await self.view(message_id)
        assert found.status in words, f"{found.status}: {found.error}"
        return found

    async def error(self, message_id: str) -> MessageView:
        """Until the message waits again, with a reason."""
        with trio.fail_after(PATIENCE):
            while (found := await self.view(message_id)).status != "queued" or found.error is None:
                await trio.sleep(0.01)
        return found

    async def target(self, account: str) -> TargetState:
        """The health of an account's sender."""
        return await self.world.target(self.sender(account))

    def sender(self, account: str) -> str:
        """The id of an account's sender, as a target."""
        return f"outbound:{self.live.now.accounts[account].id}"

    async def delivery(self, message_id: str) -> DeliveryDetail:
        """The delivery that sends a message."""
        [(delivery_id,)] = await self.world.sql("SELECT delivery_id FROM messages WHERE id = ?", message_id)
        return await self.world.row(delivery_id)

    async def ack(self, status: str, provider_id: str = "", *, account: str = "main", **fields: Any) -> None:
        """The provider reports how far a message got."""
        extra = ack_extra(status, **fields.pop("why", {}))
        event = NewEvent(kind=MESSAGE_ACK, message_id=provider_id, chat=CHAT, extra=extra, **fields)
        await self.receiver.receive(self.live.now.accounts[account], [event], b"")

    async def events(self, kind: str, count: int = 1) -> list[Event]:
        """Until the connector was told so many events of a kind."""
        with trio.fail_after(PATIENCE):
            while len(found := [each for each in self.told if each.kind == kind]) < count:
                await trio.sleep(0.01)
        return found


@asynccontextmanager
async def open_post(
    url: str,
    folder: Path,
    *,
    database_url: str = "",
    provider: FakeProvider | None = None,
    accounts: Iterable[NewAccount] = (NewAccount(name="main", client_id=1, provider="pigeon", phone="5511888888888"),),
    others: Sequence[FakeProvider] = (),
    check_link: Callable[[str], Awaitable[None]] | None = None,
    **options: Any,
) -> AsyncIterator[Post]:
    """Clients 1 and 2 with these accounts; one connector hears of everything."""
    provider = provider or FakeProvider()
    async with open_world(url, folder, database_url=database_url, **options) as world:
        second = "INSERT INTO clients SELECT 2, 'acme', name, created_at, updated_at FROM clients"
        await world.database.write(run, second)
        for account in accounts:
            await world.database.write(create_account, account, now=world.clock.now())
        live = LiveDirectory(world.database, lambda text: text)
        await live.reload()
        providers = Providers(public_url="")
        providers.add(each.provider() for each in (provider, *others))
        router = Router(world.handlers, max_retries=world.policy.max_retries)

        def ring(stored: Sequence[Stored]) -> None:
            if world.consumers is not None:
                world.consumers.ring(stored)

        context = OutboundContext(
            database=world.database,
            live=live,
            providers=providers,
            router=router,
            clock=world.clock,
            ring=ring,
            check_link=check_link or anywhere,
            recover=world.policy.recover,
        )

        async def probe(target_id: str) -> None:
            if world.consumers is not None:
                await world.consumers.control.probe(target_id)

        outbound = Outbound(context, CollectorRegistry(), file_of=by_url, voice_of=as_it_is, probe=probe)
        await live.reload()
        receiver = Receiver(
            world.database,
            router,
            world.clock,
            ring=ring,
            session_changed=lambda _name: None,
            recognize=People(world.database, providers, world.clock).recognize,
        )
        post = Post(world, live, providers, provider, outbound, outbound.outbox("api"), receiver)

        async def hear(delivery: Delivery) -> None:
            post.told.append(delivery.event)

        def all_but_ours(event: Event) -> list[Target]:
            assert event.kind != MESSAGE_SEND
            return [Target(id="ear")]

        world.handlers["ears"] = Handler(name="ears", targets=all_but_ours, handle=hear)
        world.handlers["outbound"] = outbound.handler
        yield post


async def anywhere(_url: str) -> None:
    """Every link may be fetched."""


async def as_it_is(message: OutMessage, _client_id: int) -> OutMessage:
    """No recording is converted."""
    return message


async def by_url(message: OutMessage, _client_id: int, _fetch: bool) -> OutFile | None:
    """The link as it is."""
    media = message.media
    return None if media is None else OutFile(mimetype=media.mimetype, filename="file", url=media.url)
