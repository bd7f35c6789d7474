"""The queue against a plain model: workers, crashes, retries, parks, pauses, reaps, lost data, double enqueues."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.effort import effort
from tests.valkey import LosesAnswers, embedded_in_a_thread, trio_in_a_thread
from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.results import Ack, DeadWorker, Delay, Doorbell, Park, Pumped, Release, Result, Take, Taken

T = TypeVar("T")

KEYS = [f"t{number % 3}/chat{number}" for number in range(6)]
TARGETS = ["t0", "t1", "t2"]
LEASE = 60.0
key_names = st.sampled_from(KEYS)
worker_numbers = st.integers(0, 2)
seeds = st.integers(0, 2**32 - 1)


def target_of(key: str) -> str:
    return key.partition("/")[0]


class Worker:
    """One process: its queue, and what it is running."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.running: dict[str, Taken] = {}
        self.row: dict[str, int] = {}


class QueueAgainstModel(RuleBasedStateMachine):
    """The tables are lists of numbers; a key's head is the only one that may run."""

    run: Callable[[Callable[[], Awaitable[T]]], T]
    url: str

    @initialize()
    def begin(self) -> None:
        self.name = uuid.uuid4().hex
        self.tables: dict[str, list[int]] = {key: [] for key in KEYS}
        self.settled: dict[str, list[int]] = {key: [] for key in KEYS}
        self.next_row = 0
        self.redis = self.wait(self._connect)
        self.clock = Clock()
        self.workers = [self._worker() for _ in range(3)]
        self.zombies: list[tuple[Worker, Taken]] = []
        self.paused: set[str] = set()
        self.crashes: dict[str, int | None] = dict.fromkeys(KEYS, 0)  # None: forgotten or not, nobody knows

    def wait(self, work: Callable[[], Awaitable[T]]) -> T:
        return type(self).run(work)

    async def _connect(self) -> LosesAnswers:
        return LosesAnswers(type(self).url)

    def _worker(self) -> Worker:
        return Worker(Queue(self.redis, self.name, clock=self.clock, lease=LEASE, max_depth=12))

    def _some_row(self, key: str) -> int:
        self.next_row += 1
        self.tables[key].append(self.next_row)
        return self.next_row

    def _holders(self, key: str) -> list[Worker]:
        return [worker for worker in self.workers if key in worker.running]

    def _pump(
        self,
        worker: Worker,
        results: list[Result],
        want: int = 0,
        takes: tuple[Take, ...] = (),
        bells: Sequence[Doorbell] = (),
    ) -> Pumped:
        pumped = self.wait(lambda: worker.queue.pump(results, want=want, takes=takes, bells=bells))
        for taken in pumped.taken:
            assert not self._holders(taken.key), "one active worker per key"
            assert taken.key not in self.paused, "a paused key is not handed out"
            assert self.crashes[taken.key] in (None, taken.crashes), "a death is counted until the next ack"
            worker.running[taken.key] = taken
            # What a consumer does: the lowest unsettled row, whatever the id says.
            worker.row[taken.key] = self.tables[taken.key][0] if self.tables[taken.key] else 0
        return pumped

    def _settle(self, worker: Worker, key: str) -> Ack:
        """Record the outcome in the tables, then say so."""
        taken, row = worker.running.pop(key), worker.row.pop(key)
        if row:
            assert self.tables[key].pop(0) == row
            self.settled[key].append(row)
        self.crashes[key] = 0
        return Ack(key=key, token=taken.token, more=bool(self.tables[key]))

    @rule(seed=seeds)
    def work(self, seed: int) -> None:
        """Ordinary traffic: store, ring (or not, or twice), settle, take. Rolled, not drawn: drawn, it stays thin."""
        dice = random.Random(seed)
        keys = dice.choices(KEYS, k=dice.randrange(4))
        bells = [Doorbell(key=key, target=target_of(key), id=str(self._some_row(key))) for key in keys]
        way = dice.choice(["not at all", "alone", "alone", "with a pump", "with a pump"])
        if way == "alone":
            self.wait(lambda: self.workers[0].queue.enqueue(bells * dice.choice([1, 1, 2])))
        carried = bells * dice.choice([1, 1, 2]) if way == "with a pump" else []
        for worker in dice.sample(self.workers, k=2):
            results = [self._result(worker, key, dice) for key in list(worker.running) if dice.random() < 0.7]
            takes = (Take(target=dice.choice(TARGETS), most=dice.randrange(3)),)
            assert not self._pump(worker, results, dice.randrange(4), takes, carried).fenced, "nobody took it over"
            carried = []

    def _result(self, worker: Worker, key: str, dice: random.Random) -> Result:
        verb = dice.choice(["ack", "ack", "delay", "park", "release"])
        if verb == "ack":
            return self._settle(worker, key)
        taken = worker.running.pop(key)
        del worker.row[key]
        if verb == "delay":
            return Delay(key=key, token=taken.token, after=dice.choice([0.0, 5.0, 50.0]))
        if verb == "park":
            return Park(key=key, token=taken.token, target=target_of(key))
        return Release(key=key, token=taken.token)

    @rule(seed=seeds, number=worker_numbers)
    def crash_and_reap(self, seed: int, number: int) -> None:
        self.work(seed)
        victim = self.workers[number]
        self.zombies += [(victim, taken) for taken in victim.running.values()]
        held = len(victim.running)
        self.workers[number] = self._worker()
        beats = self.wait(self.workers[number].queue.workers)
        if victim.queue.worker in beats:
            dead = DeadWorker(name=victim.queue.worker, heartbeat=beats[victim.queue.worker])
            freed = self.wait(lambda: self.workers[number].queue.reap(dead))
            assert freed == held
            for key in victim.running:
                self.crashes[key] = None if (seen := self.crashes[key]) is None else seen + 1

    @rule(seed=seeds, number=worker_numbers, want=st.integers(0, 3))
    def an_answer_is_lost(self, seed: int, number: int, want: int) -> None:
        self.work(seed)
        worker = self.workers[number]
        results = [self._settle(worker, key) for key in list(worker.running)[:1]]
        self.redis.lose = True
        with pytest.raises(QueueError):
            self.wait(lambda: worker.queue.pump(results, want=want))
        assert set(self._pump(worker, [], want).fenced) <= set(results), "what is in hand stays in hand"

    @rule(seed=seeds, number=worker_numbers)
    def stop_gracefully(self, seed: int, number: int) -> None:
        self.work(seed)
        leaver = self.workers[number]
        freed = self.wait(leaver.queue.release)
        assert freed == len(leaver.running)
        self.workers[number] = self._worker()

    @rule(seed=seeds)
    def a_zombie_speaks(self, seed: int) -> None:
        self.work(seed)
        if not self.zombies:
            return
        zombie, taken = self.zombies.pop()
        late = Ack(key=taken.key, token=taken.token, more=False)
        assert self.wait(lambda: zombie.queue.pump([late], want=0)).fenced == (late,)

    @rule(seed=seeds, key=key_names)
    def pause_a_key(self, seed: int, key: str) -> None:
        self.work(seed)
        self.wait(lambda: self.workers[0].queue.pause(key))
        self.paused.add(key)

    @rule(seed=seeds, key=key_names)
    def resume_a_key(self, seed: int, key: str) -> None:
        self.work(seed)
        self.wait(lambda: self.workers[0].queue.resume(key))
        self.paused.discard(key)

    @rule(seed=seeds, at=st.sampled_from(TARGETS), most=st.integers(1, 3))
    def unpark(self, seed: int, at: str, most: int) -> None:
        self.work(seed)
        self.wait(lambda: self.workers[0].queue.unpark(at, most))

    @rule(seed=seeds, keys=st.lists(key_names, max_size=3))
    def nudge(self, seed: int, keys: list[str]) -> None:
        self.work(seed)
        self.wait(lambda: self.workers[0].queue.nudge(keys))

    @rule(seed=seeds)
    def cancel_all_that_is_not_in_hand(self, seed: int) -> None:
        self.work(seed)
        idle = [key for key in KEYS if not self._holders(key)]
        for key in idle:
            self.tables[key].clear()
            self.crashes[key] = None
        self.wait(lambda: self.workers[0].queue.drop(idle))

    @rule(seed=seeds, seconds=st.sampled_from([1.0, 5.0, 50.0]))
    def time_passes(self, seed: int, seconds: float) -> None:
        self.work(seed)
        self.clock.offset += seconds

    @rule(seed=seeds)
    def redis_loses_everything(self, seed: int) -> None:
        self.work(seed)
        self.wait(self.workers[0].queue.forget)
        self.paused.clear()
        self.crashes = dict.fromkeys(KEYS, 0)
        # All who held something are fenced from now on; they find out when they speak.
        for worker in self.workers:
            self.zombies += [(worker, taken) for taken in worker.running.values()]
            worker.running.clear()
            worker.row.clear()

    @rule(seed=seeds)
    def sweep(self, seed: int) -> None:
        self.work(seed)
        self._sweep()

    def _sweep(self) -> None:
        waiting = [key for key in KEYS if self.tables[key]]
        queue = self.workers[0].queue
        missing = self.wait(lambda: queue.missing(waiting))
        bells = [Doorbell(key=key, target=target_of(key), id=str(row)) for key in missing for row in self.tables[key]]
        self.wait(lambda: queue.enqueue(bells))

    @invariant()
    def counts_are_right(self) -> None:
        if not hasattr(self, "workers"):
            return
        stats = self.wait(self.workers[0].queue.stats)
        assert stats.active == sum(len(worker.running) for worker in self.workers)
        assert 0 <= stats.ready <= len(KEYS), "a key at most once in ready"
        assert stats.depth <= 12 + len(KEYS)
        assert min(stats.depth, stats.backoff, stats.parked, stats.leased) >= 0
        assert stats.ready + stats.active + stats.backoff + stats.parked <= len(KEYS)
        for worker in self.workers:
            held = self.wait(lambda: self.redis.command("SMEMBERS", f"{{wg:{self.name}}}:held:{worker.queue.worker}"))  # noqa: B023
            assert set(held) == set(worker.running), "what a worker holds can be reaped, and nothing else"
        for key in KEYS:
            assert self.settled[key] == sorted(self.settled[key]), "first in, first out"

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        self._drain()
        assert all(not rows for rows in self.tables.values()), "nothing is lost"
        stats = self.wait(self.workers[0].queue.stats)
        counted = (
            stats.depth,
            stats.ready,
            stats.active,
            stats.backoff,
            stats.parked,
            stats.leased,
            stats.parked_targets,
        )
        assert counted == (0, 0, 0, 0, 0, 0, 0)
        self.wait(self.workers[0].queue.forget)
        self.wait(self.redis.close)

    def _drain(self) -> None:
        for key in KEYS:
            self.wait(lambda key=key: self.workers[0].queue.resume(key))  # type: ignore[misc]
            self.paused.discard(key)
        for _ in range(3 * (self.next_row + len(KEYS))):
            self.clock.offset += LEASE
            self._sweep()
            self.wait(self.workers[0].queue.unpark_all)
            for worker in self.workers:
                self._pump(worker, [self._settle(worker, key) for key in list(worker.running)], want=9)
            if not any(worker.running for worker in self.workers) and not any(self.tables.values()):
                return


@pytest.fixture
def machine() -> Iterator[type[QueueAgainstModel]]:
    with (
        tempfile.TemporaryDirectory(prefix="wgt-") as folder,
        embedded_in_a_thread(Path(folder)) as server,
        trio_in_a_thread() as run,
    ):
        yield type("Machine", (QueueAgainstModel,), {"run": staticmethod(run), "url": server.url})


def test_the_queue_does_what_the_model_does(machine: type[QueueAgainstModel]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=effort(15, 400), stateful_step_count=30, suppress_health_check=list(HealthCheck)
        ),
    )
