"""The watchdog names who blocks the loop."""

from __future__ import annotations

import time
from types import ModuleType, SimpleNamespace

import pytest
import trio
import trio.testing

from wagate.process.watchdog import BEAT, PATIENCE, watching

BLOCKS = """
def handle(reports, most):
    until = time.monotonic() + most
    while not reports and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.8)
"""
"""Holds up the loop until somebody is named for it, and a while longer."""


async def test_code_that_blocks_the_loop_is_named_once_with_its_stack() -> None:
    reports: list[tuple[float, list[str]]] = []
    plugin = ModuleType("wagate_blocking")
    plugin.__dict__["time"] = time
    exec(BLOCKS, plugin.__dict__)

    def report(seconds: float, who: str, stack: list[str]) -> None:
        if who == plugin.__name__:  # A machine that stands still holds up the loop as well.
            reports.append((seconds, stack))

    with watching(report) as watchdog, trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watchdog.beat)
            while not reports:
                await trio.sleep(2 * BEAT)
                plugin.handle(reports, PATIENCE + 5)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    [(seconds, stack)] = reports
    assert seconds > PATIENCE
    assert stack[-1].endswith("handle")


async def test_a_loop_that_turns_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[object] = []
    now = 0.0
    monkeypatch.setattr("wagate.process.watchdog.time", SimpleNamespace(monotonic=lambda: now))
    with watching(lambda *report: reports.append(report)) as watchdog, trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watchdog.beat)
            while now < 2 * PATIENCE:
                now += BEAT
                while watchdog._beat < now:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert reports == []
