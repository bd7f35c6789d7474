"""The queue against a plain model: workers, crashes, retries, parks, pauses, reaps, lost data, double enqueues."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.valkey import LosesAnswers, embedded_in_a_thread, trio_in_a_thread
from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.results import Ack, DeadWorker, Delay, Doorbell, Park, Pumped, Release, Result, Take, Taken

T = TypeVar("T")

KEYS = [f"t{number % 3}/chat{number}" for number in range(6)]
LEASE = 60.0
key_names = st.sampled_from(KEYS)
worker_numbers = st.integers(0, 2)


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

    def _pump(self, worker: Worker, results: list[Result], want: int = 0, takes: tuple[Take, ...] = ()) -> Pumped:
        pumped = self.wait(lambda: worker.queue.pump(results, want=want, takes=takes))
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

    @rule(keys=st.lists(key_names, min_size=1, max_size=4), twice=st.booleans(), ring=st.booleans())
    def store_and_enqueue(self, keys: list[str], twice: bool, ring: bool) -> None:
        bells = [Doorbell(key=key, target=target_of(key), id=str(self._some_row(key))) for key in keys]
        if ring:
            self.wait(lambda: self.workers[0].queue.enqueue(bells * (1 + twice)))

    @rule(
        number=worker_numbers,
        want=st.integers(0, 4),
        at=st.sampled_from(["t0", "t1", "t2"]),
        most=st.integers(0, 2),
    )
    def take(self, number: int, want: int, at: str, most: int) -> None:
        pumped = self._pump(self.workers[number], [], want, (Take(target=at, most=most),))
        assert not pumped.fenced

    @rule(number=worker_numbers, data=st.data(), want=st.integers(0, 2))
    def finish_some(self, number: int, data: st.DataObject, want: int) -> None:
        worker = self.workers[number]
        results: list[Result] = []
        for key, taken in list(worker.running.items()):
            match data.draw(st.sampled_from(["ack", "delay", "park", "release", "go on"])):
                case "ack":
                    results.append(self._settle(worker, key))
                    continue
                case "delay":
                    results.append(
                        Delay(key=key, token=taken.token, after=data.draw(st.sampled_from([0.0, 5.0, 50.0])))
                    )
                case "park":
                    results.append(Park(key=key, token=taken.token, target=target_of(key)))
                case "release":
                    results.append(Release(key=key, token=taken.token))
                case _:
                    continue
            del worker.running[key], worker.row[key]
        pumped = self._pump(worker, results, want)
        assert not pumped.fenced, "nobody took it over"

    @rule(number=worker_numbers)
    def crash_and_reap(self, number: int) -> None:
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

    @rule(number=worker_numbers, want=st.integers(0, 3))
    def an_answer_is_lost(self, number: int, want: int) -> None:
        worker = self.workers[number]
        results = [self._settle(worker, key) for key in list(worker.running)[:1]]
        self.redis.lose = True
        with pytest.raises(QueueError):
            self.wait(lambda: worker.queue.pump(results, want=want))
        assert set(self._pump(worker, [], want).fenced) <= set(results), "what is in hand stays in hand"

    @rule(number=worker_numbers)
    def stop_gracefully(self, number: int) -> None:
        leaver = self.workers[number]
        freed = self.wait(leaver.queue.release)
        assert freed == len(leaver.running)
        self.workers[number] = self._worker()

    @precondition(lambda self: self.zombies)
    @rule()
    def a_zombie_speaks(self) -> None:
        zombie, taken = self.zombies.pop()
        late = Ack(key=taken.key, token=taken.token, more=False)
        assert self.wait(lambda: zombie.queue.pump([late], want=0)).fenced == (late,)

    @rule(key=key_names)
    def pause_a_key(self, key: str) -> None:
        self.wait(lambda: self.workers[0].queue.pause(key))
        self.paused.add(key)

    @rule(key=key_names)
    def resume_a_key(self, key: str) -> None:
        self.wait(lambda: self.workers[0].queue.resume(key))
        self.paused.discard(key)

    @rule(at=st.sampled_from(["t0", "t1", "t2"]), most=st.integers(1, 3))
    def unpark(self, at: str, most: int) -> None:
        self.wait(lambda: self.workers[0].queue.unpark(at, most))

    @rule(keys=st.lists(key_names, max_size=3))
    def nudge(self, keys: list[str]) -> None:
        self.wait(lambda: self.workers[0].queue.nudge(keys))

    @rule(key=key_names)
    def cancel_all_of_a_key(self, key: str) -> None:
        if not self._holders(key):
            self.tables[key].clear()
            self.crashes[key] = None
            self.wait(lambda: self.workers[0].queue.drop([key]))

    @rule(seconds=st.sampled_from([1.0, 5.0, 50.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.offset += seconds

    @rule()
    def redis_loses_everything(self) -> None:
        self.wait(self.workers[0].queue.forget)
        self.paused.clear()
        self.crashes = dict.fromkeys(KEYS, 0)
        # All who held something are fenced from now on; they find out when they speak.
        for worker in self.workers:
            self.zombies += [(worker, taken) for taken in worker.running.values()]
            worker.running.clear()
            worker.row.clear()

    @rule()
    def sweep(self) -> None:
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
            self.resume_a_key(key)
        for _ in range(3 * (self.next_row + len(KEYS))):
            self.clock.offset += LEASE
            self.sweep()
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
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
