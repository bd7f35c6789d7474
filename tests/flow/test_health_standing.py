"""Health of accounts and receivers: what fails shows in /health, /metrics and the doctor, and ends by itself."""

from __future__ import annotations

import re
from typing import Any

from tests.flow.test_outages import Receiver
from tests.inprocess import Gateway, running_gateway
from tests.provider_sites import THEM, Meta, gateway
from tests.sink import https_sink
from wagate.testing.providers.meta import failed
from wagate.testing.server import Fault

Json = dict[str, Any]


async def looks(found: Gateway) -> Json:
    """A health report that is new."""
    found.clock.shift(2)
    return await found.ask("GET", "/health")


async def metric(found: Gateway, line: str) -> float:
    found.clock.shift(2)
    [value] = [
        each.rpartition(" ")[2]
        for each in (await found.http.get("/metrics")).text.splitlines()
        if each.startswith(line)
    ]
    return float(value)


async def doctor(found: Gateway, part: str) -> list[Json]:
    return [line for line in (await found.ask("GET", "/api/doctor"))["data"] if line["part"] == part]


async def send(found: Gateway, text: str, **fields: Any) -> None:
    body = {"to": f"+{THEM}", "message": {"text": text}, **fields}
    answer = await found.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text


async def test_an_account_whose_token_is_refused_shows_until_it_sends_again() -> None:
    site = Meta()
    async with gateway(site) as found:
        assert (await looks(found))["status"] == "healthy"
        right, site.fake.token = site.fake.token, "another"
        await send(found, "Hello", account="main")

        async def refused() -> bool:
            return (await looks(found))["checks"]["providers"]["status"] == "degraded"

        await found.until(refused)
        report = await looks(found)
        assert report["status"] == "degraded"
        check = report["checks"]["providers"]
        assert check["detail"] == "1 accounts, 1 refused"
        assert check["providers"]["meta"] | {"since": None} == {
            "accounts": 1,
            "refused": 1,
            "failing": 0,
            "logged_out": 0,
            "since": None,
        }
        assert check["providers"]["meta"]["since"] is not None
        assert right not in str(report)
        assert await metric(found, 'wagate_accounts{provider="meta",state="refused"}') == 1
        [line] = await doctor(found, "sending")
        assert (line["level"], line["what"]) == ("fail", "refused")
        assert line["detail"].startswith("main since ")

        client = await found.client("acme")
        seen = await found.http.get("/health", headers={"Authorization": f"Bearer {client['token']}"})
        assert seen.json()["checks"]["providers"] == {"status": "degraded", "detail": ""}

        site.fake.token = right

        async def well() -> bool:
            found.clock.shift(60)
            return (await looks(found))["checks"]["providers"]["status"] == "healthy"

        await found.until(well)
        assert await metric(found, 'wagate_accounts{provider="meta",state="refused"}') == 0
        assert [line["level"] for line in await doctor(found, "sending")] == ["ok"]


async def test_a_provider_that_answers_500_is_failing_after_two_minutes() -> None:
    site = Meta()
    async with gateway(site) as found:
        site.server.chance = lambda _seen: Fault(reply=failed(500, 2, "Service temporarily unavailable"))

        async def failing() -> bool:
            await send(found, "Hello", account="main")
            await found.passes(60)
            return "1 failing" in (await looks(found))["checks"]["providers"]["detail"]

        await found.until(failing)


async def test_a_receiver_that_is_down_degrades_with_what_waits_for_it() -> None:
    receiver = Receiver(down=True)
    async with https_sink(receiver) as sink, running_gateway(ca_file=sink.ca_file) as found:
        await found.register(f"{sink.url}?token=not-for-everybody", name="Order bot")
        for number in range(3):
            await found.post(f"m{number}", chat=f"+1555000000{number}")

        async def down() -> bool:
            await found.passes(5)
            return (await looks(found))["checks"]["receivers"]["status"] == "degraded"

        await found.until(down)
        report = await looks(found)
        assert report["status"] == "degraded"
        shown = report["checks"]["receivers"]["receivers"]
        assert [shown[each] for each in ("down", "failing", "disabled", "paused", "waiting")] == [1, 0, 0, 0, 3]
        assert shown["oldest"] < shown["since"]
        assert await metric(found, 'wagate_receivers{state="down"}') == 1
        assert await metric(found, "wagate_receivers_waiting ") == 3
        assert await metric(found, "wagate_receivers_oldest_seconds ") > 0
        assert await metric(found, 'wagate_waiting{kind="push"}') == 3
        assert await metric(found, 'wagate_waiting_oldest_seconds{kind="push"}') > 0
        assert await metric(found, 'wagate_waiting{kind="outbound"}') == 0
        told = [(each["what"], each["detail"]) for each in await doctor(found, "waiting") if each["what"] == "push"]
        assert re.fullmatch(r"3 deliveries to receivers, the oldest since \d{4}-\d\d-\d\d \d\d:\d\d UTC", told[0][1])
        [line] = await doctor(found, "receivers")
        assert (line["level"], line["what"]) == ("warn", "down")
        assert line["detail"].startswith(f"Order bot ({sink.url}) since ")
        assert "Server error (503)" in line["detail"]
        assert "not-for-everybody" not in line["detail"]

        receiver.down = False

        async def up() -> bool:
            await found.passes(60)
            return (await looks(found))["status"] == "healthy"

        await found.until(up)
        assert await metric(found, "wagate_receivers_waiting ") == 0
