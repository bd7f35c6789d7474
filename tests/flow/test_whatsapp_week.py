"""A linked number that nobody uses for a week, by the clock that jumps: nothing piles up, and it works as before.

The week is the gateway's. Its engine is another process, whose clock does not jump.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from tests.effort import effort
from tests.inprocess import Gateway, running_gateway
from tests.sink import authority, https_sink
from tests.whatsapp_site import ANA, OURS, engine_pid, redirected
from wagate.testing.whatsapp import running_whatsapp

HOUR = 3600.0
WEEK = 7 * 24
STEP = effort(4, 1) * HOUR
"""What is done each hour is done once a step: many more times than what may be left over."""
MB = 1024 * 1024
pytestmark = pytest.mark.timeout(300)


async def session(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.ask("GET", "/api/whatsapp/session/status/main"))["data"]
    return found


async def engine(gateway: Gateway) -> dict[str, str]:
    """What the doctor says of it."""
    report = (await gateway.ask("GET", "/api/doctor"))["data"]
    return {each["what"]: each["detail"] for each in report if each["what"] in {"engine", "session"}}


def held(gateway: Gateway) -> dict[str, int]:
    """What could pile up: tasks, waits on the clock, threads and descriptors of both, bytes of the number's spool."""
    ours, child = psutil.Process(), psutil.Process(engine_pid())
    spools = (gateway.folder / "data" / "engine").rglob("spool")
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "waits": len(gateway.clock._waits),
        "threads": ours.num_threads(),
        "descriptors": ours.num_fds(),
        "engine's threads": child.num_threads(),
        "engine's descriptors": child.num_fds(),
        "spool": sum(each.stat().st_size for each in spools),
    }


async def test_a_week_without_a_message_changes_nothing(tmp_path: Path) -> None:
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with running_whatsapp(tmp_path, authority()) as fake, https_sink() as sink:
        account = {"provider": "whatsapp", "proxy": fake.proxy, "typing": False}
        fake.server.person(ANA)
        world = fake.world(OURS)  # one, for its messages have numbers
        with redirected(fake):
            async with running_gateway({"accounts.main": account}, ca_file=tmp_path / "ca.pem") as gateway:
                await gateway.register(sink.url)

                async def scannable() -> bool:
                    return bool((await session(gateway))["needsQR"])

                async def connected() -> bool:
                    return bool((await session(gateway))["isConnected"])

                async def both_ways(text: str) -> None:
                    await world.text(ANA, text)
                    await sink.until(lambda _: text in [each.json.get("content") for each in sink.accepted])
                    body = {"to": ANA, "message": f"{text} too", "account": "main", "tenant_id": "default"}
                    assert (await gateway.ask("POST", "/messages/send", json=body))["status"] == "sent"
                    assert fake.server.messages[-1].text == f"{text} too"

                await gateway.until(scannable)
                await fake.server.scan((await session(gateway))["qr"], OURS)
                await gateway.until(connected)
                await both_ways("before")
                await gateway.passes(2 * HOUR, step=HOUR)  # for what is done once
                pid, logins, before, told = engine_pid(), fake.server.logins, held(gateway), len(sink.accepted)
                memory = psutil.Process(pid).memory_info().rss
                await gateway.passes(WEEK * HOUR, step=STEP)
                after = held(gateway)
                print("\n", before, after, psutil.Process(pid).memory_info().rss - memory)
                assert (engine_pid(), fake.server.logins) == (pid, logins)
                assert await connected()
                # What piles up each hour, or each day, is more than some that this process opened and has yet to close.
                assert all(after[what] <= before[what] + WEEK // 28 for what in before), (before, after)
                assert after["spool"] == 0
                assert psutil.Process(pid).memory_info().rss - memory < 5 * MB
                assert len(sink.accepted) == told
                said = await engine(gateway)
                assert "0 events waiting, died 0 times" in said["engine"]
                assert "restarted 0 times" in said["session"]
                await both_ways("after")
                assert fake.server.errors == []
