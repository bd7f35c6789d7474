"""Targets over HTTP: by name, with their figures, to their owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from tests.rows import intake, route
from wagate.inbound.receive import store_requests
from wagate.storage.deliveries.target_list import get_target, pause_target
from wagate.storage.owners.endpoints import NewWebhook, create_webhook


async def hook(site: ApiSite, name: str, **fields: Any) -> str:
    """A webhook of acme; its target's id."""
    new = NewWebhook(
        client_id=2, phone_number="*", name=name, webhook_url="https://a.test/in", max_retries=3, events=["*"], **fields
    )
    row = await site.database.write(create_webhook, "webhook", new, now=site.clock.now())
    return f"webhook:{row.id}"


async def waits(site: ApiSite, target: str) -> None:
    """One event of acme with one delivery for this target."""
    made = intake(routes=(route(target),), client_id=2, tenant="acme", message_id=f"m-{target}")
    await site.database.write_bulk(store_requests, [made])


async def test_a_target_has_its_webhooks_name_and_what_waits(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        target = await hook(site, "Order bot")
        await waits(site, target)
        (shown,) = (await http.get("/api/targets")).json()["data"]
        assert shown == (await http.get(f"/api/targets/{target}")).json()
        assert (shown["id"], shown["name"], shown["url"]) == (target, "Order bot", "https://a.test/in")
        assert (shown["state"], shown["waiting"], shown["failed"], shown["client_id"]) == ("up", 1, 0, 2)
        assert shown["oldest_waiting_at"]


async def test_a_target_that_only_waits_is_its_owners_too(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme, site.as_(OTHER) as other, site.as_(ADMIN) as admin:
        await waits(site, "chatwoot:in/main")
        for http, seen in ((acme, ["chatwoot:in/main"]), (other, []), (admin, ["chatwoot:in/main"])):
            assert [each["id"] for each in (await http.get("/api/targets")).json()["data"]] == seen
        assert (await acme.get("/api/targets/chatwoot:in/main")).json()["target"] == "in/main"
        for verb in ("pause", "resume", "probe", "recover"):
            assert (await other.post(f"/api/targets/chatwoot:in/main/{verb}")).status_code == 404
        assert (await other.get("/api/targets/chatwoot:in/main")).status_code == 404


async def test_targets_are_listed_by_state_and_connector_page_by_page(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        ids = sorted([await hook(site, f"h{n}") for n in range(3)])
        row = await site.database.read(get_target, ids[0], site.clock.now())
        await site.database.write(pause_target, row, "acme", site.clock.now())
        page = (await http.get("/api/targets?limit=2")).json()
        rest = (await http.get("/api/targets", params={"limit": 2, "cursor": page["next_cursor"]})).json()
        assert [each["id"] for each in page["data"] + rest["data"]] == ids
        (paused,) = (await http.get("/api/targets?state=paused")).json()["data"]
        assert (paused["id"], paused["paused_by"]) == (ids[0], "acme")
        assert (await http.get("/api/targets?connector=n8n")).json()["data"] == []
        assert (await http.get("/api/targets?state=odd")).status_code == 422


async def test_how_far_back_to_recover_is_checked(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        target = await hook(site, "h")
        for since in (0, -1, 1e9, "a day"):
            refused = await http.post(f"/api/targets/{target}/recover", json={"since": since})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "since")
