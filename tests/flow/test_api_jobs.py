"""Deliveries over HTTP: lists, one, retry, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from tests.rows import NOW, intake, route
from wagate.inbound.receive import store_requests


async def store(site: ApiSite, **fields: Any) -> str:
    """One event of acme with one delivery; the delivery's id."""
    made = intake(routes=(route(fields.pop("target", "webhook:w1")),), client_id=2, tenant="acme", **fields)
    await site.database.write_bulk(store_requests, [made])
    return made.routes[0].delivery_id


async def test_deliveries_are_listed_newest_first_page_by_page(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        ids = [await store(site, message_id=f"m{n}") for n in range(3)]
        page = (await http.get("/api/jobs?limit=2")).json()
        assert [each["id"] for each in page["data"]] == [ids[2], ids[1]]
        rest = (await http.get("/api/jobs", params={"limit": 2, "cursor": page["next_cursor"]})).json()
        assert ([each["id"] for each in rest["data"]], rest["next_cursor"]) == ([ids[0]], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("connector=webhook", "w"),
        ("handler=n8n", "n"),
        ("status=pending", "wn"),
        ("state=failed", ""),
        ("account=main", "wn"),
        ("account=other", ""),
        ("chat=%2B55%2011%2099999-9999", "wn"),
        ("message_id=m1", "w"),
        ("client=acme", "wn"),
        ("tenant_id=2", "wn"),
        ("client=other", ""),
        ("since=2025-01-20T10:00:00Z", "wn"),
        ("since=2025-01-20T11:00:01%2B01:00", ""),
    ],
)
async def test_filters(query: str, found: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        ids = {
            await store(site, message_id="m1", created_at=NOW): "w",
            await store(site, message_id="m2", created_at=NOW, target="n8n:2"): "n",
        }
        listed = (await http.get(f"/api/jobs?{query}")).json()["data"]
        assert {ids[each["id"]] for each in listed} == set(found)


@pytest.mark.parametrize("query", ["status=odd", "since=yesterday", "since=0001-01-01T00:00:00%2B14:00", "since=0.5"])
async def test_a_wrong_filter_is_named(query: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        refused = await http.get(f"/api/jobs?{query}")
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == f"?{query.partition('=')[0]}"


async def test_one_is_found_by_its_id_or_its_events_and_only_by_its_owner(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme, site.as_(OTHER) as other:
        job_id = await store(site, content="Hello")
        job = (await acme.get(f"/api/jobs/{job_id}")).json()
        assert (job["connector"], job["target"], job["content"], job["attempts"]) == ("webhook", "w1", "Hello", [])
        assert (job["from"], job["to"]) == ("5511999999999", "5511888888888")
        assert (await acme.get(f"/api/jobs/{job['event_id']}")).json()["id"] == job_id
        for answer in (
            await other.get(f"/api/jobs/{job_id}"),
            await other.get(f"/api/jobs/{job['event_id']}"),
            await other.post(f"/api/jobs/{job_id}/retry"),
            await other.post(f"/api/jobs/{job_id}/cancel"),
            await acme.get("/api/jobs/nothing"),
        ):
            assert answer.status_code == 404
        assert (await other.get("/api/jobs")).json()["data"] == []
        assert (await other.get("/api/jobs?client=acme")).status_code == 404


async def test_one_is_cancelled_once_and_may_then_be_run_again(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        job_id = await store(site)
        assert (await http.post(f"/api/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
        assert (await http.post(f"/api/jobs/{job_id}/cancel")).status_code == 409
        assert (await http.post(f"/api/jobs/{job_id}/retry")).json()["status"] == "pending"
