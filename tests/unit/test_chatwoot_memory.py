"""Whether a delivery was certainly not posted before: time tells, no marker."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from wagate.testing.context import FixedClock
from wagate_chatwoot.ledger import Place
from wagate_chatwoot.memory import FRESH, MOST, Memory


class StillClock(FixedClock):
    """Stands still between two shifts, for waits, too."""

    def monotonic(self) -> float:
        return self.offset


class Chat:
    """One chat in the memory of a process that began 100 s ago."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.memory = Memory(self.clock, started=self.clock.time())
        self.clock.shift(100.0)

    def trusted(self, *, age: float = 0.0, attempt: int = 1) -> bool:
        created = self.clock.now() - timedelta(seconds=age)
        return self.memory.trusts("main", "1@c.us", attempt=attempt, created=created)

    def posts(self) -> None:
        self.memory.begin("main", "1@c.us")
        self.memory.sure("main", "1@c.us")


def test_what_was_stored_a_moment_ago_was_tried_by_nobody() -> None:
    assert Chat().trusted()


def test_what_is_older_may_have_been_tried_by_a_process_that_died() -> None:
    chat = Chat()
    assert not chat.trusted(age=FRESH * 2)
    # It died, if it did, before this process posted to the chat.
    chat.posts()
    assert chat.trusted(age=60.0)
    chat.clock.shift(FRESH * 2)
    assert not chat.trusted(age=60.0)


def test_what_was_stored_before_this_process_began_may_have_been_tried() -> None:
    clock = FixedClock()
    created = clock.now()
    clock.shift(0.1)
    assert not Memory(clock, started=clock.time()).trusts("main", "1@c.us", attempt=1, created=created)


def test_a_further_attempt_and_a_post_in_doubt_are_looked_for() -> None:
    chat = Chat()
    assert not chat.trusted(attempt=2)
    chat.memory.begin("main", "1@c.us")
    assert not chat.trusted()
    chat.memory.settled("main", "1@c.us")
    assert chat.trusted()


def test_only_so_many_chats_are_remembered() -> None:
    memory = Chat().memory
    for number in range(MOST + 1):
        memory.put("main", f"{number}@c.us", Place(contact=number, source_id="x"))
    assert memory.place("main", "0@c.us") is None
    assert memory.place("main", f"{MOST}@c.us") is not None


async def test_one_person_is_decided_about_by_one_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    memory, inside, most = Chat().memory, 0, 0

    async def decide(*keys: str) -> None:
        nonlocal inside, most
        async with memory.alone("main", keys):
            inside += 1
            most = max(most, inside)
            await trio.sleep(1)
            inside -= 1

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for keys in (("a", "b"), ("b", "a"), ("b",), ("c", "b")):
            nursery.start_soon(decide, *keys)
    assert most == 1
    assert trio.current_time() - began == pytest.approx(4)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for key in "abc":
            nursery.start_soon(decide, key)
    assert trio.current_time() - began == pytest.approx(1)
