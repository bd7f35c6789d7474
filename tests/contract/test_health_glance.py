"""Whether pages say that nothing can be written: not for longer than that is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.web import health as module
from wagate.web.health import KNOWN, HealthMonitor

FULL = "the disk is full"


async def test_a_disk_that_is_slow_after_it_was_full_is_not_called_full(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monitor = HealthMonitor(database, tmp_path, clock, {}, queue_size=lambda: 0)
    submit = Database._submit

    async def refuse(database: Database, _work: Any) -> Any:
        raise StorageError(f"{database.where}: {FULL}")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_submit", refuse)
        patch.setattr(module, "GLANCE", 60.0)
        await monitor.glance()
        clock.shift(KNOWN + 1)
        await monitor.glance()
    assert FULL in monitor.unwritable
    async with trio.open_nursery() as nursery:

        async def slow(database: Database, work: Any) -> Any:
            """Done, but not while a page waits for it."""
            nursery.start_soon(submit, database, work)
            await trio.sleep_forever()

        monkeypatch.setattr(Database, "_submit", slow)
        clock.shift(KNOWN + 1)
        await monitor.glance()
        assert FULL in monitor.unwritable, "nothing was written yet"
        with trio.fail_after(60):
            while monitor.unwritable:
                clock.shift(KNOWN + 1)
                await monitor.glance()
        with monkeypatch.context() as patch:
            patch.setattr(Database, "_submit", refuse)
            patch.setattr(module, "GLANCE", 60.0)
            clock.shift(KNOWN + 1)
            await monitor.glance()
        assert FULL in monitor.unwritable, "what was written before is no excuse"


async def test_a_report_waits_no_longer_than_a_page_for_a_database_that_is_known_to_take_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monitor = HealthMonitor(database, tmp_path, clock, {}, queue_size=lambda: 0)

    async def hangs(_database: Database, _work: Any) -> Any:
        await trio.sleep_forever()

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_submit", hangs)
        patch.setattr(module, "PATIENCE", 0.1)
        await monitor.report()
        assert monitor.unwritable
        patch.setattr(module, "PATIENCE", 3600.0)
        clock.shift(KNOWN + 1)
        with trio.fail_after(60):
            assert (await monitor.report()).checks["database"].status == "unhealthy"
    clock.shift(KNOWN + 1)
    await monitor.report()
    clock.shift(KNOWN + 1)
    assert (await monitor.report()).checks["database"].status == "healthy"
    assert not monitor.unwritable
