"""Receivers that are down for seconds, hours and days, by the defaults and with nothing done by hand."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.inprocess import Gateway, gaps, running_gateway
from tests.sink import Got, Sink, https_sink
from wagate.testing.rest import at_rest

MINUTE, HOUR = 60, 3600
CHATS = {"a": "+15550000001", "b": "+15550000002", "c": "+15550000003"}


class Receiver:
    """What answers at /hook, by day and by text; every other path accepts."""

    def __init__(self, *, down: bool = False, poison: str = "") -> None:
        self.down = down
        self.poison = poison

    def __call__(self, got: Got) -> int:
        if got.path.partition("?")[0] != "/hook":
            return 200
        return 503 if self.down else 500 if got.json["content"] == self.poison else 200


class Traffic:
    """Messages of three chats, numbered in each."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sent: dict[str, list[str]] = defaultdict(list)

    async def comes(self, chats: str = "abc") -> None:
        for name in chats:
            text = f"{name}{len(self.sent[name]) + 1}"
            await self.gateway.post(text, chat=CHATS[name])
            self.sent[name].append(text)

    def arrived(self, sink: Sink) -> bool:
        return len(sink.accepted) >= sum(map(len, self.sent.values()))


def accepted(sink: Sink, chat: str) -> list[str]:
    """What the receiver took of a chat, in order."""
    return [got.json["content"] for got in sink.accepted if f"+{got.json['chat']}" == CHATS[chat]]


@pytest.mark.parametrize(
    ("seconds", "step", "recovery"),
    [(25, 1, 31), (6 * HOUR, 30 * MINUTE, 15.1 * MINUTE)],
    ids=["25 seconds", "6 hours"],
)
async def test_nothing_is_lost_and_nothing_swapped(seconds: float, step: float, recovery: float) -> None:
    receiver = Receiver(down=True)
    async with https_sink(receiver) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        traffic = Traffic(gateway)
        began = gateway.clock.monotonic()
        for _ in range(6):
            await traffic.comes()
            await gateway.passes(seconds / 6, step=step)
        assert sink.accepted == []
        shown = await gateway.webhook(hook)
        assert (shown["status"], shown["last_error"]) == ("failed", "Server error (503)")
        receiver.down = False
        await traffic.comes()
        # What the test itself took made the outage longer, and the wait for the next probe grows with it.
        took = gateway.clock.monotonic() - began - seconds
        await gateway.passes_until(
            lambda: traffic.arrived(sink), step=min(step / 2, 5 * MINUTE), most=recovery + 2 * took
        )
        for chat in CHATS:
            assert accepted(sink, chat) == traffic.sent[chat]
        assert sink.duplicates == 0
        shown = await gateway.webhook(hook)
        assert (shown["status"], shown["failure_count"]) == ("active", 0)
        rows = await gateway.events(hook)
        assert {row["status"] for row in rows} == {"delivered"}
        assert len({row["id"] for row in rows}) == len(sink.accepted) == 21


async def test_a_day_and_an_hour_cost_only_what_was_older_than_a_day_and_that_is_replayed_by_hand() -> None:
    receiver = Receiver(down=True)
    async with https_sink(receiver) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        traffic = Traffic(gateway)
        await traffic.comes()
        await gateway.passes(20 * MINUTE, step=2 * MINUTE)
        await traffic.comes()
        await gateway.passes(70 * MINUTE, step=10 * MINUTE)
        for _ in range(4):
            await traffic.comes()
            await gateway.passes(23.5 * HOUR / 4, step=HOUR)
        assert sink.accepted == []
        receiver.down = False
        young = {chat: texts[2:] for chat, texts in traffic.sent.items()}
        await gateway.passes_until(lambda: len(sink.accepted) >= 12, step=MINUTE, most=16 * MINUTE)
        for chat in CHATS:
            assert accepted(sink, chat) == young[chat]
        old = [row for row in await gateway.events(hook) if row["status"] == "failed"]
        assert sorted(row["message_id"] for row in old) == ["a1", "a2", "b1", "b2", "c1", "c2"]
        for row in old:
            assert row["error"].startswith("gave up after 24h: ")
            assert row["next_retry_at"] is None
        answer = await gateway.ask("POST", f"/api/webhooks/{hook['id']}/recover", 202, params={"since": "48h"})
        assert answer["recovered"] == 6
        await sink.until_accepted(18)
        for chat in CHATS:
            assert accepted(sink, chat) == [*young[chat], *traffic.sent[chat][:2]]
        assert sink.duplicates == 0


async def test_a_poison_message_delays_its_chat_by_its_attempts_only_and_ends_failed() -> None:
    async with https_sink(Receiver(poison="a2")) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        traffic = Traffic(gateway)
        for _ in range(3):
            await traffic.comes()
        await sink.until_accepted(7)
        await gateway.event(hook, "a2", attempts=1)
        # The chats b and c go on meanwhile.
        await gateway.passes(6.1, step=0.5)
        await traffic.comes("bc")
        await sink.until_accepted(9)
        row = await gateway.event(hook, "a2", attempts=2)
        assert accepted(sink, "a") == ["a1"]
        await gateway.passes(12.1, step=0.5)
        row = await gateway.event(hook, "a2", "failed")
        await sink.until_accepted(10)
        assert accepted(sink, "a") == ["a1", "a3"]
        assert sum(gaps(row)) <= 18 + 12, "the longest waits of two, and what the test itself took; no probe's wait"
        told = (row["attempt_count"], row["error"], row["http_status"], row["next_retry_at"])
        assert told == (3, "Server error (500)", 500, None)
        await gateway.passes(HOUR, step=5 * MINUTE)
        assert len(sink.got) == 10 + 3, "what was given up is not tried again"
        for chat in "bc":
            assert accepted(sink, chat) == traffic.sent[chat]


