"""The watchdog names who blocks the loop."""

from __future__ import annotations

import time
from types import ModuleType

import trio

from wagate.watchdog import PATIENCE, watching


async def test_code_that_blocks_the_loop_is_named_once_with_its_stack() -> None:
    reports: list[tuple[float, str, list[str]]] = []
    plugin = ModuleType("wagate_blocking")
    plugin.__dict__["time"] = time
    exec("def handle(seconds):\n    time.sleep(seconds)\n", plugin.__dict__)
    with watching(lambda *report: reports.append(report)) as watchdog:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watchdog.beat)
            await trio.sleep(0.05)
            plugin.handle(PATIENCE + 0.8)
            await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
    [(seconds, who, stack)] = reports
    assert seconds > PATIENCE
    assert who == "wagate_blocking"
    assert stack[-1].endswith("handle")


async def test_a_loop_that_turns_is_left_alone() -> None:
    reports: list[object] = []
    with watching(lambda *report: reports.append(report)) as watchdog:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watchdog.beat)
            await trio.sleep(PATIENCE + 0.5)
            nursery.cancel_scope.cancel()
    assert reports == []
