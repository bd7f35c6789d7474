"""The API's answers: golden files api_<part>, each a walk through a part of the API, in order."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
import pytest
import trio

from tests.corpus import SAMPLES
from tests.golden_files import check
from tests.inprocess import Gateway, running_gateway
from tests.provider_sites import PUBLIC, Meta
from tests.sink import Sink, https_sink
from wagate.metrics import CollectorRegistry
from wagate.testing.providers.meta import failed
from wagate.testing.server import Fault, running

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

THEM = "+15550000201"
Json = dict[str, Any]
ASK = {"to": THEM, "message": {"text": "Your parcel is on its way"}, "account": "meta"}
EVERY = ("content-length", "content-type", "date")
"""Headers of every answer, shown once in api_health."""
QUIET = frozenset({*EVERY, "connection"})
SAFE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""These are shown where they are missing, or say something else."""
JSON = {"Content-Type": "application/json"}


class Walk:
    """Asks, and notes what is answered under ``METHOD path`` with ids as the caller named them."""

    def __init__(self, gateway: Gateway, sink: Sink, meta: Meta) -> None:
        self.gateway, self.sink, self.meta = gateway, sink, meta
        self.made: dict[str, Json] = {}

    async def ask(self, line: str, note: str = "", *, headers: Json | None = None, **options: Any) -> Any:
        """``line`` is ``METHOD path``; ``{name}`` in it comes from ``options["ids"]``."""
        ids = options.pop("ids", {})
        method, path = line.split(" ")
        answer = await self.gateway.http.request(method, path.format(**ids), headers=headers, **options)
        case = f"{line} ({note})" if note else line
        assert case not in self.made
        self.made[case] = shown(answer)
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer.content


def shown(answer: httpx2.Response) -> Json:
    found: Json = {"status": answer.status_code}
    headers = {name: value for name, value in sorted(answer.headers.items()) if name not in QUIET}
    kind = answer.headers.get("content-type", "")
    if kind and kind != "application/json":
        headers = {"content-type": kind, **headers}
    for name, value in SAFE.items():
        if headers.setdefault(name, "<missing>") == value:
            del headers[name]
    if "allow" in headers:
        headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
    if headers:
        found["headers"] = headers
    if "json" in kind:
        found["body"] = answer.json()
    return found


@asynccontextmanager
async def walk(**tables: Any) -> AsyncIterator[Walk]:
    """A gateway with an account ``meta`` at Meta and one of session events, ``line``."""
    meta = Meta()
    async with running(meta.server), https_sink() as sink:
        given: Json = {
            "server": {"public_url": PUBLIC},
            "delivery": {"allow_networks": ["127.0.0.0/8"]},
            "plugins.webhook": {},
            "plugins.n8n": {},
            "accounts.meta": {"provider": "meta", **meta.settings()},
            "accounts.line": {"provider": "session", "phone": "15550000100"},
        }
        async with running_gateway({**given, **tables}, ca_file=sink.ca_file) as gateway:
            yield Walk(gateway, sink, meta)


async def test_webhooks_and_their_events() -> None:
    async with walk() as here:
        hook = {"phone_number": "*", "webhook_url": here.sink.url, "name": "crm", "metadata": {"crm": 7}}
        made = await here.ask("POST /api/webhooks/register", json=hook)
        ids = {"webhook_id": made["id"]}
        await here.ask("POST /api/webhooks/register", "the same again", json=hook)
        await here.ask("POST /api/webhooks/register", "http", json=hook | {"webhook_url": "http://shop.example/"})
        await here.ask("POST /api/webhooks/register", "misspelt", json=hook | {"webhok_url": "x"})
        await here.gateway.post("hello")
        await here.gateway.event(made, "hello", "delivered")
        here.sink.script = lambda _: 404
        await here.gateway.post("hello again")
        event = await here.gateway.event(made, "hello again", "failed")
        await here.ask("GET /api/webhooks/list")
        await here.ask("GET /api/webhooks/{webhook_id}", ids=ids)
        await here.ask("GET /api/webhooks/{webhook_id}/events", ids=ids)
        here.sink.script = lambda _: 200
        target = f"/api/targets/webhook:{made['id']}"
        await here.gateway.ask("POST", f"{target}/pause")  # or it may be delivered before the answer says pending
        await here.ask("GET /api/webhooks/events/{event_id}/request", ids={"event_id": event["id"]})
        await here.ask("POST /api/webhooks/events/{event_id}/retry", ids={"event_id": event["id"]})
        await here.gateway.ask("POST", f"{target}/resume")
        await here.gateway.event(made, "hello again", "delivered")
        await here.ask("POST /api/webhooks/{webhook_id}/recover", ids=ids)
        tested = len(here.sink.accepted)
        await here.ask("POST /api/webhooks/{webhook_id}/test", ids=ids)
        await here.sink.until_accepted(tested + 1)
        while (await here.gateway.http.get("/api/jobs?state=pending&connector=webhook")).json()["data"]:
            await trio.sleep(0.02)  # what is under way is not of this golden file
        await here.ask("POST /api/webhooks/{webhook_id}/toggle", ids=ids)
        await here.ask("POST /api/webhooks/{webhook_id}/rotate-secret", ids=ids)
        await here.ask("PATCH /api/webhooks/{webhook_id}", ids=ids, json={"name": "desk", "format": "waha"})
        await here.ask("DELETE /api/webhooks/{webhook_id}", ids=ids)
        await here.ask("GET /api/webhooks/{webhook_id}", "deleted", ids=ids)
    check("api_webhooks", here.made)