async def test_a_poison_message_alone_in_its_chat_ends_failed_while_others_flow() -> None:
    async with https_sink(Receiver(poison="c1")) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        traffic = Traffic(gateway)
        await traffic.comes("c")
        await gateway.event(hook, "c1", attempts=1)
        for seconds in (6.1, 12.1):
            await traffic.comes("ab")
            await gateway.passes(seconds, step=1)
        row = await gateway.event(hook, "c1", "failed")
        assert (row["attempt_count"], row["next_retry_at"]) == (3, None)
        await traffic.comes("ab")
        await sink.until_accepted(6)
        await gateway.event(hook, traffic.sent["b"][-1], "delivered")
        assert (await gateway.webhook(hook))["status"] == "active"
        for chat in "ab":
            assert accepted(sink, chat) == traffic.sent[chat]


async def test_a_poison_message_with_no_other_traffic_waits_for_a_witness() -> None:
    async with https_sink(Receiver(poison="a1")) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        traffic = Traffic(gateway)
        await traffic.comes("a")
        await gateway.event(hook, "a1", attempts=1)
        await gateway.passes(6.1, step=1)
        await gateway.event(hook, "a1", attempts=2)
        await gateway.passes(12.1, step=1)
        row = await gateway.event(hook, "a1", "failed")
        assert row["next_retry_at"] is not None, "it may have been the receiver's fault: it is probed"
        await traffic.comes("a")
        await gateway.passes(5 * HOUR, step=30 * MINUTE)
        assert sink.accepted == []
        await traffic.comes("b")
        await sink.until_accepted(1)
        await gateway.passes_until(lambda: len(sink.accepted) == 2, step=MINUTE, most=16 * MINUTE)
        row = await gateway.event(hook, "a1", "failed")
        assert (row["attempt_count"], row["next_retry_at"]) == (4, None), "one more, with the receiver up"
        assert accepted(sink, "a") == ["a2"]


async def test_a_webhook_switched_off_while_it_is_down_rests_until_it_is_on_again() -> None:
    receiver = Receiver(down=True)
    async with https_sink(receiver) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        traffic = Traffic(gateway)
        await traffic.comes()
        await gateway.passes(MINUTE, step=3)
        await gateway.ask("PATCH", f"/api/webhooks/{hook['id']}", json={"is_active": False})
        await at_rest()
        tried = len(sink.got)
        # Each step waits until the whole gateway is at rest.
        await gateway.passes(HOUR, step=5 * MINUTE)
        assert len(sink.got) == tried
        receiver.down = False
        await gateway.ask("PATCH", f"/api/webhooks/{hook['id']}", json={"is_active": True})
        await gateway.passes_until(lambda: traffic.arrived(sink), step=5, most=MINUTE)
        for chat in CHATS:
            assert accepted(sink, chat) == traffic.sent[chat]


async def test_long_failing_is_told_to_the_other_webhook_and_five_days_disable() -> None:
    receiver = Receiver(down=True)
    async with https_sink(receiver) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        other = sink.url.replace("/hook", "/ops")
        await gateway.register(other, name="ops", events=["webhook.failing", "webhook.disabled"])
        traffic = Traffic(gateway)
        told: list[tuple[float, dict[str, Any]]] = []
        hours = 0.0
        while hours < 124:
            await traffic.comes("a")
            await gateway.passes(2 * HOUR, step=HOUR)
            hours += 2
            told += [(hours, got.json) for got in sink.accepted[len(told) :]]
        assert [(body["event"]) for _, body in told] == ["webhook.failing", "webhook.failing", "webhook.disabled"]
        for (when, body), expected in zip(told, (1, 24, 120), strict=True):
            assert expected <= when <= expected + 4
            about = body["webhook"]
            assert (about["connector"], about["target"]) == ("webhook", hook["id"])
            assert about["last_error"] == "Server error (503)"
        shown = await gateway.webhook(hook)
        assert (shown["status"], shown["is_active"]) == ("disabled", False)
        quiet = len(sink.got)
        await gateway.passes(HOUR, step=10 * MINUTE)
        assert len(sink.got) == quiet, "nothing is sent to what is disabled"
        receiver.down = False
        await assert_switched_on(gateway, sink, traffic, hook)


async def assert_switched_on(gateway: Gateway, sink: Sink, traffic: Traffic, hook: dict[str, Any]) -> None:
    """Switched on again, it gets what is young enough in order, and the rest by recover."""
    waiting = [
        row["message_id"] for row in await gateway.events(hook) if row["error"] is None or "gave up" not in row["error"]
    ]
    assert waiting
    await gateway.ask("POST", f"/api/webhooks/{hook['id']}/toggle")
    await gateway.passes(1)
    await sink.until(lambda sink: accepted_by(sink, hook) >= len(waiting))
    assert accepted(sink, "a") == waiting
    answer = await gateway.ask("POST", f"/api/webhooks/{hook['id']}/recover", 202)
    rest = [text for text in traffic.sent["a"] if text not in waiting][: answer["recovered"]]
    await sink.until(lambda sink: accepted_by(sink, hook) >= len(waiting) + len(rest))
    assert accepted(sink, "a") == waiting + rest
    assert len(rest) > 40


def accepted_by(sink: Sink, hook: dict[str, Any]) -> int:
    return len([got for got in sink.accepted if got.path == "/hook"])
