"""Figures by minute and hour: counted in memory, written once a minute, added up over processes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import peewee
import pytest
import trio

from tests.flow.dashboard import browser
from tests.gateway import gateway as gateway_process
from tests.gateway import register
from tests.inprocess import CHAT, running_gateway
from tests.rows import intake
from tests.sink import https_sink
from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.process.maintenance import Minutes
from wagate.storage.database import open_database
from wagate.storage.events.intake import store
from wagate.storage.minutes import (
    EVERYONE,
    HOUR,
    INCOMING,
    KEPT,
    MINUTE,
    Bucket,
    add_buckets,
    count_incoming,
    drop_buckets,
    lately,
    quantile,
    read_buckets,
    start_of,
)
from wagate.storage.once import PART, _once, drop_marks
from wagate.storage.refusals import list_refusals
from wagate.storage.statement import rows, run

BEGIN = datetime(2025, 1, 20, 10, tzinfo=UTC)


async def test_what_was_delivered_failed_and_came_in_is_counted() -> None:
    async with https_sink() as sink:
        tables = {"delivery": {"allow_networks": ["127.0.0.0/8"]}}
        async with running_gateway(tables, ca_file=sink.ca_file) as gateway:
            hook = await gateway.register(sink.url, name="Order bot")
            sink.script = lambda _: 503 if len(sink.got) == 1 else 200
            for text in ("one", "two"):
                await gateway.post(text, chat=f"+551199999{len(text)}999")
            await gateway.passes(90, step=10)
            await sink.until_accepted(2)
            await gateway.passes(70)
            target = f"webhook:{hook['id']}"
            stats = await gateway.ask("GET", f"/api/stats?target={target}")
            assert (stats["done"], stats["failed"]) == (2, 1)
            assert stats["lag_p50"] is not None
            account = (await gateway.ask("GET", "/api/accounts"))["data"][0]["name"]
            came_in = await gateway.ask("GET", f"/api/stats?account={account}")
            assert came_in["done"] == 2
            everything = await gateway.ask("GET", "/api/stats?step=hour&hours=24")
            assert (everything["done"], everything["failed"]) == (2, 1)
            async with browser(gateway) as http:
                page = (await http.get("/ui/")).text
            assert 'aria-label="2 delivered, 1 try failed in 24 hours"><rect' in page
            figures = dict(re.findall(r'<span id="f-(in|on|lag)">([^<]*)</span>', page))
            assert (figures["in"], figures["on"], figures["lag"][-1]) == ("2", "2", "s")
            other = (await gateway.client("other"))["token"]
            foreign = {"headers": {"Authorization": f"Bearer {other}"}}
            assert (await gateway.ask("GET", f"/api/stats?target={target}", **foreign))["done"] == 0
            await gateway.ask("GET", f"/api/stats?account={account}", 404, **foreign)


async def test_figures_of_all_together_are_one_row_for_each_minute_however_many_targets(
    tmp_path: Path, database_url: str
) -> None:
    at = datetime(2025, 1, 20, 10, tzinfo=UTC)
    subjects = [*(f"webhook:{number}" for number in range(50)), "in:account"]
    found = [Bucket(subject=each, at=at, client_id=1, done=2, failed=1, lags=[2, *[0] * 7]) for each in subjects]
    async with open_database(database_url, tmp_path) as database:
        await database.write(add_buckets, found)
        (bucket,) = await database.browse(read_buckets, None, step=MINUTE, since=at, client_id=1)
        assert (bucket.at, bucket.done, bucket.failed, bucket.lags) == (at, 100, 50, [100, *[0] * 7])
        assert await database.browse(read_buckets, None, step=MINUTE, since=at, client_id=2) == []


async def test_what_clients_did_lately_is_read_from_two_rows_a_minute_however_many_targets(
    tmp_path: Path, database_url: str
) -> None:
    at = datetime(2025, 1, 20, 10, tzinfo=UTC)
    subjects = [(f"webhook:{number}", 1 + number % 2) for number in range(10)] + [("outbound:main", 1)]
    found = [
        Bucket(subject=each, at=at, client_id=client, done=2, failed=1, lags=[1, 1, *[0] * 6])
        for each, client in subjects
    ]
    async with open_database(database_url, tmp_path) as database:
        for _ in range(2):  # two processes
            await database.write(add_buckets, found)
        read = await database.browse(lately, [None, 1, 3], since=at + timedelta(seconds=30))
        assert {client: each.done for client, each in read.items()} == {None: 40, 1: 20, 3: 0}
        assert (read[1].lag, read[3].lag) == (0.3, None)
        later = await database.browse(lately, [None], since=at + timedelta(minutes=1))
        assert later[None].done == 0
        rows = await database.browse(read_buckets, [f"{EVERYONE}", f"{EVERYONE}1"], step=MINUTE, since=at)
        assert len(rows) == 2


async def test_the_parts_of_several_processes_are_added_up_and_a_failed_write_loses_nothing(
    tmp_path: Path, database_url: str
) -> None:
    clock = Clock()
    async with open_database(database_url, tmp_path) as database:
        one, other = Minutes(database, clock), Minutes(database, clock)
        for each in (one, other, one):
            each.tried("webhook:a", 1, 0.2)
        one.tried("webhook:a", 1, None)
        await one.write()
        await other.write()
        await one.write()
        for step in (MINUTE, HOUR):
            (bucket,) = await database.read(
                read_buckets, ["webhook:a"], step=step, since=clock.now() - timedelta(hours=1)
            )
            assert (bucket.done, bucket.failed, bucket.lags) == (3, 1, [0, 3, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("written", [False, True])
async def test_a_write_that_broke_off_loses_no_figure_and_doubles_none(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    """Also when its commit went through and only the answer got lost, and when others of its minute came meanwhile."""
    async with open_database(database_url, tmp_path) as database:
        clock = Clock()
        minutes, write = Minutes(database, clock), database.write

        async def broken(*args: Any, **more: Any) -> None:
            minutes.tried("webhook:a", 1, 0.2)
            if written:
                await write(*args, **more)
            raise StorageError("the connection is lost")

        begin = clock.now() - timedelta(hours=1)
        minutes.tried("webhook:a", 1, 0.2)
        with monkeypatch.context() as patched:
            patched.setattr(database, "write", broken)
            for _ in range(3):
                with pytest.raises(StorageError):
                    await minutes.write()
        await minutes.write()
        await minutes.write()
        found = await database.read(read_buckets, ["webhook:a"], step=MINUTE, since=begin)
        assert sum(bucket.done for bucket in found) == 4
        marks = "SELECT COUNT(*) FROM heartbeats WHERE SUBSTR(name, 1, 5) = ?"
        assert await database.read(rows, marks, (PART,)) == [(1,)]
        await database.write(drop_marks, clock.now() + timedelta(days=8))
        assert await database.read(rows, marks, (PART,)) == [(0,)]


async def test_a_part_whose_first_commit_still_runs_is_counted_once(tmp_path: Path, postgres_url: str) -> None:
    """As when the connection was cut between the server's work and its answer."""
    now, begun, name = Clock().now(), trio.Event(), f"{PART}one"
    token = trio.lowlevel.current_trio_token()
    part = partial(
        add_buckets, found=[Bucket(subject="webhook:a", at=start_of(now, MINUTE), client_id=1, done=1)], sent={}
    )

    def first(db: peewee.Database) -> None:
        """Keeps its transaction open until the second one waits for it."""
        _once(db, part, name, now)
        token.run_sync_soon(begun.set)
        waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted"
        assert any(rows(db, waits) != [(0,)] or run(db, "SELECT pg_sleep(0.01)") == 0 for _ in range(3000))

    async with open_database(postgres_url, tmp_path) as one, open_database(postgres_url, tmp_path) as other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.write, first)
            await begun.wait()
            nursery.start_soon(other.write, _once, part, name, now)
        found = await one.read(read_buckets, ["webhook:a"], step=MINUTE, since=now - timedelta(hours=1))
        assert [bucket.done for bucket in found] == [1]


