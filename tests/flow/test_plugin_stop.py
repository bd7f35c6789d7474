"""Plugins that hang or break at the start and at the stop of a real process: it ends, and says who it was."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.gateway import GatewayProcess

pytestmark = pytest.mark.timeout(200)

HEAD = """
import os, sys, time
from contextlib import asynccontextmanager
import trio
from wagate.hooks import Handler, Target, hookimpl
"""
DRAIN = {"server": {"drain": "1s"}}
SOON = {"wagate.process.app.GRACE": 2.0, "wagate.process.lifespans.STOP": 0.5}
"""Seconds in place of 15 and 5, where the end is what a test waits for."""


@asynccontextmanager
async def gateway_with(source: str) -> AsyncIterator[GatewayProcess]:
    """A gateway, not started, with an installed plugin of this source."""
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        folder = Path(name)
        info = folder / "site/wagate_bad-0.1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wagate-bad\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text("[wagate]\nbad = wagate_bad\n")
        (folder / "site/wagate_bad.py").write_text(HEAD + source)
        paths = os.pathsep.join([str(folder / "site"), os.environ.get("PYTHONPATH", "")])
        process = GatewayProcess(folder, DRAIN | {"plugins.bad": {}}, {"PYTHONPATH": paths})
        try:
            yield process
        finally:
            with trio.CancelScope(shield=True):
                await process.close()


async def ended(gateway: GatewayProcess) -> int:
    """The exit code of a process that ends by itself."""
    process = gateway.spawn()
    with trio.fail_after(90):
        return await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)


async def until_logged(gateway: GatewayProcess, text: str) -> None:
    with trio.fail_after(60):
        while not gateway.log.exists() or text not in gateway.log.read_text(errors="replace"):
            await trio.sleep(0.02)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "@hookimpl\ndef register_handlers(context):\n    return ['a']",
            "wagate: plugin bad: register_handlers gave str, not Handler",
        ),
        (
            "@hookimpl\ndef register_tasks(context):\n    raise KeyError('a secret')",
            "wagate: plugin bad: register_tasks raised KeyError (wagate_bad.py:8)",
        ),
        (
            "@hookimpl\ndef register_routes(context):\n    sys.exit(3)",
            "wagate: plugin bad: register_routes raised SystemExit (wagate_bad.py:8)",
        ),
        (
            "@hookimpl\ndef settings_type():\n    return dict",
            "wagate: plugin bad: settings_type gave type, no struct type",
        ),
        (
            "@hookimpl\ndef lifespan(context):\n    return 5",
            "wagate: plugin bad: lifespan gave int, no async context manager",
        ),
        (
            "@hookimpl\n@asynccontextmanager\nasync def lifespan(context):\n    raise KeyError('a secret')\n    yield",
            "wagate: plugin bad: lifespan raised KeyError (wagate_bad.py:9)",
        ),
    ],
    ids=["handlers", "tasks", "routes", "settings", "lifespan", "lifespan raises"],
)
async def test_an_error_at_the_start_is_one_line_with_the_plugins_name(source: str, said: str) -> None:
    async with gateway_with(source) as gateway:
        assert await ended(gateway) == 1
        lines = gateway.log.read_text().splitlines()
    assert [line for line in lines if line.startswith("wagate: ")] == [said]
    assert not [line for line in lines if line.startswith("Traceback")]


NEVER_BEGINS = """
@hookimpl
@asynccontextmanager
async def lifespan(context):
    context.log.warning("waiting")
    await trio.sleep_forever()
    yield
"""


async def test_a_lifespan_that_never_begins_ends_by_sigterm() -> None:
    async with gateway_with(NEVER_BEGINS) as gateway:
        gateway.spawn()
        await until_logged(gateway, "waiting")
        assert await gateway.stop(wait=30) == 0
        assert not gateway.logged("stop took too long")


async def test_a_lifespan_that_never_ends_is_cut_off_by_name() -> None:
    source = """
@hookimpl
@asynccontextmanager
async def lifespan(context):
    yield
    await trio.sleep_forever()
