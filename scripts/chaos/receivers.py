"""A receiver takes so much and no more, or the gateway is killed while it looks whether one is back."""

from __future__ import annotations

import trio

from scripts.chaos.kills import jobs, until_all
from scripts.chaos.scenario import Scenario, Size
from scripts.chaos.standstill import post
from tests.gateway import gateway, register
from tests.proof import text_of
from tests.sink import Got, https_sink

RATE = 20.0
"""Messages a second that the receiver of `limited` takes."""
SOON = 30.0
"""Seconds: a claim that outlived its process would hold its target for 120."""
CHATS = 12
"""Of `killed_probe`: ten failures are a target that is down."""


async def limited(size: Size) -> str:
    """A receiver takes so many a second and refuses the others; far more is offered."""
    refused, room, at = 0, RATE / 4, 0.0

    def script(got: Got) -> int | tuple[int, dict[str, str]]:
        nonlocal refused, room, at
        room, at = min(RATE / 4, room + (got.at - at) * RATE), got.at
        if room < 1:
            refused += 1
            return 429, {"Retry-After": "1"}
        room -= 1
        return 200

    chats, each = 10, size.of(10, 120)
    wanted = {f"{chat}:{place:03}" for chat in range(chats) for place in range(each)}
    async with https_sink(script) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        began = trio.current_time()
        for place in range(each):
            for chat in range(chats):
                await post(server, f"{chat}:{place:03}", f"+1555000{chat:04}")
        await until_all(sink, wanted, 3 * len(wanted) / RATE + SOON)
        took = trio.current_time() - began
        assert not await jobs(server, status="failed")
        assert sink.duplicates == 0
    for chat in range(chats):
        came = [text_of(got) for got in sink.accepted if text_of(got).startswith(f"{chat}:")]
        assert came == sorted(came), f"chat {chat}: {came}"
    return f"{len(wanted)} in order within {took:.0f} s, {len(wanted) / took / RATE:.0%} of its rate; {refused} refused"


async def killed_probe(size: Size) -> str:
    """Kill the gateway while it probes a target that is down; after the start the target is well."""
    down = False

    def script(_got: Got) -> int:
        return 503 if down else 200

    took = []
    for _ in range(size.of(1, 4)):
        down = False
        async with https_sink(script, delay=0.5) as sink, gateway(ca_file=sink.ca_file) as server:
            await register(server, sink.url)
            await post(server, "before", "+15550009999")
            await sink.until_accepted(1)  # One that answered shortly before it went down is probed soon.
            down = True
            for chat in range(CHATS):
                await post(server, f"{chat}:0", f"+1555000{chat:04}")
            with trio.fail_after(120):
                while not server.logged("target is down"):
                    await trio.sleep(0.1)
            await sink.until(lambda sink: bool(sink.running), 120)
            server.kill()
            down, began = False, trio.current_time()
            await server.start()
            await until_all(sink, {f"{chat}:0" for chat in range(CHATS)}, SOON)
            took.append(trio.current_time() - began)
    return f"all had arrived {max(took):.0f} s after the kill, with the start"


RECEIVERS = (
    Scenario(
        name="limited",
        fault="a receiver limits its rate, and far more is offered",
        promise="nothing fails, each chat stays in order, most of the rate is used",
        run=limited,
    ),
    Scenario(
        name="killed-probe",
        fault="the gateway is killed while it probes a target that is down",
        promise="the probe's claim ends with it: what waits goes on soon after the start",
        run=killed_probe,
    ),
)