async def test_jobs_and_deliveries() -> None:
    async with walk() as here:
        await here.ask("GET /queue/next-job", "none")
        body = msgspec.json.decode((SAMPLES / "engine/inbound.json").read_bytes()) | {"tenant_id": "default"}
        await here.ask("POST /webhook/inbound", json=body)
        await here.ask("POST /webhook/inbound", "the same again", json=body)
        job = await here.ask("GET /queue/next-job?wait=30")
        ids = {"job_id": job["job_id"]}
        await here.ask("POST /queue/job/{job_id}/heartbeat", ids=ids, json={"lease_id": job["lease_id"]})
        late = {"status": "completed", "lease_id": "1795967900072501-e35bf59cfa6e6660"}
        await here.ask("PATCH /queue/job/{job_id}", "a stale lease", ids=ids, json=late)
        done = {"status": "failed", "lease_id": job["lease_id"], "error": "the flow broke"}
        await here.ask("PATCH /queue/job/{job_id}", ids=ids, json=done)
        await here.ask("GET /queue/job/{job_id}", ids=ids)
        await here.ask("GET /api/jobs")
        await here.ask("GET /api/jobs/{job_id}", ids=ids)
        await here.ask("POST /api/jobs/{job_id}/cancel", ids=ids)
        await here.ask("POST /api/jobs/{job_id}/retry", ids=ids)
        await here.ask("POST /queue/job/{job_id}/retry", "it waits already", ids=ids)
    check("api_jobs", here.made)


async def test_clients_accounts_and_tenants() -> None:
    async with walk() as here:
        await here.ask("POST /api/clients", json={"slug": "garden", "name": "The garden shop"})
        await here.ask("POST /api/clients", "taken", json={"slug": "garden"})
        await here.ask("GET /api/clients")
        await here.ask("GET /api/clients/garden")
        await here.ask("PATCH /api/clients/garden", json={"name": "Garden"})
        token = await here.ask("POST /api/clients/garden/tokens", json={"name": "till"})
        await here.ask("GET /api/clients/garden/tokens")
        await here.ask("DELETE /api/clients/garden/tokens/{token_id}", ids={"token_id": token["id"]})
        link = await here.ask("POST /api/clients/garden/links", json={"lasts": "1d", "note": "Rose", "may_act": True})
        await here.ask("GET /api/clients/garden/links")
        await here.ask("DELETE /api/clients/garden/links/{link_id}", ids={"link_id": link["id"]})
        await here.ask("DELETE /api/clients/garden/links/{link_id}", "gone", ids={"link_id": link["id"]})
        account = {"name": "till", "provider": "session", "phone": "15550000110", "client": "garden"}
        await here.ask("POST /api/accounts", json=account | {"metadata": {"crm": 7}})
        await here.ask("POST /api/accounts", "taken", json=account)
        await here.ask("GET /api/accounts")
        await here.ask("GET /api/accounts/till")
        link = await here.ask("POST /api/accounts/till/links")
        await here.ask("POST /api/accounts/till/links", "misspelt", json={"lasts": "a year"})
        await here.ask("GET /api/accounts/till/links")
        await here.ask("DELETE /api/accounts/till/links/{link_id}", ids={"link_id": link["id"]})
        await here.ask("PATCH /api/accounts/till", json={"ignore": ["groups"]})
        await here.ask("PATCH /api/accounts/meta", "of config.toml", json={"phone": "15550000111"})
        await here.ask("DELETE /api/accounts/till")
        settings = msgspec.json.decode((SAMPLES / "engine/settings.json").read_bytes())
        await here.ask("PUT /routes/tenants/garden/whatsapp-settings", json=settings)
        await here.ask("GET /routes/tenants/garden/whatsapp-settings")
        await here.ask("GET /api/tenants/garden/whatsapp-settings")
        await here.ask("DELETE /api/clients/garden")
    check("api_clients", here.made)


