"""The gateway is killed, or stopped while its database takes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

import httpx2
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


async def wide(size: Size) -> str:
    """Events for very many receivers; kill the gateway while some of their deliveries are still to be stored."""
    hooks, kills, events = size.of(650, 5000), size.of(1, 6), 3
    texts = [f"{turn}:{number}" for turn in range(kills) for number in range(events)]
    cut = 0
    async with https_sink() as sink, gateway({"delivery": {"timeout": "60s"}}, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        assert await server.stop() == 0
        db = sqlite3.connect(server.folder / "data" / FILE, isolation_level=None, timeout=30)
        copy_webhooks(db, hooks)
        await server.start()
        for turn in range(kills):
            mine = texts[turn * events : (turn + 1) * events]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(unless_killed, server, mine)
                with trio.move_on_after(20):
                    while not db.execute("SELECT count(*) FROM later").fetchone()[0]:
                        await trio.sleep(0.001)
                server.kill()
                nursery.cancel_scope.cancel()
            cut += db.execute("SELECT count(*) FROM later").fetchone()[0] > 0
            await server.start()
            for text in mine:  # What was not answered comes again, and is a duplicate if it was stored.
                await post(server, text, "+15550000001")
        wanted = hooks * len(texts)
        await sink.until(lambda sink: len({(got.path, text_of(got)) for got in sink.accepted}) == wanted, 250)
        text = "SELECT count(*), count(DISTINCT event_id || target_id) FROM deliveries WHERE mode = 'push'"
        stored = db.execute(text).fetchone()
        db.close()
    assert stored == (wanted, wanted), f"{stored} stored"
    assert cut, "no kill came in time"
    came: dict[str, list[str]] = {}
    for got in sink.accepted:
        at = came.setdefault(got.path, [])
        if text_of(got) not in at[-1:]:
            at.append(text_of(got))
    wrong = [at for at in came.values() if at != texts]
    assert not wrong, f"{len(wrong)} receivers: {wrong[0]}"
    return f"{cut} of {kills} kills between slices: {stored[0]} deliveries, each stored once, all in order"


async def unless_killed(server: GatewayProcess, texts: list[str]) -> None:
    with suppress(httpx2.HTTPError):
        for text in texts:
            await post(server, text, "+15550000001")


def copy_webhooks(db: sqlite3.Connection, count: int) -> None:
    """So many in place of one, each with a path of its own."""
    named = [row[1] for row in db.execute("PRAGMA table_info(webhooks)")]
    values = ", ".join(
        {"id": "id || :n", "name": "name || :n", "webhook_url": "webhook_url || '/' || :n"}.get(each, each)
        for each in named
    )
    db.execute("BEGIN")
    text = f"INSERT INTO webhooks ({', '.join(named)}) SELECT {values} FROM webhooks WHERE id = :id"
    first = db.execute("SELECT id FROM webhooks").fetchone()[0]
    db.executemany(text, [{"n": number, "id": first} for number in range(count)])
    db.execute("DELETE FROM webhooks WHERE id = ?", (first,))
    db.execute("COMMIT")


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
    Scenario(
        name="wide",
        fault="the gateway is killed while an event for thousands of receivers is stored in slices",
        promise="each receiver gets it, in order, and no delivery is stored twice",
        run=wide,
    ),
)