"""
    async with gateway_with(source) as gateway:
        gateway.constants = SOON
        await gateway.start()
        assert await gateway.stop(wait=30) == 0
        [line] = gateway.logged("lifespan cut off")
        assert line["plugin"] == "bad"


async def test_a_lifespan_that_breaks_while_it_serves_stops_nobody() -> None:
    source = """
@hookimpl
@asynccontextmanager
async def lifespan(context):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(breaks)
        yield

async def breaks():
    raise KeyError("a secret")
"""
    async with gateway_with(source) as gateway:
        await gateway.start()
        await until_logged(gateway, "lifespan failed")
        assert (await gateway.http.get("/ping")).status_code == 200
        assert await gateway.stop(wait=30) == 0
        [line] = gateway.logged("lifespan failed")
        assert (line["plugin"], line["error"]) == ("bad", "lifespan raised KeyError (wagate_bad.py:15)")


async def test_a_handler_that_will_not_be_cancelled_is_named_at_the_hard_end() -> None:
    source = """
async def handle(delivery):
    while True:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            await obstinate()

async def obstinate():
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

@hookimpl
def register_handlers(context):
    return [Handler(name="bad", targets=lambda event: [Target(id="a")], handle=handle)]
"""
    async with gateway_with(source) as gateway:
        gateway.constants = SOON
        await gateway.start()
        message = {"from": "+15550000512", "message": "hello", "tenant_id": "default"}
        assert (await gateway.http.post("/webhook/inbound", json=message)).status_code == 202
        with trio.fail_after(30):
            while (await gateway.http.get("/api/jobs")).json()["data"][0]["status"] != "delivering":
                await trio.sleep(0.02)
        assert await gateway.stop(wait=40) == 1
        [line] = gateway.logged("stop took too long")
        assert line["seconds"] == 1 + 2
        assert [each for each in line["held_by"] if each.startswith("wagate_bad: ") and " obstinate " in each]


async def test_code_that_blocks_the_loop_is_named_at_the_hard_end() -> None:
    source = """
@hookimpl
@asynccontextmanager
async def lifespan(context):
    context.log.warning("waiting")
    blocks()
    yield

def blocks():
    while True:
        time.sleep(0.1)
"""
    async with gateway_with(source) as gateway:
        gateway.constants = SOON
        gateway.spawn()
        await until_logged(gateway, "waiting")
        assert await gateway.stop(wait=40) == 1
        [line] = gateway.logged("stop took too long")
        assert line["seconds"] == 1 + 2
        assert line["held_by"][0].startswith("wagate_bad: ")
        assert " blocks (in the loop's thread)" in line["held_by"][0]


async def test_a_lifespan_that_never_begins_ends_when_its_terminal_closes() -> None:
    ours, theirs = os.openpty()
    async with gateway_with(NEVER_BEGINS) as gateway:
        process = gateway.spawn(terminal=theirs)
        os.close(theirs)
        await until_logged(gateway, "waiting")
        os.close(ours)
        os.kill(process.pid, signal.SIGHUP)
        with trio.fail_after(30):
            assert await trio.to_thread.run_sync(process.wait) == 0


ENDS_WHEN_ALLOWED = """
@hookimpl
@asynccontextmanager
async def lifespan(context):
    yield
    context.log.warning("at its end")
    while not os.path.exists("go"):
        await trio.sleep(0.02)
"""


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_signal_after_the_apis_stop_lets_it_run_and_a_second_one_ends_it(signals: int) -> None:
    async with gateway_with(ENDS_WHEN_ALLOWED) as gateway:
        await gateway.start()
        assert (await gateway.http.post("/api/server/stop")).status_code == 201
        await until_logged(gateway, "at its end")
        process = gateway.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(30):
            while len(gateway.logged("stopping")) < 2:
                assert process.poll() is None, gateway.tail()
                await trio.sleep(0.02)
        if signals == 1:
            (gateway.folder / "go").touch()
        else:
            process.send_signal(signal.SIGTERM)
        with trio.fail_after(30):
            code = await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
        assert (code, len(gateway.logged("stopped"))) == ((0, 1) if signals == 1 else (1, 0)), gateway.tail()
