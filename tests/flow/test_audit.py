"""Acts by API are written down: what, to whom, by whom, from where; once each, and only when they were done."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.acts import changing_routes
from tests.api_site import ACME, ApiSite, api_site
from tests.gateway import GatewayProcess
from tests.shared_gateway import Tenant
from tests.sink import https_sink
from wagate.hooks import SESSION_ACTIONS, Provider
from wagate.plugins.account_settings import NoSettings
from wagate.storage.audit import list_acts
from wagate.storage.database import FILE

pytest_plugins = ("tests.shared_gateway",)

Json = dict[str, Any]
LINKING = {"ask for a code", "{action} session"}
"""Of numbers that are linked: tested on a site with a provider that can do it."""
WAHA = {f"{word} session" for word in ("create", "change", "delete", "start", "stop", "logout")}
"""Of WAHA's API: tests/flow/test_waha_archive.py."""
ELSEWHERE = LINKING | WAHA | {"pull history", "pause inbox", "test alerts", "bulk action"}
"""Of plugins that this gateway does not run; the audit says which act on many it was."""


class Trail:
    """Acts of one client, one after another, each with what must be in the audit then."""

    def __init__(self, gateway: GatewayProcess, tenant: Tenant) -> None:
        self._file = gateway.folder / "data" / FILE
        self._tenant = tenant
        self.seen: set[str] = set()

    async def act(
        self, http: httpx2.AsyncClient, method: str, path: str, act: str, thing: str, /, *, who: str, **sent: Any
    ) -> Json:
        """Do it: exactly one act must have come, of this word, to this thing."""
        before = self.rows()
        answer = await http.request(method, path, **sent)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        made: Json = answer.json() if answer.content else {}
        thing = thing.format(**made)
        assert self.rows()[len(before) :] == [(act, thing, who)], f"{method} {path}"
        self.seen.add(act)
        return made

    def rows(self) -> list[tuple[str, str, str]]:
        """The client's, oldest first, and those that are nobody's."""
        with closing(sqlite3.connect(self._file)) as db:
            mine = "client_id = ? OR object = 'config.toml'"
            text = f"SELECT action, object, who, address FROM audit WHERE {mine} ORDER BY id"
            found = db.execute(text, [self._tenant.id]).fetchall()
        assert {address for *_, address in found} <= {"127.0.0.1"}
        return [(action, thing, who) for action, thing, who, _ in found]


async def test_every_act_is_written_down_with_who_did_it(gateway_process: GatewayProcess, tenant: Tenant) -> None:
    trail = Trail(gateway_process, tenant)
    mine: Any = {"who": tenant.slug}
    async with gateway_process.client() as admin, https_sink() as sink:
        await _webhooks(trail, tenant, sink.url, mine)
        await _numbers(trail, tenant, admin, mine)
        await _deliveries(trail, tenant, sink.url, mine)
        await _clients(trail, tenant, admin)
    named = {act for act in changing_routes().values() if act}
    by_name = {"switch on or off": {"switch on", "switch off"}}
    wanted = {word for act in named - ELSEWHERE for word in by_name.get(act, {act})}
    assert trail.seen - {"retry all"} == wanted, "do the new act here"


async def _webhooks(trail: Trail, tenant: Tenant, url: str, mine: Json) -> None:
    body = {"phone_number": "*", "webhook_url": url}
    made = await trail.act(
        tenant.http, "POST", "/api/webhooks/register", "add webhook", "webhook:{id}", json=body, **mine
    )
    path, thing = f"/api/webhooks/{made['id']}", f"webhook:{made['id']}"
    for method, under, act, sent in (
        ("PATCH", "", "change webhook", {"name": "hook"}),
        ("POST", "/toggle", "switch off", {"is_active": False}),
        ("POST", "/toggle", "switch on", None),
        ("POST", "/rotate-secret", "new secret", None),
        ("POST", "/test", "test webhook", None),
        ("POST", "/recover?since=1h", "recover", None),
        ("DELETE", "", "delete webhook", None),
    ):
        await trail.act(tenant.http, method, f"{path}{under}", act, thing, json=sent, **mine)


async def _numbers(trail: Trail, tenant: Tenant, admin: httpx2.AsyncClient, mine: Json) -> None:
    name = f"{tenant.slug}-one"
    await trail.act(
        tenant.http, "POST", "/api/accounts", "add number", name, json={"name": name, "provider": "session"}, **mine
    )
    path = f"/api/whatsapp/session/{name}/view-token"
    await trail.act(tenant.http, "POST", path, "make view token", name, **mine)
    path = f"/api/accounts/{name}"
    await trail.act(admin, "PATCH", path, "change number", name, json={"weight": 2}, who="admin")
    link = await trail.act(tenant.http, "POST", f"{path}/links", "make scan link", f"number:{name}", **mine)
    where = f"{path}/links/{link['id']}"
    await trail.act(tenant.http, "DELETE", where, "revoke scan link", f"number:{name}", **mine)
    await trail.act(tenant.http, "DELETE", path, "delete number", name, **mine)
    path = f"/api/tenants/{tenant.slug}/whatsapp-settings"
    body = {"whatsapp_provider": "session", "provider_config": {}}
    await trail.act(tenant.http, "PUT", path, "change settings", tenant.slug, json=body, **mine)


