"""What the indexes that only pages read cost each message: CPU of the thread that writes, with and without them.

    python -m scripts.bench.dashboard_intake [--rounds 60] [--rows 100000] [--seconds 6]

Three databases with so many deliveries take the same events in and record the same outcomes, in turns, in batches as
under load; a whole gateway, saturated in the same run, says what a message costs in all. The goal for what the
dashboard brought is 3 % of that. Whole gateways in turns differ by 15 % from round to round, too much to show it.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import trio

from scripts.bench.dashboard import fill
from scripts.bench.floor_database import check, intake
from scripts.bench.whole import saturated
from wagate.rules.states import Settled, Status
from wagate.rules.targets import TargetState
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.backend.writer import Work, Writer
from wagate.storage.deliveries.outcomes import Outcome, record
from wagate.storage.deliveries.targets import Owner
from wagate.storage.events.intake import Intake, store

DASHBOARD = ("deliveries_owed", "deliveries_open_list", "chats_newest")
"""Indexes that came with it."""
LISTS = (
    *DASHBOARD,
    "deliveries_waiting",
    "deliveries_state",
    "deliveries_client_state",
    "deliveries_chat",
)
"""All that only lists and pages read."""
BATCH = 16
BATCHES = 10
WARM = 2
"""Rounds that don't count."""
RECEIVERS = 3


def made(path: Path, rows: int, without: Sequence[str]) -> Writer:
    """A database with so many deliveries, and what writes to it; nothing waits for the disk."""
    fill(path, rows, RECEIVERS)
    with sqlite3.connect(path) as db:
        for name in without:
            db.execute(f"DROP INDEX {name}")
    writer = Writer(Sqlite(path))
    writer.db.execute_sql("PRAGMA synchronous = OFF")
    return writer


def delivered(target: TargetState) -> Settled:
    """What an accepted delivery comes to."""
    return Settled(status=Status.DELIVERED, final=True, stuck=False, counted=True, error=None, target=target)


def accepted(item: Intake) -> Outcome:
    """Of its delivery, which its receiver took."""
    now, [route] = datetime.now(UTC), item.routes
    return Outcome(
        delivery_id=route.delivery_id,
        attempt_count=0,
        tried_before=False,
        target_id=route.target_id,
        owner=Owner("webhook", item.event.client_id),
        started_at=now,
        duration_ms=3,
        now=now,
        http_status=200,
        response="ok",
        error=None,
        settle=delivered,
    )


def once(writer: Writer, first: int) -> float:
    """Milliseconds of CPU of a message, stored and recorded."""
    spent = 0.0
    for batch in range(BATCHES):
        items = [intake(first + batch * BATCH + number) for number in range(BATCH)]
        outcomes = [accepted(each) for each in items]
        began = time.process_time()
        check(writer.run([Work(store, (each,), bulk=True) for each in items]))
        recorded = writer.run([Work(record, (each,), bulk=True) for each in outcomes])
        spent += time.process_time() - began
        assert all(each.unwrap() is not None for each in recorded), "an outcome that did not count costs less"
    return spent / BATCHES / BATCH * 1000


def measure(rounds: int, rows: int) -> tuple[float, float, float]:
    """The medians: with all, without the dashboard's, without those of any list."""
    took: tuple[list[float], ...] = ([], [], [])
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        writers = [
            made(Path(name) / str(number) / "wagate.db", rows, without)
            for number, without in enumerate(((), DASHBOARD, LISTS))
        ]
        for turn in range(WARM + rounds):
            for number in random.sample(range(len(writers)), len(writers)):
                spent = once(writers[number], (turn * len(writers) + number) * BATCH * BATCHES)
                if turn >= WARM:
                    took[number].append(spent)
        for each in writers:
            each.close()
    ours, plain, bare = map(statistics.median, took)
    return ours, plain, bare


def main() -> None:
    """Print what they cost, and their share of a message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    given = parser.parse_args()
    ours, plain, bare = measure(given.rounds, given.rows)
    whole = trio.run(saturated, given.seconds)["cpu_ms"]
    sys.stdout.write(f"a message in all {whole:.3f} ms of CPU; to store and record it {ours:.4f} ms\n")
    for name, without in (("the dashboard's", plain), ("all that only lists read", bare)):
        sys.stdout.write(f"indexes, {name}: {ours - without:.4f} ms, {(ours - without) / whole:.1%} of the message\n")


if __name__ == "__main__":
    main()
