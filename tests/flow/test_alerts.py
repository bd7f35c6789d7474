"""Alerts of a whole gateway: a receiver goes down, a person is told, and told again when it is over."""

from __future__ import annotations

import re

from tests.flow.dashboard import browser
from tests.inprocess import Gateway, running_gateway
from tests.sink import Got, Sink, https_sink


class Desk:
    """A receiver that is down, and the service that a person reads, which may be down as well."""

    def __init__(self) -> None:
        self.down = True
        self.deaf = False

    def __call__(self, got: Got) -> int:
        if got.path.startswith("/alerts"):
            return 401 if self.deaf else 200
        return 503 if self.down else 200


def told(sink: Sink) -> list[str]:
    return [got.json["title"] for got in sink.accepted if got.path.startswith("/alerts")]


async def shown(gateway: Gateway, part: str) -> str:
    return (await gateway.ask("GET", "/health"))["checks"][part]["detail"]


async def test_a_receiver_that_is_down_reaches_a_person_and_its_end_does_too() -> None:
    desk = Desk()
    async with https_sink(desk) as sink:
        url = sink.url.replace("https://", "jsons://").replace("/hook", "/alerts/secret-topic")
        tables = {
            "server": {"public_url": "https://wa.example"},
            "plugins.alerts": {"after": "5m"},
            "plugins.alerts.channels.chat": {"apprise": url},
        }
        async with running_gateway({"plugins.webhook": {}, **tables}, ca_file=sink.ca_file) as gateway:
            await gateway.register(sink.url, name="Order bot")
            for number in range(3):
                await gateway.post(f"m{number}", chat=f"+1555000000{number}")

            async def a_person_knows(count: int) -> bool:
                await gateway.passes(30)
                return len(told(sink)) >= count

            await gateway.until(lambda: a_person_knows(1), lambda: str(sink.got[-3:]))
            assert told(sink) == ["wa.example: Order bot does not answer"]
            (alert,) = [got.json for got in sink.accepted if got.path.startswith("/alerts")]
            assert re.search(
                r"3 messages wait, in order\..*\nhttps://wa\.example/ui/receivers/webhook:", alert["message"]
            )
            async with browser(gateway) as http:  # one decision: the page says the same
                page = await http.get("/ui/")
            assert "does not answer" in page.text

            desk.down, desk.deaf = False, True

            async def the_channel_is_shown() -> bool:
                await gateway.passes(30)
                return "channel chat" in await shown(gateway, "plugins")

            await gateway.until(the_channel_is_shown)
            detail = await shown(gateway, "plugins")
            assert "401" in detail
            assert "secret-topic" not in detail
            lines = (await gateway.ask("GET", "/api/doctor"))["data"]
            assert ("alerts", "fail", "channel chat") in [(each["part"], each["level"], each["what"]) for each in lines]

            desk.deaf = False

            async def a_person_knows_that_it_is_over() -> bool:
                await gateway.passes(30)
                return any(each.startswith("wa.example: Over: Order bot does not answer") for each in told(sink)[1:])

            await gateway.until(a_person_knows_that_it_is_over, lambda: str(told(sink)))

            async def nothing_is_shown() -> bool:
                return await shown(gateway, "plugins") == ""

            await gateway.until(nothing_is_shown)
            found = await gateway.ask("POST", "/plugins/alerts/test")
            assert found == [{"channel": "chat", "ok": True, "detail": ""}]
