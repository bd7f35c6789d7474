"""Health, ping and metrics."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

import httpx2
import pytest
import trio

from tests.api_site import ACME, ADMIN, api_site
from wagate import __version__
from wagate.errors import QueueError
from wagate.storage.database import FILE
from wagate.web.health import Check, Level


async def down() -> Check:
    raise QueueError("it does not answer")


async def hangs() -> Check:
    await trio.sleep_forever()
    raise AssertionError


async def database_in_time(http: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """The answer, when the machine did not stand still just while the database was asked."""
    with trio.fail_after(60):
        while (answer := await http.get(path)).status_code == 503:
            await trio.sleep(0.2)
    return answer


@pytest.mark.parametrize("path", ["/", "/health"])
async def test_everybody_may_know_a_little(path: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        answer = await database_in_time(http, path)
        assert answer.status_code == 200
        uptime = answer.json()["uptime"]
        assert re.fullmatch(r"[1-5]?\ds", uptime)
        expected = {"status": "healthy", "service": "whatsapp-engine", "queue_size": 0, "version": __version__}
        assert answer.json() == expected | {"uptime": uptime}
        site.clock.shift(2 * 3600 + 15 * 60)
        assert (await http.get(path)).json()["uptime"] == "2h 15m"


async def test_a_token_shows_how_each_part_is(tmp_path: Path) -> None:
    async with api_site(tmp_path, probes={"redis": down, "consumers": hangs}) as site, site.as_(ACME) as http:
        answer = await database_in_time(http, "/health")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        checks = answer.json()["checks"]
        assert list(checks) == ["database", "disk", "redis", "consumers"]
        assert checks["database"]["status"] == "healthy"
        assert checks["redis"] == {"status": Level.DEGRADED, "detail": "it does not answer"}
        assert checks["consumers"] == {"status": "degraded", "detail": "no answer within 2 s"}


async def test_without_its_database_it_is_unhealthy(tmp_path: Path) -> None:
    async with api_site(tmp_path, probes={"database": down}) as site, site.as_(None) as http:
        answer = await http.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
        assert (await http.get("/ping")).json() == {"message": "pong"}


async def test_metrics_are_for_the_admin_and_for_the_machine_itself(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site:
        async with site.as_(None) as local:
            assert (await local.get("/metrics")).headers["content-type"].startswith("text/plain")
            through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
            assert (await local.get("/metrics", headers=through_a_proxy)).status_code == 401
        async with site.as_(ACME, **through_a_proxy) as client, site.as_(ADMIN, **through_a_proxy) as admin:
            assert (await client.get("/metrics")).status_code == 401
            assert (await admin.get("/metrics")).status_code == 200


async def test_a_database_that_can_not_be_written_is_unhealthy(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        assert (await database_in_time(http, "/health")).json()["checks"]["database"]["status"] == "healthy"
        lock = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        site.clock.shift(2)
        answer = await http.get("/health")
        assert answer.status_code == 503, "it can be read all the same"
        assert answer.json()["checks"]["database"]["status"] == "unhealthy"
        lock.execute("ROLLBACK")
        lock.close()
        site.clock.shift(2)
        assert (await database_in_time(http, "/health")).status_code == 200


async def test_slow_pages_do_not_make_it_unhealthy(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http, trio.open_nursery() as pages:
        await database_in_time(http, "/health")
        go_on = threading.Event()
        for _ in range(20):
            pages.start_soon(site.database.browse, lambda _db: go_on.wait(60))
        site.clock.shift(2)
        try:
            assert (await database_in_time(http, "/health")).json()["status"] == "healthy"
        finally:
            go_on.set()


async def test_who_asks_often_is_answered_from_one_look_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("wagate.web.health", "wagate.process.health"):
        monkeypatch.setattr(f"{module}.FRESH", 60.0)  # a second that a busy machine does not miss
    async with api_site(tmp_path) as site, site.as_(None) as http:
        await database_in_time(http, "/health")
        site.clock.shift(61)
        before = site.database.counts.calls
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(http.get, "/health")
        assert site.database.counts.calls <= before + 2
