"""The engine's process: however it ends, who was talking to it goes on."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from wagate.clock import Clock
from wagate_whatsapp import engine as engine_module
from wagate_whatsapp import process
from wagate_whatsapp.engine import Engine, _pause
from wagate_whatsapp.pairing import LONGEST_PAUSE, pause_after
from wagate_whatsapp.process import ChildProcess, EngineDiedError

DEAD = "http://127.0.0.1:9"
"""A proxy that is not there."""


@pytest.mark.parametrize("ends", [True, False])
async def test_it_is_closed_while_somebody_is_talking_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    """It was killed with something unread, or reads nothing any more; both once cost a number its connection."""
    monkeypatch.setattr(process, "LEAVE_PATIENCE", 0.2)
    ours, theirs = socket.socketpair()
    hung = await trio.lowlevel.open_process(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[theirs.fileno()]
    )
    theirs.close()
    child = ChildProcess(hung, trio.SocketStream(trio.socket.from_stdlib_socket(ours)), tmp_path / "log")
    errors: list[Exception] = []

    async def talk() -> None:
        try:
            await child.ask("send", text="x" * 10_000_000)
        except EngineDiedError as error:
            errors.append(error)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            await trio.testing.wait_all_tasks_blocked()
            assert not errors
            if ends:
                hung.kill()
            await child.close()
    assert len(errors) == 1
    assert hung.returncode is not None
    child.free()


async def test_a_request_that_ran_out_of_time_while_it_was_written_is_whole(tmp_path: Path) -> None:
    """Half a line would end the process, and with it the connections of all numbers."""
    ours, theirs = socket.socketpair()
    quiet = await trio.lowlevel.open_process([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    child = ChildProcess(quiet, trio.SocketStream(trio.socket.from_stdlib_socket(ours)), tmp_path / "log")
    with pytest.raises(trio.TooSlowError):
        await child.ask("send", patience=0.05, text="x" * 1_000_000)
    with pytest.raises(trio.TooSlowError):  # nothing of it has left: nothing of it may be done
        await child.ask("send", patience=0.05, text="not this")
    reader = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    read = b""
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.seen, "main", 7)
            while read.count(b"\n") < 2:
                read += await reader.receive_some()
    lines = [json.loads(each) for each in read.splitlines()]
    assert lines == [{"ask": 1, "do": "send", "text": "x" * 1_000_000}, {"seen": 7, "session": "main"}]
    quiet.kill()
    await quiet.wait()
    child.free()
    await reader.aclose()


def test_the_pause_between_two_starts_stays_however_often_it_dies() -> None:
    assert [_pause(each) for each in (1, 2, 3, 5, 9, 5_000)] == [0.0, 0.5, 1.0, 4.0, 30.0, 30.0]
    assert pause_after(5_000) == LONGEST_PAUSE


async def test_an_engine_that_was_renewed_is_up_again_at_once_and_counts_no_death(tmp_path: Path) -> None:
    engine = Engine(lambda: tmp_path, Clock(), structlog.get_logger())
    with trio.fail_after(120):
        async with engine.lifespan():
            first = await engine.child()
            (tmp_path / "acc").mkdir()
            spent = [
                (await first.ask("start", session="acc", folder=str(tmp_path / "acc"), anew=True, proxy=DEAD))["spent"]
                for _ in range(3)
            ]
            assert spent == [0, 1, 2]
            first.retire()
            await first.ended.wait()
            second = await engine.child()
            assert second.pid != first.pid
            assert engine.deaths == 0
            second.kill()
            await second.ended.wait()
            await engine.child()
            assert engine.deaths == 1


async def test_its_log_is_emptied_when_it_has_grown_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "LOG_LOOK", 0.05)
    log = tmp_path / "engine.log"
    engine = Engine(lambda: tmp_path, Clock(), structlog.get_logger())
    with trio.fail_after(120):
        async with engine.lifespan():
            first = await engine.child()
            with log.open("ab") as file:
                file.write(b"x" * process.LARGEST_LOG)
            while log.stat().st_size >= process.LARGEST_LOG:
                await trio.sleep(0.01)
            flags = re.search(r"flags:\s+(\d+)", Path(f"/proc/{first.pid}/fdinfo/1").read_text())
            assert flags is not None
            assert int(flags[1], 8) & os.O_APPEND, "it would go on where it was, behind a hole"
            assert (await engine.child()).pid == first.pid
