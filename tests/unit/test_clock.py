"""The clock: every wait notices a shift."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from wagate.clock import Clock


async def test_a_shift_ends_the_waits_it_passes_and_no_others() -> None:
    clock = Clock()
    ended: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        ended.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "an hour", 3600)
        nursery.start_soon(wait, "a day", 86400)
        await wait_all_tasks_blocked()
        clock.shift(3601)
        await wait_all_tasks_blocked()
        assert ended == ["an hour"]
        clock.shift(86400)


async def test_an_event_ends_a_wait_at_once() -> None:
    clock, event = Clock(), trio.Event()
    event.set()
    assert await clock.wait(event, 3600)


async def test_a_wait_without_its_event_says_so() -> None:
    assert not await Clock().wait(trio.Event(), 0.001)


async def test_wall_and_monotonic_time_shift_together() -> None:
    clock = Clock()
    wall, steady = clock.now(), clock.monotonic()
    clock.shift(7200)
    assert 7200 <= (clock.now() - wall).total_seconds() < 7260
    assert 7200 <= clock.monotonic() - steady < 7260


async def test_a_suspended_machine_ages_but_its_waits_do_not() -> None:
    clock = Clock()
    wall, boot, steady = clock.now(), clock.boottime(), clock.monotonic()
    clock.suspend(7200)
    assert 7200 <= (clock.now() - wall).total_seconds() < 7260
    assert 7200 <= clock.boottime() - boot < 7260
    assert clock.monotonic() - steady < 60
