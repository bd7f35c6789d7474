"""What an answer of the receiver means, through the whole gateway."""

from __future__ import annotations

import socket
from typing import Any

import psutil
import pytest
import trio

from tests.gateway import GatewayProcess, gateway
from tests.inprocess import Json, gaps, moment, running_gateway
from tests.sink import Got, Script, Sink, https_sink

MEGABYTE = 1024 * 1024
Wire = trio.SSLStream[trio.SocketStream]
MOMENT = 20
"""Seconds that an attempt may have taken."""
SHORT = {"delivery": {"timeout": "2s", "allow_networks": ["127.0.0.0/8"]}}


def answering(by_text: dict[str, list[Any]]) -> Script:
    """The next answers for each text; 200 when there are none left."""

    def script(got: Got) -> Any:
        answers = by_text.get(got.json["content"])
        return answers.pop(0) if answers else 200

    return script


def texts(sink: Sink, chat: str = "") -> list[str]:
    return [got.json["content"] for got in sink.got if chat in got.json["chat"]]


def wait_before_next(event: Json) -> float:
    """Seconds from the start of the latest attempt to when the next is due."""
    return (moment(event["next_retry_at"]) - moment(event["attempts"][-1]["started_at"])).total_seconds()


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first wait is a minute instead of 5 s, and so on: no try comes by itself while a test looks."""
    monkeypatch.setattr("wagate.rules.settle.FIRST_WAIT", 60.0)


@pytest.mark.usefixtures("minutes")
async def test_server_errors_are_tried_again_on_time_while_only_their_chat_waits() -> None:
    async with (
        https_sink(answering({"a1": [500, 500]})) as sink,
        running_gateway(ca_file=sink.ca_file) as gateway,
    ):
        hook = await gateway.register(sink.url)
        await gateway.post("a1", chat="+15550000001")
        row = await gateway.event(hook, "a1", attempts=1)
        assert 60 <= wait_before_next(row) <= 72 + MOMENT, "and up to a fifth more, after an attempt"
        await gateway.post("a2", chat="+15550000001")
        await gateway.post("b1", chat="+15550000002")
        await sink.until_accepted(1)
        await gateway.passes(30)
        assert texts(sink) == ["a1", "b1"]
        await gateway.passes_until(lambda: texts(sink, "0001") == ["a1", "a1"], step=6, most=60)
        row = await gateway.event(hook, "a1", attempts=2)
        assert (row["status"], row["error"], row["http_status"]) == ("pending", "Server error (500)", 500)
        assert 120 <= wait_before_next(row) <= 144 + MOMENT, "the double"
        await gateway.post("b2", chat="+15550000002")
        await sink.until_accepted(2)
        await gateway.passes(60, step=30)
        assert texts(sink, "0001") == ["a1", "a1"]
        await gateway.passes_until(lambda: len(texts(sink, "0001")) == 4, step=6, most=120)
        row = await gateway.event(hook, "a1", "delivered")
        assert [each["http_status"] for each in row["attempts"]] == [500, 500, 200]
        first, second = gaps(row)
        assert first >= 60
        assert second >= 120
        assert (row["attempt_count"], row["error"], row["http_status"]) == (3, None, 200)
        assert texts(sink, "0001") == ["a1", "a1", "a1", "a2"]
        assert texts(sink, "0002") == ["b1", "b2"]
        shown = await gateway.webhook(hook)
        assert (shown["status"], shown["failure_count"]) == ("active", 0)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("status", [408, 425, 429])
async def test_a_receiver_that_asks_to_come_back_is_asked_again(status: int) -> None:
    async with (
        https_sink(answering({"a1": [status]})) as sink,
        running_gateway(ca_file=sink.ca_file) as gateway,
    ):
        hook = await gateway.register(sink.url)
        await gateway.post("a1")
        row = await gateway.event(hook, "a1", "pending", attempts=1)
        assert row["error"] == f"Client error ({status})"
        await gateway.passes(72.1)
        row = await gateway.event(hook, "a1", "delivered")
        assert (len(row["attempts"]), row["attempt_count"]) == (2, 1)


async def test_retry_after_is_honoured() -> None:
    async with (
        https_sink(answering({"a1": [(429, {"retry-after": "600"})]})) as sink,
        running_gateway(ca_file=sink.ca_file) as gateway,
    ):
        hook = await gateway.register(sink.url)
        await gateway.post("a1")
        row = await gateway.event(hook, "a1", "pending", attempts=1)
        assert 600 <= wait_before_next(row) < 600 + MOMENT
        await gateway.passes(540, step=108)
        assert len(sink.got) == 1
        await gateway.passes(61)
        row = await gateway.event(hook, "a1", "delivered")
        assert gaps(row)[0] >= 600


@pytest.mark.parametrize(
    ("status", "error", "health"),
    [
        (410, "Client error (410)", "disabled"),
        (404, "Client error (404)", "failed"),
        (301, "Redirect (301) not followed", "failed"),
    ],
)
async def test_a_refusal_is_final_at_once_and_gone_disables(status: int, error: str, health: str) -> None:
    script = answering({"a1": [(status, {"location": "/elsewhere"})]})
    async with https_sink(script) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        await gateway.post("a1")
        row = await gateway.event(hook, "a1", "failed")
        assert (row["attempt_count"], row["error"], row["next_retry_at"]) == (1, error, None)
        shown = await gateway.webhook(hook)
        assert (shown["status"], shown["is_active"]) == (health, health != "disabled")
        assert (shown["failure_count"], shown["last_error"]) == (1, error)
        await gateway.passes(1)
        await gateway.post("a2")
        if health == "disabled":
            await gateway.passes(3600, step=600)
            assert texts(sink) == ["a1"]
            assert len(await gateway.events(hook)) == 1, "what comes later is not for it"
        else:
            await sink.until_accepted(1)
            await gateway.passes(3600, step=600)
            assert texts(sink) == ["a1", "a2"], "what was refused is never tried again by itself"
            shown = await gateway.webhook(hook)
            assert (shown["status"], shown["failure_count"]) == ("active", 0)
        assert {got.path for got in sink.got} == {"/hook"}


async def test_a_port_on_which_nobody_listens_is_told_by_the_name_of_its_error() -> None:
    # Held, but nobody listens on it.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        await assert_refused_connection(held.getsockname()[1])


async def assert_refused_connection(port: int) -> None:
    async with running_gateway() as gateway:
        hook = await gateway.register(f"https://localhost:{port}/hook")
        await gateway.post("a1")
        row = await gateway.event(hook, "a1", "pending", attempts=1)
        assert row["error"].startswith("ECONNREFUSED")
        assert (row["http_status"], row["response"]) == (None, None)


async def drip(wire: Wire) -> None:
    """A head that takes a minute and a half."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: " + 60 * b"x":
        await wire.send_all(bytes([byte]))
        await trio.sleep(1)


