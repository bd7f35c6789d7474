"""A whole consumers' side for flow tests: real SQLite, real Valkey, a scripted receiver, a clock that jumps."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import trio
from prometheus_client import CollectorRegistry
from uuid_utils import uuid7

from tests.rows import event
from wagate.clock import Clock
from wagate.consumers import Consumers, Policy, Setup
from wagate.errors import Reject, Retry
from wagate.events import Event, NewEvent
from wagate.hooks.contracts import Delivery, Handler, Receipt, Target
from wagate.inbound.route import Router
from wagate.queue.cluster import open_redis
from wagate.queue.queue import Queue, name_of_process
from wagate.queue.redis import RedisThread
from wagate.queue.shards import sharded
from wagate.rules.targets import TargetState
from wagate.storage.database import Database, open_database
from wagate.storage.deliveries.targets import target_states
from wagate.storage.events.intake import Intake, store
from wagate.storage.events.listing import get_delivery
from wagate.storage.rows import DeliveryDetail
from wagate.storage.statement import rows, run
from wagate.testing.rest import at_rest

PATIENCE = 60
Answer = int | Exception | trio.Event


@dataclass
class Call:
    """One request that the receiver saw."""

    at: float
    """Seconds on the world's clock since the receiver was made."""
    target: str
    chat: str
    content: str
    attempt: int
    id: str


