"""Every kind of event as subscribers get it: webhooks in each format, with their headers, and pull jobs.

Golden files: webhook_flat, webhook_standard, webhook_waha, webhook_headers, jobs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import trio

from tests.corpus import SAMPLES, Corpus, corpora
from tests.golden_files import check, stable
from tests.inprocess import Gateway, running_gateway
from tests.provider_sites import PUBLIC, Infobip, Meta, Sessions, Site, Twilio, Waha
from tests.sink import Got, Sink, https_sink
from wagate.events.kinds import EVENT_KINDS, GROUP_PREFIX, WEBHOOK_TEST
from wagate.testing.providers.meta import failed
from wagate.testing.server import Fault, running

FORMATS = ("flat", "standard", "waha")
HOUR, DAY = 3600.0, 86400.0
EVERYTHING = ["*", "message", "message.any"]
META, INFOBIP, TWILIO = "150494019152123", "15550845827", "15550933447"
"""Numbers of the samples."""
SITES: dict[str, type[Site]] = {"meta": Meta, "infobip": Infobip, "twilio": Twilio, "waha": Waha, "wwebjs": Sessions}
ACCOUNTS = {"meta": "meta", "infobip": "infobip", "twilio": "main", "waha": "waha", "wwebjs": "session"}
"""Twilio's is ``main``, since its signature covers the address of the door."""
CASES = {
    "meta": (
        "text",
        "text_from_ad",
        "reply",
        "image",
        "video",
        "audio",
        "voice",
        "document",
        "animated_sticker",
        "contacts",
        "order",
        "interactive_list_reply",
        "flow_completion",
        "system",
        "unsupported",
        "reaction",
        "edited_image",
        "revoked",
        "echo_text",
        "status_delivered",
        "status_failed_window_closed",
        "call_connect_user_initiated",
        "group_create",
        "template_status_update_approved",
    ),
    "infobip": ("inbound_text", "inbound_image", "inbound_location", "delivery_reports", "payment_notification"),
    "twilio": ("inbound_text_with_name", "inbound_image", "status_failed_window_closed"),
    "waha": (
        "message.text-gows",
        "message.image-from-us",
        "message.ack",
        "message.reaction",
        "call.accepted",
        "call.rejected",
        "presence.update",
        "poll.vote",
        "event.response",
        "group.v2.participants",
        "session.status-timelock",
    ),
    "wwebjs": ("message_text", "message_text_group", "message_ack_read", "group_join", "call", "media", "qr"),
}


def sample(corpus: Corpus, name: str) -> bytes:
    # WAHA documents call.rejected as call.accepted with another name.
    if name == "call.rejected":
        return (
            corpus.bytes_of("call.accepted")
            .replace(b"call.accepted", b"call.rejected")
            .replace(b'"id": "', b'"id": "R')
        )
    # The samples are of one message; a file that comes first is its message, so it needs one of its own.
    return corpus.bytes_of(name).replace(b"318", b"319") if name == "media" else corpus.bytes_of(name)


@asynccontextmanager
async def open_scene() -> AsyncIterator[tuple[Gateway, dict[str, Site], Sink]]:
    """A gateway with an account at every provider, a webhook of every format, and a queue."""
    async with AsyncExitStack() as stack:
        sites = {name: make() for name, make in SITES.items()}
        sites["meta"].fake.phone_number_id = META
        sites["infobip"].fake.sender, sites["twilio"].fake.number = INFOBIP, TWILIO
        for site in sites.values():
            await stack.enter_async_context(running(site.server))
        sink = await stack.enter_async_context(https_sink())
        tables: dict[str, Any] = {
            "server": {"public_url": PUBLIC},
            "media": {"fetch": False},
            "delivery": {"allow_networks": ["127.0.0.0/8"], "recover": "6d"},
            "plugins.webhook": {},
            "plugins.n8n": {"events": EVERYTHING},
        }
        for name, site in sites.items():
            tables[f"accounts.{ACCOUNTS[name]}"] = {"provider": site.provider, **site.settings()}
        tables["accounts.meta.metadata"] = {"crm": 7}
        tables["accounts.session"] |= {"base_url": ""}
        found = await stack.enter_async_context(running_gateway(tables, ca_file=sink.ca_file))
        yield found, sites, sink


