"""The engine's process: however it ends, who was talking to it goes on."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from wagate_whatsapp import process
from wagate_whatsapp.process import ChildProcess, EngineDiedError


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
