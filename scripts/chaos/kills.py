"""The gateway is killed, or stopped while its database takes nothing."""

from __future__ import annotations

import sqlite3
from typing import Any

import trio

from scripts.chaos.scenario import Scenario, Size
from scripts.chaos.standstill import post
from tests.gateway import GatewayProcess, gateway, register
from tests.proof import text_of
from tests.sink import Got, Sink, https_sink
from wagate.consumers.spool import NAME
from wagate.storage.database import FILE

GUILTY = "guilty"


async def slow_receiver(size: Size) -> str:
    """Kill the gateway again and again while the same deliveries are under way: none is given up for it."""
    chats, kills = size.of(8, 40), size.of(5, 12)
    async with https_sink(delay=2.0) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        for chat in range(chats):
            await post(server, f"{chat}:0", f"+1555000{chat:04}")
            await post(server, f"{chat}:1", f"+1555000{chat:04}")
        for _ in range(kills):
            await sink.until_running()
            await trio.sleep(size.dice.uniform(0.1, 1.0))
            server.kill()
            await server.start()
        began = trio.current_time()
        await until_all(sink, {f"{chat}:{place}" for chat in range(chats) for place in (0, 1)}, 120)
        took = trio.current_time() - began
        assert not await needing_somebody(server)
        assert not await jobs(server, status="failed")
    for chat in range(chats):
        first = [text_of(got) for got in sink.accepted if text_of(got).startswith(f"{chat}:")]
        assert first == sorted(first), f"chat {chat}: {first}"
    return f"{kills} kills with {chats} deliveries under way: all {2 * chats} arrived within {took:.0f} s, in order"


async def guilty(size: Size) -> str:
    """One delivery kills every process that tries it: it alone is held, and the others arrive."""
    chats = size.of(3, 30)
    deaths = 0

    def script(got: Got) -> int:
        nonlocal deaths
        if text_of(got) == GUILTY:
            server.kill()
            deaths += 1
        return 200

    async with https_sink(script, delay=0.3) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        await post(server, GUILTY, "+15550009999")
        for chat in range(chats):
            await post(server, f"{chat}:0", f"+1555000{chat:04}")
        with trio.fail_after(size.of(120, 280)):
            while not (held := await needing_somebody(server)):
                if server.process is not None and server.process.poll() is not None:
                    server.spawn()
                await trio.sleep(0.1)
        await until_all(sink, {f"{chat}:0" for chat in range(chats)}, 60)
        failed = [job["content"] for job in await jobs(server, status="failed")]
        assert (held, failed) == ([GUILTY], [GUILTY]), f"held {held}, failed {failed}"
    return f"held after {deaths} deaths; the other {chats} arrived"


async def locked_stop(size: Size) -> str:
    """SIGTERM while somebody holds SQLite's write lock for longer than the drain."""
    count, turns = size.of(6, 40), size.of(1, 3)
    return "; ".join([await _stopped_while_locked(count, spoils=spoils) for spoils in (False, True) * turns])


async def _stopped_while_locked(chats: int, *, spoils: bool) -> str:
    """``spoils``: the file for outcomes can't be written either."""
    tables = {"server": {"drain": "2s"}}
    async with https_sink(delay=1.0) as sink, gateway(tables, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        for chat in range(chats):
            await post(server, f"{chat}:0", f"+1555000{chat:04}")
        await sink.until(lambda sink: sink.running + len(sink.accepted) >= chats)
        done_before = len(sink.accepted)
        spool = server.folder / "data" / NAME
        if spoils:
            spool.mkdir()
        lock = sqlite3.connect(server.folder / "data" / FILE, isolation_level=None, timeout=10)
        lock.execute("BEGIN IMMEDIATE")
        code = await server.stop()
        await sink.until_accepted(chats)
        lock.execute("ROLLBACK")
        lock.close()
        kept = 0 if spoils else len(spool.read_text().splitlines())
        if spoils:
            spool.rmdir()
        await server.start()
        await until_settled(server)
        twice = sink.duplicates
    assert code == (1 if spoils and done_before < chats else 0), f"exit code {code}"
    assert spoils or not twice, f"{twice} of {chats} came twice"
    return f"{chats} under way{', no file' if spoils else ''}: {kept} outcomes kept, {twice} repeats, exit code {code}"


async def until_settled(server: GatewayProcess) -> None:
    """Until nothing waits."""
    with trio.fail_after(60):
        while any([await jobs(server, connector="webhook", status=each) for each in ("pending", "delivering")]):
            await trio.sleep(0.1)


async def until_all(sink: Sink, texts: set[str], seconds: float) -> None:
    """Until each of these has arrived."""
    await sink.until(lambda sink: texts <= {text_of(got) for got in sink.accepted}, seconds)


async def jobs(server: GatewayProcess, **which: Any) -> list[dict[str, Any]]:
    """Deliveries, by the API."""
    answer = await server.http.get("/api/jobs", params={"limit": 200, **which})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def needing_somebody(server: GatewayProcess) -> list[str]:
    """Texts of deliveries that are held for somebody; none while the gateway is away."""
    if server.process is None or server.process.poll() is not None:
        return []
    try:
        return [job["content"] for job in await jobs(server, stuck="true")]
    except Exception:  # noqa: BLE001  (it was killed meanwhile)
        return []


KILLS = (
    Scenario(
        name="kills",
        fault="the gateway is killed again and again beside a slow receiver",
        promise="no delivery is given up for it, each chat stays in order",
        run=slow_receiver,
    ),
    Scenario(
        name="guilty",
        fault="one delivery kills every process that tries it",
        promise="it alone is held and shown as stuck, the others arrive",
        run=guilty,
    ),
    Scenario(
        name="locked-stop",
        fault="SIGTERM while SQLite is locked past the drain",
        promise="nothing is repeated, or the exit code is 1",
        run=locked_stop,
    ),
)
