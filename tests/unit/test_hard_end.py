"""A stop that takes too long ends, by the clock of a thread or by a second signal."""

from __future__ import annotations

import os
import signal

import pytest
import trio
from structlog.testing import capture_logs

from wagate.process.hard_end import AT_ONCE, HardEnd


async def _ended(codes: list[int]) -> None:
    with trio.fail_after(30):
        while not codes:
            await trio.sleep(0.01)


async def test_a_stop_that_is_over_in_time_ends_nothing() -> None:
    codes: list[int] = []
    end = HardEnd(0.0, exits=codes.append)
    with end.armed_by(signal.SIGUSR1):
        before = signal.getsignal(signal.SIGUSR1)
        assert callable(before)
    end.arm()
    await trio.sleep(0.05)
    assert codes == []
    assert signal.getsignal(signal.SIGUSR1) is not before


@pytest.mark.parametrize(("seconds", "signals"), [(0.05, 1), (3600, 2)])
async def test_a_stop_that_takes_too_long_or_is_asked_for_twice_exits_with_1(seconds: float, signals: int) -> None:
    codes: list[int] = []
    with capture_logs() as lines, HardEnd(seconds, exits=codes.append).armed_by(signal.SIGUSR1):
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGUSR1)
            await trio.sleep(0.01)
        await _ended(codes)
    assert codes == [1]
    assert [line["event"] for line in lines] == ["stop took too long"]


async def test_whoever_had_the_signal_gets_it_too() -> None:
    with trio.open_signal_receiver(signal.SIGUSR1) as signals, HardEnd(3600).armed_by(signal.SIGUSR1):
        os.kill(os.getpid(), signal.SIGUSR1)
        with trio.fail_after(30):
            assert await anext(aiter(signals)) == signal.SIGUSR1


async def test_the_first_signal_after_a_stop_that_others_asked_for_ends_nothing() -> None:
    codes: list[int] = []
    end = HardEnd(3600, exits=codes.append)
    with capture_logs() as lines, end.armed_by(signal.SIGUSR1):
        end.arm()
        end.arm()
        os.kill(os.getpid(), signal.SIGUSR1)
        await trio.sleep(AT_ONCE + 0.2)
        assert codes == []
        os.kill(os.getpid(), signal.SIGUSR1)
        await _ended(codes)
    assert codes == [1]
    assert [line["seconds"] for line in lines] == [AT_ONCE]
