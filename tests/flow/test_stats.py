"""Figures by minute and hour: counted in memory, written once a minute, added up over processes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.flow.dashboard import browser
from tests.inprocess import running_gateway
from tests.sink import https_sink
from wagate.clock import Clock
from wagate.process.maintenance import Minutes
from wagate.storage.database import open_database
from wagate.storage.minutes import (
    EVERYONE,
    HOUR,
    KEPT,
    MINUTE,
    Bucket,
    add_buckets,
    drop_buckets,
    lately,
    quantile,
    read_buckets,
)

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