@dataclass
class Receiver:
    """All targets of one handler. Scripted by content, by target, or as a whole."""

    clock: Clock
    default: Answer = 200
    """An HTTP status, an exception to raise, or an Event to wait for before 200."""
    by_content: dict[str, list[Answer]] = field(default_factory=dict)
    """The next answers for a content; the last one stays."""
    by_target: dict[str, Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    now: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Running handlers, by target."""
    most: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    chats: set[str] = field(default_factory=set)
    came: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.began = self.clock.monotonic()

    async def handle(self, delivery: Delivery) -> Receipt | None:
        chat, target = delivery.event.chat.removesuffix("@c.us"), delivery.target
        at = self.clock.monotonic() - self.began
        self.calls.append(Call(at, target, chat, delivery.event.content, delivery.attempt, delivery.id))
        self.came.set()
        self.came = trio.Event()
        lane = f"{target}|{chat}"
        assert lane not in self.chats, f"two deliveries of {lane} at once"
        self.chats.add(lane)
        self.now[target] += 1
        self.most[target] = max(self.most[target], self.now[target])
        try:
            return await self._answer(self._next(delivery.event.content, target))
        finally:
            self.chats.discard(lane)
            self.now[target] -= 1

    def _next(self, content: str, target: str) -> Answer:
        if answers := self.by_content.get(content):
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return self.by_target.get(target, self.default)

    async def _answer(self, answer: Answer) -> Receipt:
        match answer:
            case trio.Event():
                await answer.wait()
                return Receipt(http_status=200, response="ok")
            case Exception():
                raise answer
            case int() if answer < 300:
                return Receipt(http_status=answer, response="ok")
            case int() if answer >= 500:
                raise Retry(f"Server error ({answer})", http_status=answer, response="oh")
            case _:
                raise Reject(f"Client error ({answer})", http_status=answer, disable=answer == 410)

    def contents(self, chat: str | None = None, target: str | None = None) -> list[str]:
        """What came, in order."""
        return [
            each.content
            for each in self.calls
            if (chat is None or each.chat == chat) and (target is None or each.target == target)
        ]

    def times(self, content: str) -> list[float]:
        return [each.at for each in self.calls if each.content == content]


@dataclass
class World:
    database: Database
    redis: RedisThread
    clock: Clock
    receiver: Receiver
    handlers: dict[str, Handler]
    policy: Policy
    name: str
    emitted: list[tuple[NewEvent, int, str]] = field(default_factory=list)
    lease: float = 10.0
    concurrency: int = 64
    drain: float = 60.0
    max_depth: int = 50_000
    spool: Path | None = None
    shared: bool = False
    """Other processes may take from the same queue."""
    shards: int = 1
    """Parts of the push queue."""
    consumers: Consumers | None = None

    def queue(self, name: str, **options: Any) -> Queue:
        options = {"lease": self.lease, "max_depth": self.max_depth, **options}
        return Queue(self.redis, f"{self.name}-{name}", clock=self.clock, **options)

    @asynccontextmanager
    async def running(self, *, take_over: bool = False) -> AsyncIterator[Consumers]:
        def prepare(event: NewEvent, *, client_id: int, without: str) -> None:
            self.emitted.append((event, client_id, without))

        async def changed() -> None:
            return

        make = partial(self.queue, process=name_of_process())
        setup = Setup(
            database=self.database,
            queue=make,
            push=sharded(make, "push", self.shards, max_depth=self.max_depth, clock=self.clock),
            handlers=self.handlers,
            policy=self.policy,
            clock=self.clock,
            prepare=prepare,
            changed=changed,
            registry=CollectorRegistry(),
            concurrency=self.concurrency,
            max_depth=self.max_depth,
            drain=self.drain,
            shared=self.shared,
            folder=self.spool,
        )
        made = Consumers(setup)
        if take_over:
            await made.take_over()
        async with made.running() as consumers:
            self.consumers = consumers
            try:
                yield consumers
            finally:
                self.consumers = None

    async def send(
        self, chat: str, *contents: str, target: str = "w1", handler: str = "webhook", client: int = 1
    ) -> list[str]:
        """Store one delivery for each content, in order; tell the consumers when there are some. Their ids."""
        ids = []
        for content in contents:
            made = self.event(chat, content, client)
            routes = Router(self.handlers, max_retries=self.policy.max_retries).routes_to(
                handler, [Target(id=target)], made
            )
            ids.append(await self.store(made, routes))
        return ids

    def cannot_route(self, *targets: str) -> tuple[Router, list[bool]]:
        """A router that finds none of these of the handler ``webhook``, until the list is emptied."""
        broken = [True]

        def look(_event: object) -> list[Target]:
            if broken:
                raise LookupError("snapshot not ready")
            return [Target(id=each) for each in targets]

        self.handlers["webhook"] = Handler(name="webhook", targets=look, handle=self.receiver.handle)
        return Router(self.handlers, max_retries=3), broken

    def event(self, chat: str, content: str, client: int = 1) -> Event:
        now = self.clock.now()
        return event(
            client_id=client, id=str(uuid7()), chat=f"{chat}@c.us", content=content, created_at=now, timestamp=now
        )

    async def store(self, made: Event, routes: Iterable[Any]) -> str:
        epoch = self.database.epoch
        stored = await self.database.write_bulk(store, Intake(event=made, routes=tuple(routes), epoch=epoch))
        if self.consumers is not None:
            self.consumers.ring([stored])
        return stored.deliveries[0].delivery_id

    async def calls(self, count: int) -> None:
        """Until the receiver has seen so many requests."""
        await self.until(lambda: len(self.receiver.calls) >= count)

    async def until(self, happened: Callable[[], bool], *, patience: float = PATIENCE) -> None:
        """Until something is true that changes when a request comes in or is done."""
        with trio.fail_after(patience):
            while not happened():
                await self._a_moment()

    async def until_async(self, happened: Callable[[], Awaitable[bool]]) -> None:
        """As `until`, for what the tables say."""
        with trio.fail_after(PATIENCE):
            while not await happened():
                await self._a_moment()

    async def _a_moment(self) -> None:
        with trio.move_on_after(0.01):
            await self.receiver.came.wait()

    async def row(self, delivery_id: str) -> DeliveryDetail:
        return await self.database.read(get_delivery, delivery_id)

    async def target(self, name: str = "webhook:w1") -> TargetState:
        return (await self.database.read(target_states, [name])).get(name, TargetState())

    async def status(self, delivery_id: str, *words: str) -> DeliveryDetail:
        """Until a delivery has one of these states: its status, with "held" and "final" for failed ones."""
        with trio.fail_after(PATIENCE):
            while True:
                detail = await self.row(delivery_id)
                if word(detail) in words:
                    return detail
                await self._a_moment()

    async def attempts(self, delivery_id: str, count: int) -> DeliveryDetail:
        """Until a delivery has so many attempts on record, and the queue was told: it waits for the next one."""
        with trio.fail_after(PATIENCE):
            while len((await self.row(delivery_id)).attempts) < count:
                await self._a_moment()
        if (consumers := self.consumers) is not None:
            await self.until(lambda: not consumers._pool and consumers._consumer.told)
            await consumers.stats()
        return await self.row(delivery_id)

    async def statuses(self, ids: Sequence[str], word_: str) -> None:
        for each in ids:
            await self.status(each, word_)

    async def passes(self, seconds: float) -> None:
        """Time passes once all that runs has come to rest, and everybody notices."""
        await at_rest()
        self.clock.shift(seconds)
        await at_rest()

    async def sql(self, text: str, *params: Any) -> list[tuple[Any, ...]]:
        return await self.database.read(rows, text, params)


def word(detail: DeliveryDetail) -> str:
    row = detail.delivery
    if row.status == "failed":
        return "final" if row.settled else "held"
    if row.status == "pending" and row.next_retry_at is not None:
        return "waiting"
    return row.status


def seconds_between(first: datetime | None, second: datetime | None) -> float:
    assert first is not None
    assert second is not None
    return (second - first).total_seconds()


@asynccontextmanager
async def open_world(
    url: str, folder: Path, *, policy: Policy | None = None, database_url: str = "", **options: Any
) -> AsyncIterator[World]:
    clock = Clock()
    receiver = Receiver(clock)
    redis = open_redis(url, timeout=PATIENCE)
    async with open_database(database_url, folder) as database:
        await database.write(
            run,
            "INSERT INTO clients (id, slug, name, created_at, updated_at) "
            "VALUES (1, 'default', '', '2025-01-20T10:00:00+00:00', '2025-01-20T10:00:00+00:00')",
        )
        handlers = {"webhook": Handler(name="webhook", targets=lambda _event: (), handle=receiver.handle)}
        world = World(
            database=database,
            redis=redis,
            clock=clock,
            receiver=receiver,
            handlers=handlers,
            policy=policy or Policy(),
            name=f"t{uuid.uuid4().hex}",
            **options,
        )
        try:
            yield world
        finally:
            await redis.close()