class Subscribers:
    """What the webhooks and the queue get of each thing that happens."""

    def __init__(self, gateway: Gateway, sink: Sink) -> None:
        self._gateway, self._sink = gateway, sink
        self.bodies: dict[str, dict[str, Any]] = {form: {} for form in FORMATS}
        self.headers: dict[str, Any] = {}
        self.jobs: dict[str, Any] = {}
        self._told = 0

    async def register(self) -> None:
        for form in FORMATS:
            hook = {"name": form, "format": form, "events": EVERYTHING, "headers": {"X-Team": "crm"}}
            await self._gateway.register(f"{self._sink.url}/{form}", **hook)

    async def told(self, *cases: str) -> None:
        """Note what came since the last cases: as many things, in no order, of which every webhook was told.

        Of several, each case ends with its event's name.
        """
        start, self._told = self._told, self._told + len(FORMATS) * len(cases)
        await self._sink.until(lambda sink: len(sink.accepted) >= self._told)
        for got in self._sink.accepted[start:]:
            self._note(case_of(got.json.get("event") or got.json["type"], cases), got)
        for _ in cases:
            job = await self._job()
            self.jobs[case_of(job["payload"]["event"], cases)] = job

    async def tested(self) -> None:
        """Note what each webhook gets when it is tried; the queue gets nothing."""
        for hook in (await self._gateway.ask("GET", "/api/webhooks/list"))["data"]:
            if hook["name"] in FORMATS:
                await self._gateway.ask("POST", f"/api/webhooks/{hook['id']}/test", 202)
                self._told += 1
                await self._sink.until(lambda sink: len(sink.accepted) >= self._told)
                self._note("webhook.test", self._sink.accepted[-1])

    def _note(self, case: str, got: Got) -> None:
        form = got.path.rpartition("/")[2]
        assert case not in self.bodies[form]
        self.bodies[form][case] = got.json
        # The same for every kind, so shown once.
        assert self.headers.setdefault(form, names(got)).keys() == names(got).keys()

    async def _job(self) -> Any:
        job = await self._gateway.ask("GET", "/queue/next-job", params={"wait": 30})
        done = {"status": "completed", "lease_id": job["lease_id"]}
        await self._gateway.ask("PATCH", f"/queue/job/{job['job_id']}", json=done)
        return job


def case_of(event: str, cases: tuple[str, ...]) -> str:
    return cases[0] if len(cases) == 1 else next(case for case in cases if case.endswith(f" {event}"))


def names(got: Got) -> dict[str, str]:
    return dict(sorted(got.headers.items()))


def to_our_number(body: bytes) -> bytes:
    """The samples of one provider are for several numbers; its one account has the first."""
    body = re.sub(rb'("phone_number_id":\s*")\d+', rb"\g<1>" + META.encode(), body)
    return body.replace(b"whatsapp%3A%2B15550937631", f"whatsapp%3A%2B{TWILIO}".encode())


async def post(found: Gateway, sites: dict[str, Site], provider: str, name: str) -> None:
    site, [ours, *_] = sites[provider], corpora(provider)
    body = to_our_number(sample(ours, name))
    headers = {"Authorization": "", **site.proof(body)}
    answer = await found.http.post(f"/webhooks/{ACCOUNTS[provider]}", content=body, headers=headers)
    assert answer.status_code == 200, (name, answer.text)


async def send_in_vain(found: Gateway, meta: Site) -> None:
    """A message that Meta refuses."""
    meta.server.fail(Fault(reply=failed(400, 131047, "Re-engagement message")))
    body = {"to": "+15550000201", "account": "meta", "message": {"text": "Good day"}}
    await found.ask("POST", "/messages/send", 422, json=body)


async def break_webhook(found: Gateway, sink: Sink, seen: Subscribers) -> None:
    """One webhook fails for five days."""
    sink.script = lambda got: 503 if got.path.endswith("/down") else 200
    await found.register(f"{sink.url}/down", name="down")
    await found.post("hello")
    await seen.told("before a webhook fails")
    for case, step in (("an hour", HOUR / 4), ("a day", DAY / 4), ("five days", DAY / 4)):
        count = len(sink.accepted)
        await found.passes_until(lambda count=count: len(sink.accepted) > count, step=step, most=6 * DAY)  # type: ignore[misc]
        await seen.told(f"a webhook fails for {case}")


async def test_events_reach_webhooks_and_jobs_as_the_golden_files_say() -> None:
    async with open_scene() as (found, sites, sink):
        seen = Subscribers(found, sink)
        await seen.register()
        inbound = msgspec.json.decode((SAMPLES / "engine/inbound.json").read_bytes()) | {"tenant_id": "default"}
        await found.ask("POST", "/webhook/inbound", 202, json=inbound)
        await seen.told("engine inbound")
        for provider, cases in CASES.items():
            for name in cases:
                await post(found, sites, provider, name)
                with trio.fail_after(60):
                    await seen.told(f"{provider} {name}")
        await send_in_vain(found, sites["meta"])
        await seen.told("a message that the provider refuses")
        await seen.tested()
        await break_webhook(found, sink, seen)
    for case, body in seen.bodies["standard"].items():
        if stable(body["data"]) == stable(seen.bodies["flat"][case]):
            body["data"] = "<the flat body>"
    for form in FORMATS:
        check(f"webhook_{form}", seen.bodies[form])
    check("webhook_headers", dict(sorted(seen.headers.items())))
    check("jobs", seen.jobs)
    kinds = {body["event"] for body in seen.bodies["flat"].values()}
    assert {kind for kind in kinds if not kind.startswith(GROUP_PREFIX)} == EVENT_KINDS | {WEBHOOK_TEST}
