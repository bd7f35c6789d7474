"""Clients and accounts over HTTP: who may make, see and change what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.api_site import ACME, ADMIN, OTHER, api_site
from tests.fake_provider import Pigeon
from wagate.config.tables import Limits
from wagate.hooks.providers import UNOFFICIAL
from wagate.storage.owners.accounts import NewAccount, put_config_accounts
from wagate.testing import fake_context
from wagate_whatsapp import make_provider


async def test_a_new_client_gets_a_token_that_works_at_once(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        made = await admin.post("/api/clients", json={"slug": "shop", "name": "A shop"})
        assert made.status_code == 201
        assert set(made.json()) == {"id", "slug", "token"}
        async with site.as_(made.json()["token"]) as shop:
            assert (await shop.get("/api/accounts")).json() == {"data": [], "next_cursor": None}
        again = await admin.post("/api/clients", json={"slug": "shop"})
        assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")


@pytest.mark.parametrize("slug", ["12", "", "a b", "a/b", "a\n", "é", "a" * 64, 3, None])
async def test_a_slug_that_could_be_mistaken_is_refused(slug: object, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        refused = await admin.post("/api/clients", json={"slug": slug})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "slug"


async def test_clients_are_only_for_the_admin(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        assert (await acme.get("/api/clients")).status_code == 403
        assert (await acme.post("/api/clients", json={"slug": "x"})).status_code == 403
        assert (await acme.get("/api/clients/acme/tokens")).status_code == 403


async def test_a_revoked_token_is_refused_at_once(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        made = (await admin.post("/api/clients/acme/tokens", json={"name": "ci"})).json()
        assert made["name"] == "ci"
        listed = (await admin.get("/api/clients/acme/tokens")).json()["data"]
        assert made["id"] in [each["id"] for each in listed]
        assert made["token"] not in str(listed)
        async with site.as_(made["token"]) as client:
            assert (await client.get("/api/accounts")).status_code == 200
            assert (await admin.delete(f"/api/clients/other/tokens/{made['id']}")).status_code == 404
            assert (await admin.delete(f"/api/clients/acme/tokens/{made['id']}")).status_code == 204
            assert (await client.get("/api/accounts")).status_code == 401


async def test_a_client_is_renamed_and_deleted_with_what_it_has(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin, site.as_(ACME) as acme:
        await acme.post("/api/accounts", json={"name": "one", "provider": "session"})
        renamed = await admin.patch("/api/clients/acme", json={"name": "ACME Ltd"})
        assert (renamed.json()["slug"], renamed.json()["name"]) == ("acme", "ACME Ltd")
        assert (await admin.delete("/api/clients/acme")).status_code == 204
        assert (await acme.get("/api/accounts")).status_code == 401
        assert (await admin.get("/api/accounts/one")).status_code == 404
        assert (await admin.delete("/api/clients/default")).status_code == 409


async def test_lists_come_page_by_page(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        for slug in ("c1", "c2"):
            await admin.post("/api/clients", json={"slug": slug})
        slugs, cursor = [], None
        while True:
            page = (
                await admin.get("/api/clients", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            slugs += [each["slug"] for each in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert slugs == ["default", "acme", "other", "c1", "c2"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=99999999999999999999", "cursor=x", "cursor="]
)
@pytest.mark.parametrize("path", ["/api/clients", "/api/accounts", "/api/jobs"])
async def test_a_wrong_limit_or_cursor_is_named(path: str, query: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        refused = await admin.get(f"{path}?{query}")
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == f"?{query.partition('=')[0]}"


async def test_who_makes_an_account_of_a_linked_number_is_told_the_risk(tmp_path: Path) -> None:
    linked = make_provider(fake_context("whatsapp").context)
    async with api_site(tmp_path, provided=[linked]) as site, site.as_(ACME) as acme:
        made = (await acme.post("/api/accounts", json={"name": "shop", "provider": "whatsapp"})).json()
        assert made["notice"] == UNOFFICIAL
        assert "notice" not in (await acme.get("/api/accounts/shop")).json()
        other = (await acme.post("/api/accounts", json={"name": "desk", "provider": "session"})).json()
        assert other["notice"] is None


async def test_an_account_shows_its_webhook_secret_once(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        body = {"name": "main", "provider": "session", "phone": "+44 (0)20 7946 0958", "metadata": {"shop": 7}}
        made = await acme.post("/api/accounts", json=body | {"ignore": {"groups": True}})
        assert made.status_code == 201
        account = made.json()
        assert len(account["webhook_secret"]) >= 32
        assert (account["tenant_id"], account["source"], account["status"]) == ("acme", "api", "initializing")
        assert (account["phone"], account["metadata"]) == ("442079460958", {"shop": 7})
        assert account["ignore"] == {"groups": True, "status": False, "broadcast": False, "channels": False}
        shown = (await acme.get("/api/accounts/main")).json()
        assert "webhook_secret" not in shown
        # The secret works at the session door, and only it.
        event = {"event": "ready", "data": {}}
        async with site.as_(None) as nobody:
            path = "/api/whatsapp/webhook/main"
            right = await nobody.post(path, json=event, headers={"X-Webhook-Secret": account["webhook_secret"]})
            wrong = await nobody.post(path, json=event, headers={"X-Webhook-Secret": "wrong"})
        assert (right.status_code, wrong.status_code) == (200, 401)
        assert (await acme.get("/api/accounts/main")).json()["status"] == "session_connected"


async def test_an_account_is_changed_field_by_field(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        await acme.post("/api/accounts", json={"name": "main", "provider": "engine", "phone": "12345678"})
        changed = await acme.patch("/api/accounts/main", json={"metadata": {"a": 1}})
        assert (changed.json()["metadata"], changed.json()["phone"]) == ({"a": 1}, "12345678")
        assert (await acme.patch("/api/accounts/main", json={"phone": None})).json()["phone"] is None
        refused = await acme.patch("/api/accounts/main", json={"name": "other"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "name")
        assert (await acme.delete("/api/accounts/main")).status_code == 204
        assert (await acme.get("/api/accounts/main")).status_code == 404


async def test_an_account_must_say_who_sends_where_its_provider_needs_it(tmp_path: Path) -> None:
    provider = replace(Pigeon().provider(), sender_keys=("number_id",))
    async with api_site(tmp_path, provided=[provider]) as site, site.as_(ACME) as acme:
        body = {"name": "main", "provider": "pigeon", "settings": {"api_token": "0123456789abcdef"}}
        refused = await acme.post("/api/accounts", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "settings.number_id")
        assert (await acme.post("/api/accounts", json=body | {"phone": "12345678"})).status_code == 201
        assert (await acme.patch("/api/accounts/main", json={"phone": None})).status_code == 422
        both = {"phone": None, "settings": {"number_id": "7"}}
        assert (await acme.patch("/api/accounts/main", json=both)).status_code == 200


async def test_another_clients_account_is_not_there(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme, site.as_(OTHER) as other:
        await acme.post("/api/accounts", json={"name": "main", "provider": "session"})
        for answer in (
            await other.get("/api/accounts/main"),
            await other.patch("/api/accounts/main", json={"metadata": {}}),
            await other.delete("/api/accounts/main"),
            await other.get("/api/accounts?client=acme"),
            await other.post("/api/accounts", json={"name": "b", "provider": "session", "tenant_id": "acme"}),
            await other.get("/api/whatsapp/session/status/main"),
            await other.post("/api/whatsapp/session/main/view-token"),
            await other.get("/api/whatsapp/session/list-realtime?userId=acme"),
        ):
            assert answer.status_code == 404, answer.url
        assert (await other.get("/api/accounts")).json()["data"] == []
        taken = await other.post("/api/accounts", json={"name": "main", "provider": "session"})
        assert taken.status_code == 409
        assert "acme" not in taken.text


async def test_the_admin_names_the_owner_or_takes_the_default(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        for name, owner, expected in (
            ("a", {}, "default"),
            ("b", {"client": "acme"}, "acme"),
            ("c", {"tenant_id": "2"}, "acme"),
            ("d", {"client": "acme", "tenant_id": "acme"}, "acme"),
        ):
            made = await admin.post("/api/accounts", json={"name": name, "provider": "session"} | owner)
            assert made.json()["tenant_id"] == expected
        both = {"name": "e", "provider": "session", "client": "acme", "tenant_id": "other"}
        assert (await admin.post("/api/accounts", json=both)).status_code == 409
        nobody = {"name": "e", "provider": "session", "client": "9" * 5000}
        assert (await admin.post("/api/accounts", json=nobody)).status_code == 404
        assert [each["name"] for each in (await admin.get("/api/accounts?client=acme")).json()["data"]] == [
            "b",
            "c",
            "d",
        ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"provider": "session"}, "name"),
        ({"name": "a", "provider": "telegram"}, "provider"),
        ({"name": "a/b", "provider": "session"}, "name"),
        ({"name": "a\n", "provider": "session"}, "name"),
        ({"name": "a", "provider": "session", "phone": "12"}, "phone"),
        ({"name": "a", "provider": "session", "phone": "letters"}, "phone"),
        ({"name": "a", "provider": "session", "webhook_secret": "short"}, "webhook_secret"),
        ({"name": "a", "provider": "session", "metadata": {"x": "y" * 20_000}}, "metadata"),
        ({"name": "a", "provider": "session", "metadata": []}, "metadata"),
        ({"name": "a", "provider": "session", "ignore": {"people": True}}, "ignore.people"),
        ({"name": "a", "provider": "session", "colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_with_an_account_is_named(body: dict[str, object], field: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        refused = await acme.post("/api/accounts", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == field
        if field == "provider":
            assert "engine, session" in refused.json()["detail"]


async def test_a_client_has_so_many_accounts_and_no_more(tmp_path: Path) -> None:
    async with api_site(tmp_path, limits=Limits(accounts=2)) as site, site.as_(ACME) as acme:
        statuses = [
            (await acme.post("/api/accounts", json={"name": name, "provider": "session"})).status_code for name in "abc"
        ]
        assert statuses == [201, 201, 409]


async def test_accounts_of_the_configuration_are_read_only(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin:
        account = NewAccount(name="fixed", client_id=1, provider="engine")
        await site.database.write(put_config_accounts, [account], now=site.clock.now())
        await site.live.reload()
        assert (await admin.get("/api/accounts/fixed")).json()["source"] == "config"
        assert (await admin.patch("/api/accounts/fixed", json={"metadata": {}})).status_code == 409
        assert (await admin.delete("/api/accounts/fixed")).status_code == 409
        taken = await admin.post("/api/accounts", json={"name": "fixed", "provider": "engine"})
        assert taken.status_code == 409
