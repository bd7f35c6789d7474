"""Trio's clock stands still while the process does."""

from __future__ import annotations

from wagate.process.running_clock import LATE, RunningClock


class Machine:
    """A clock by hand."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def turn(clock: RunningClock, machine: Machine, *, plans: float, takes: float) -> float:
    """One turn of the loop: how far its clock went."""
    began = clock.current_time()
    clock.deadline_to_sleep_time(began + plans)
    machine.seconds += takes
    return round(clock.current_time() - began, 6)


def test_time_passes_as_planned_and_earlier_when_something_comes() -> None:
    machine = Machine()
    clock = RunningClock(machine)
    assert turn(clock, machine, plans=5, takes=5) == 5
    assert turn(clock, machine, plans=5, takes=1) == 1
    assert turn(clock, machine, plans=0, takes=LATE / 2) == LATE / 2


def test_a_pause_does_not_count() -> None:
    machine = Machine()
    clock = RunningClock(machine)
    assert turn(clock, machine, plans=5, takes=3600) == 0
    assert turn(clock, machine, plans=5, takes=5) == 5
    assert turn(clock, machine, plans=0.01, takes=2) == 0


def test_a_loop_that_is_always_late_gets_on_all_the_same() -> None:
    machine = Machine()
    clock = RunningClock(machine)
    assert sum(turn(clock, machine, plans=0.1, takes=1) for _ in range(10)) == 5


def test_code_that_blocks_the_loop_does_not_count() -> None:
    machine = Machine()
    clock = RunningClock(machine)
    turn(clock, machine, plans=1, takes=1)
    before = clock.current_time()
    machine.seconds += 30
    assert clock.current_time() == before