async def _deliveries(trail: Trail, tenant: Tenant, url: str, mine: Json) -> None:
    body = {"phone_number": "*", "webhook_url": url, "max_retries": 1}
    hook = (await tenant.http.post("/api/webhooks/register", json=body)).json()["id"]
    target = f"webhook:{hook}"
    for verb, act in (("pause", "pause"), ("recover", "recover"), ("probe", "try now"), ("resume", "resume")):
        await trail.act(tenant.http, "POST", f"/api/targets/{target}/{verb}", act, target, **mine)
    await tenant.http.post(f"/api/targets/{target}/pause")
    message = {"from": "+5511999999999", "to": "+5511888888888", "message": {"text": "Hi"}, "message_id": "a1"}
    assert (await tenant.http.post("/webhook/inbound", json=message)).is_success
    (job,) = (await tenant.http.get("/api/jobs", params={"target": hook})).json()["data"]
    path = f"/api/jobs/{job['id']}"
    for verb, act in (("retry", "retry"), ("skip", "skip"), ("cancel", "give up")):
        await trail.act(tenant.http, "POST", f"{path}/{verb}", act, job["id"], **mine)
    asked = {"action": "retry", "filter": {"target": target}}
    many = await trail.act(tenant.http, "POST", "/api/bulk", "retry all", "{id}", json=asked, **mine)
    await trail.act(tenant.http, "POST", f"/api/bulk/{many['id']}/stop", "stop", many["id"], **mine)


async def _clients(trail: Trail, tenant: Tenant, admin: httpx2.AsyncClient) -> None:
    path, by = f"/api/clients/{tenant.slug}", {"who": "admin"}
    await trail.act(admin, "PATCH", path, "rename client", tenant.slug, json={"name": "New"}, **by)
    token = await trail.act(admin, "POST", f"{path}/tokens", "add token", tenant.slug, **by)
    await trail.act(admin, "DELETE", f"{path}/tokens/{token['id']}", "revoke token", tenant.slug, **by)
    link = await trail.act(admin, "POST", f"{path}/links", "make link", tenant.slug, **by)
    await trail.act(admin, "DELETE", f"{path}/links/{link['id']}", "revoke link", tenant.slug, **by)
    await trail.act(admin, "POST", "/api/reload", "reload", "config.toml", **by)
    made = await admin.post("/api/clients", json={"slug": f"{tenant.slug}-made"})
    assert made.is_success
    assert (await admin.delete(f"/api/clients/{tenant.slug}-made")).is_success
    with closing(sqlite3.connect(trail._file)) as db:
        about = "SELECT action, client_id, who FROM audit WHERE object = ? ORDER BY id"
        rows = db.execute(about, [f"{tenant.slug}-made"]).fetchall()
    assert rows == [("add client", made.json()["id"], "admin"), ("delete client", None, "admin")]
    trail.seen |= {"add client", "delete client"}


async def test_what_was_refused_or_only_repeated_is_no_act(gateway_process: GatewayProcess, tenant: Tenant) -> None:
    trail = Trail(gateway_process, tenant)
    before = len(_own(trail))
    async with https_sink() as sink:
        body = {"phone_number": "*", "webhook_url": sink.url}
        for _ in range(2):
            key = {"Idempotency-Key": f"key-{tenant.slug}"}
            assert (await tenant.http.post("/api/webhooks/register", json=body, headers=key)).status_code == 201
        assert [act for act, _, _ in _own(trail)[before:]] == ["add webhook"]
        assert (await tenant.http.post("/api/webhooks/register", json=body)).status_code == 409
    assert (await tenant.http.delete("/api/accounts/nobodys")).status_code == 404
    assert (await tenant.http.get("/api/targets")).is_success
    assert len(_own(trail)) == before + 1


def _own(trail: Trail) -> list[tuple[str, str, str]]:
    return [row for row in trail.rows() if row[1] != "config.toml"]


async def _control(_action: str, _account: Any) -> None:
    """Done."""


async def _code(_phone: str, _account: Any) -> str:
    return "ABCD-1234"


LINKED = Provider(
    name="linked",
    title="Linked",
    settings_type=NoSettings,
    secrets=frozenset(),
    sessions=True,
    control=_control,
    pair_code=_code,
    abilities=frozenset(SESSION_ACTIONS),
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    """With the number ``main``, which is linked."""
    async with api_site(tmp_path, provided=[LINKED]) as running:
        async with running.as_(ACME) as http:
            body = {"name": "main", "provider": "linked"}
            assert (await http.post("/api/accounts", json=body)).status_code == 201
        yield running


async def test_what_is_done_to_a_linked_number_is_written_down(site: ApiSite) -> None:
    async with site.as_(ACME) as http:
        for action in SESSION_ACTIONS:
            assert (await http.post(f"/api/sessions/main/{action}")).is_success
        assert (await http.post("/api/main/auth/request-code", json={"phoneNumber": "+15550000001"})).is_success
        body = {"phone": "+15550000001"}
        assert (await http.post("/api/whatsapp/session/main/pair-code", json=body)).is_success
    found = await site.database.read(list_acts, client_id=2, about="main", limit=50)
    words = [act.action for act in reversed(found.data)]
    assert words == ["add number", *(f"{each} session" for each in SESSION_ACTIONS), *["ask for a code"] * 2]
    assert {act.who for act in found.data} == {"acme"}
