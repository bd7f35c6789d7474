"""Health, ping and metrics."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize("path", ["/", "/health"])
async def test_everybody_may_know_a_little(path: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        answer = await http.get(path)
        assert answer.status_code == 200
        uptime = answer.json().pop("uptime")
        assert uptime in {"0s", "1s", "2s"}
        expected = {"status": "healthy", "service": "whatsapp-engine", "queue_size": 0, "version": __version__}
        assert answer.json() == expected | {"uptime": uptime}


async def test_a_token_shows_how_each_part_is(tmp_path: Path) -> None:
    async with api_site(tmp_path, probes={"redis": down, "consumers": hangs}) as site, site.as_(ACME) as http:
        answer = await http.get("/health")
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
