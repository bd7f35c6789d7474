"""A webhook's own timeout and rate through the whole gateway, with a real receiver."""

from __future__ import annotations

from itertools import pairwise

import trio

from tests.flow.test_webhook_flow import ask, contents, events, post, register
from tests.gateway import gateway
from tests.shared_gateway import Tenant
from tests.sink import https_sink


async def test_a_rate_spaces_requests_keeps_chats_in_order_and_leaves_others_alone(tenant: Tenant) -> None:
    async with https_sink() as sink:
        webhook = await register(tenant.http, sink.url, rate=2)
        await register(tenant.http, sink.url.replace("/hook", "/quick"), name="quick")
        for number in range(3):
            for chat in ("a", "b"):
                await post(tenant.http, f"{chat}{number}", chat=f"+551199999999{'ab'.index(chat)}")
        await sink.until(lambda sink: sum(got.path == "/quick" for got in sink.got) == 6)
        assert len(sink.got) < 12
        await sink.until(lambda sink: len(sink.got) == 12)
        rows = await events(tenant.http, webhook, *["delivered"] * 6)
    paced = [got for got in sink.got if got.path == "/hook"]
    # What one request lost on its way the next one may have gained.
    assert min(after.at - before.at for before, after in pairwise(paced)) > 0.25
    assert paced[-1].at - paced[0].at > 2.2
    assert [row["attempt_count"] for row in rows] == [1] * 6
    for chat in "ab":
        came = [got.json["content"] for got in paced if got.json["content"][0] == chat]
        assert came == [f"{chat}{number}" for number in range(3)]


async def test_a_timeout_of_its_own_ends_an_attempt_and_null_takes_it_away(tenant: Tenant) -> None:
    async with https_sink(delay=2.5) as sink:
        webhook = await register(tenant.http, sink.url, timeout=1)
        await post(tenant.http, "late")
        [row] = await events(tenant.http, webhook, "pending", tried=1)
        assert row["error"].startswith("Connection timeout")
        assert 900 <= row["attempts"][0]["duration_ms"] < 2400
        changed = await ask(tenant.http, "PATCH", f"/{webhook['id']}", json={"timeout": None})
        assert changed["timeout"] is None
        await ask(tenant.http, "POST", f"/events/{row['id']}/retry")
        await events(tenant.http, webhook, "delivered")


async def test_a_timeout_may_be_longer_than_that_of_all_others() -> None:
    slow = {"delivery": {"timeout": "1s"}}
    async with (
        https_sink(delay=3) as sink,
        gateway(slow, ca_file=sink.ca_file, start=False) as process,
        process.client() as server,
    ):
        process.constants = {"wagate_webhook.deliver.GRACE": 1.0}  # seconds, in place of 5
        await process.start()
        # Longer than what the core would wait for a webhook without a timeout of its own, too.
        webhook = await register(server, sink.url, timeout=30)
        await post(server, "slow", tenant_id="default")
        with trio.fail_after(60):
            await events(server, webhook, "delivered")
    assert contents(sink) == ["slow"]


async def test_a_404_that_waits_spends_no_attempt_and_swaps_nothing(tenant: Tenant) -> None:
    async with https_sink(lambda _: 404) as sink:
        webhook = await register(tenant.http, sink.url, retry_not_found=True, max_retries=1)
        texts = ["first", "second", "third"]
        for text in texts:
            await post(tenant.http, text)
        with trio.fail_after(60):
            while (await events(tenant.http, webhook, *["pending"] * 3))[0]["error"] != "Client error (404)":
                await trio.sleep(0.05)
        sink.script = lambda _: 200
        answer = await tenant.http.post(f"/api/targets/webhook:{webhook['id']}/probe")
        assert answer.is_success, answer.text
        rows = await events(tenant.http, webhook, *["delivered"] * 3)
    accepted = [got.json["content"] for got in sink.accepted]
    assert accepted == texts
    assert [row["attempt_count"] for row in rows] == [1] * 3
