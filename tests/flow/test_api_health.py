"""Health, ping and metrics."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
import trio

from tests.api_site import ACME, ADMIN, api_site
from wagate import __version__
from wagate.errors import QueueError
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