async def drip_body(wire: Wire) -> None:
    """A status line with the first byte at once, and a body that takes a minute."""
    await wire.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nx")
    for _ in range(59):
        await trio.sleep(1)
        await wire.send_all(b"x")


async def flood(wire: Wire) -> None:
    """A body of 1 GB."""
    await wire.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        await wire.send_all(bytes(MEGABYTE))


async def test_a_dripping_receiver_is_cut_when_the_time_of_all_is_up() -> None:
    async with (
        https_sink(converse=drip) as sink,
        running_gateway(SHORT, ca_file=sink.ca_file) as running,
    ):
        hook = await running.register(sink.url)
        await running.post("a1")
        row = await running.event(hook, "a1", "pending", attempts=1)
    assert row["error"].startswith("Connection timeout")
    assert 1900 <= row["attempts"][0]["duration_ms"] < 90_000, "cut before the receiver was done"


async def test_a_dripping_body_takes_its_time_only_and_the_status_counts() -> None:
    async with (
        https_sink(converse=drip_body) as sink,
        running_gateway(SHORT, ca_file=sink.ca_file) as running,
    ):
        hook = await running.register(sink.url)
        await running.post("a1")
        row = await running.event(hook, "a1", "delivered")
    # A machine that stands still may cost tries before: in none of them a status came.
    *before, last = row["attempts"]
    assert (row["http_status"], last["http_status"]) == (200, 200)
    assert {each["http_status"] for each in before} <= {None}
    assert 1900 <= last["duration_ms"] < 60_000, "cut before the receiver was done"
    assert set(row["response"]) == {"x"}


async def test_a_response_of_a_gigabyte_costs_no_memory() -> None:
    async with (
        https_sink(converse=flood) as sink,
        gateway({"delivery": {"timeout": "60s"}}, ca_file=sink.ca_file) as server,
    ):
        wanted = {"phone_number": "*", "webhook_url": sink.url}
        hook = (await server.http.post("/api/webhooks/register", json=wanted)).json()
        await post(server, "warm up")
        await delivered(server, hook, 1)
        before = memory(server)
        for number in range(5):
            await post(server, f"m{number}")
        rows = await delivered(server, hook, 6)
        grown = memory(server) - before
    assert grown < 64 * MEGABYTE, "of five bodies of 1024"
    assert {row["http_status"] for row in rows} == {200}
    assert {len(row["response"]) for row in rows} == {20_000}


def memory(server: GatewayProcess) -> int:
    assert server.process is not None
    # Not its share of what others use too: that grows when they end.
    rss: int = psutil.Process(server.process.pid).memory_info().rss
    return rss


async def post(server: GatewayProcess, text: str) -> None:
    body = {"from": f"+1555000{len(text)}", "message": text, "message_id": text, "tenant_id": "default"}
    assert (await server.http.post("/webhook/inbound", json=body)).status_code == 202


async def delivered(server: GatewayProcess, hook: dict[str, Any], count: int) -> list[dict[str, Any]]:
    with trio.fail_after(60):
        while True:
            rows: list[dict[str, Any]] = (await server.http.get(f"/api/webhooks/{hook['id']}/events")).json()["data"]
            if [row["status"] for row in rows] == count * ["delivered"]:
                return rows
            await trio.sleep(0.05)