async def test_messages_files_and_conversations() -> None:
    async with walk() as here:
        sent = await here.ask("POST /messages/send", json=ASK)
        here.meta.server.fail(Fault(reply=failed(400, 131047, "Re-engagement message")))
        await here.ask("POST /messages/send", "the provider refuses", json=ASK | {"to": "+15550000202"})
        here.meta.server.fail(Fault(accept=True, drop=True))
        await here.ask("POST /messages/send", "no answer came", json=ASK | {"to": "+15550000203"})
        await here.ask("GET /messages/{id}", ids=sent)
        await here.ask("GET /messages/{id}/readers", ids=sent)
        await here.ask("GET /messages?status=failed")
        await here.ask("DELETE /messages/{id}", "Meta can't", ids=sent)
        await here.ask("POST /api/sendText", json={"session": "meta", "chatId": "15550000201@c.us", "text": "Good day"})
        file = {"content": b"%PDF-1.7 receipt", "headers": {"Content-Type": "application/pdf"}}
        media = await here.ask("POST /api/media?filename=receipt.pdf", **file)
        await here.ask("GET /api/media/{id}", ids=media)
        body = msgspec.json.decode((SAMPLES / "engine/inbound.json").read_bytes()) | {"tenant_id": "default"}
        await here.ask("POST /routes/api/v1/conversations/ingest", json=body)
        await here.ask("POST /routes/api/v1/conversations/ingest", "the same again", json=body)
        chats = await here.ask("GET /api/conversations")
        assert len(chats["data"]) > 1
        await here.ask("GET /api/conversations/{chat}/messages", ids={"chat": "15550000201@c.us"})
        await here.ask("GET /api/conversations/{chat}/messages?history=1", ids={"chat": "15550000201@c.us"})
        await here.ask("GET /api/unknown-numbers")
        await here.ask("POST /messages/send", "respond-async", headers={"Prefer": "respond-async"}, json=ASK)
    check("api_messages", here.made)


async def test_sessions() -> None:
    async with walk() as here:
        await here.ask("GET /api/whatsapp/session/status/line", "nothing known yet")
        for name in ("qr", "ready", "disconnected", "auth_failure_status"):
            body = (SAMPLES / f"wwebjs/{name}.json").read_bytes()
            await here.ask(
                "POST /api/whatsapp/webhook/line", name, content=body, headers={"Content-Type": "application/json"}
            )
            await here.ask("GET /api/whatsapp/session/status/line", f"after {name}")
            await here.ask("GET /api/sessions/line", f"after {name}")
        await here.ask("GET /api/whatsapp/session/list-realtime")
        await here.ask("GET /api/whatsapp/session/status/nobody", "unknown")
        await here.ask("POST /api/whatsapp/session/line/view-token")
        await here.ask("GET /api/sessions")
        await here.ask("GET /api/sessions/line/me")
        await here.ask("GET /api/line/auth/qr", "there is none")
    check("api_sessions", here.made)


async def test_health_and_problems() -> None:
    async with walk(server={"public_url": PUBLIC, "max_body": "2KiB"}) as here:
        open_to_all = {"Authorization": ""}
        health = await here.gateway.http.get("/health", headers=open_to_all)
        here.made["headers of every answer"] = {
            name: health.headers[name] for name in sorted(QUIET & {*health.headers})
        }
        for path in ("/", "/health", "/ping"):
            await here.ask(f"GET {path}", "without a token", headers=open_to_all)
        await here.ask("GET /health")
        await here.ask("GET /api/jobs", "without a token", headers=open_to_all)
        await here.ask("GET /api/jobs", "a wrong token", headers={"Authorization": "Bearer x"})
        await here.ask("GET /nowhere")
        await here.ask("PUT /api/clients")
        await here.ask("GET /api/jobs/01997d4c-7d10-7c3b-8000-0123456789ab")
        await here.ask("GET /api/jobs?limit=0&status=done")
        await here.ask("POST /api/clients", "no JSON", content=b"{", headers=JSON)
        await here.ask("POST /api/clients", "wrong types", json={"slug": 7})
        await here.ask("POST /webhook/inbound", "nothing in it", json={})
        await here.ask("POST /webhook/inbound", "too long", json={"message": "x" * 3000})
        for slug in ("one", "two"):
            await here.ask(
                "POST /api/clients", f"one key, {slug}", json={"slug": slug}, headers={"Idempotency-Key": "k"}
            )
        await here.ask("POST /webhooks/meta", "no signature", headers=open_to_all, json={})
        await here.ask("GET /api/whatsapp/session/status/%00", "hostile")
    check("api_health", here.made)


async def test_limits() -> None:
    async with walk(limits={"api": "2/min", "auth": "off"}) as here:
        for number in (1, 2, 3):
            await here.ask("GET /api/clients", str(number))
    assert here.made["GET /api/clients (3)"]["status"] == 429
    check("api_limits", here.made)


async def test_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    monkeypatch.setattr("wagate.process.assemble.CollectorRegistry", lambda: registry)
    async with walk() as here:
        text = (await here.gateway.http.get("/metrics")).text
    # What nothing has counted yet shows no labels: the registry knows them all the same.
    labels = {name: each._labelnames for each, names in registry._collector_to_names.items() for name in names}
    shown = re.findall(r"^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$", text, flags=re.MULTILINE)
    check("metrics", {name: {"type": kind, "labels": labels[name], "help": told} for name, told, kind in shown})


async def test_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.process.doctor.PATIENCE", 60.0)
    async with walk() as here:
        await here.ask("GET /api/doctor")
        await here.ask("GET /api/doctor", "without a token", headers={"Authorization": ""})
    for line in here.made["GET /api/doctor"]["body"]["data"]:
        if line["part"] in {"database", "disk", "clock", "public_url"}:
            line |= {"level": "<level>", "detail": "<of this machine>", "next_step": "<of this machine>"}
    check("api_doctor", here.made)