async def test_two_processes_that_count_what_came_in_at_the_same_time_count_it_once(
    tmp_path: Path, postgres_url: str
) -> None:
    begin = start_of(Clock().now(), MINUTE)
    first = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def count(db: peewee.Database) -> None:
        """The first one keeps its transaction open until the other waits for it."""
        count_incoming(db, begin, begin + timedelta(minutes=2))
        if not first.is_set():
            token.run_sync_soon(first.set)
            waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted"
            assert any(rows(db, waits) != [(0,)] or run(db, "SELECT pg_sleep(0.01)") == 0 for _ in range(3000))

    async with open_database(postgres_url, tmp_path) as one, open_database(postgres_url, tmp_path) as other:
        await one.write_bulk(store, intake("k1", account_id="bakery"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.write, count)
            await first.wait()
            nursery.start_soon(other.write, count)
        for step in (MINUTE, HOUR):
            (bucket,) = await one.read(read_buckets, [f"{INCOMING}bakery"], step=step, since=begin)
            assert bucket.done == 1


async def test_a_stop_writes_down_what_was_counted_since_the_last_time() -> None:
    account = {"provider": "session", "phone": "+15550000001", "webhook_secret": "0123456789abcdef"}
    async with https_sink() as sink, gateway_process({"accounts.main": account}, ca_file=sink.ca_file) as process:
        began = Clock().now()
        await register(process, sink.url)
        message = {"from": CHAT, "message": "hello", "tenant_id": "default"}
        assert (await process.http.post("/webhook/inbound", json=message)).status_code == 202
        await sink.until_accepted(1)
        made = (await process.http.post("/api/clients", json={"slug": "theirs"})).json()
        async with process.client(made["token"]) as theirs:
            assert (await theirs.get("/api/accounts")).status_code == 200
        forged = {"X-Webhook-Signature": "sha256=0", "Authorization": ""}
        assert (await process.http.post("/webhooks/main", json={}, headers=forged)).status_code == 401
        assert await process.stop() == 0
        async with open_database("", process.folder / "data") as database:
            for step in (MINUTE, HOUR):
                for subject in (EVERYONE, INCOMING + EVERYONE):
                    found = await database.read(read_buckets, [subject], step=step, since=start_of(began, step))
                    assert sum(each.done for each in found) == 1
            [row] = await database.read(list_refusals, client_id=None, account_id=None)
            assert (row.account, row.times) == ("main", 1)
            assert await database.read(rows, "SELECT COUNT(*) FROM tokens WHERE last_used_at IS NOT NULL") == [(1,)]


async def test_old_figures_go(tmp_path: Path, database_url: str) -> None:
    clock = Clock()
    async with open_database(database_url, tmp_path) as database:
        minutes = Minutes(database, clock)
        minutes.tried("webhook:a", 1, 0.2)
        await minutes.write()
        begin, now = clock.now() - timedelta(hours=1), clock.now()
        for step, later, left in ((MINUTE, KEPT[MINUTE], 0), (HOUR, KEPT[MINUTE], 1), (HOUR, KEPT[HOUR], 0)):
            await database.write(drop_buckets, now + later + timedelta(hours=2))
            assert len(await database.read(read_buckets, None, step=step, since=begin)) == left


def test_a_lag_is_the_upper_end_of_its_bucket() -> None:
    assert quantile([0] * 8, 0.5) is None
    assert quantile([1, 0, 0, 0, 0, 0, 0, 0], 0.95) == 0.1
    assert quantile([50, 40, 0, 0, 0, 10, 0, 0], 0.5) == 0.1
    assert quantile([50, 40, 0, 0, 0, 10, 0, 0], 0.95) == 30.0
    assert quantile([0, 0, 0, 0, 0, 0, 0, 3], 0.5) == float("inf")


async def test_what_comes_in_after_the_clock_was_set_back_is_counted(tmp_path: Path, database_url: str) -> None:
    clock = Clock()
    clock.shift(7200)  # It was ahead.
    async with open_database(database_url, tmp_path) as database:
        minutes = Minutes(database, clock)
        await minutes.write()
        clock.shift(-7200)
        await database.write_bulk(store, intake("k1", account_id="bakery"))
        for _ in range(2):
            clock.shift(60)
            await minutes.write()
        for step in (MINUTE, HOUR):
            since = clock.now() - timedelta(hours=1, minutes=5)
            found = await database.read(read_buckets, [f"{INCOMING}bakery"], step=step, since=since)
            assert sum(bucket.done for bucket in found) == 1
