"""The file with a number's keys: nobody else can read it, and a kill of the engine under load leaves it whole."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

from tests.effort import effort
from tests.whatsapp_site import ANA, Site, connected, engine_pid, send, site
from wagate.errors import NotSentError, OutcomeUnknownError

KILLS = effort(2, 10)
BEFORE = 15
"""Messages that came in before each kill."""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """What each file may be, by name."""
    return {each.name: f"{each.stat().st_mode & 0o777:o}" for each in folder.iterdir()}


@pytest.mark.parametrize("mask", [0o000, 0o022])
async def test_nobody_else_reads_the_keys_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        async with site(tmp_path) as here, here.listening() as inlet:
            await here.link(inlet)
            await here.world.text(ANA, "hello")
            await inlet.until(lambda: inlet.texts == ["hello"])
            folder = here.folder / here.account.id
            assert f"{folder.stat().st_mode & 0o777:o}" == "700"
            found = modes(folder)
            assert {"session.db", "session.db-wal", "session.db-shm", "spool", "linked.json"} <= set(found)
            assert set(found.values()) == {"600"}, found


async def test_a_kill_under_load_leaves_the_keys_whole_and_the_number_linked(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        for round_ in range(KILLS):
            kept = tmp_path / f"kept {round_}"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write_and_send, here)
                count = len(inlet.texts) + BEFORE
                await inlet.until(lambda count=count: len(inlet.texts) >= count)
                pid = engine_pid()
                os.kill(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
                # Before this process does anything else, as starting it again: what the dead one left.
                shutil.copytree(here.folder / here.account.id, kept)
                nursery.cancel_scope.cancel()
            with closing(sqlite3.connect(kept / "session.db")) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert database.execute("SELECT count(*) FROM whatsmeow_device").fetchone() == (1,)
            inlet.states.clear()
            await connected(inlet)
            await here.world.text(ANA, f"after {round_}")
            await inlet.until(lambda round_=round_: f"after {round_}" in inlet.texts)
            await send(here, text="still here", id_=f"after {round_}")
            assert not [each for each in inlet.states if each.qr]
        assert len(here.fake.server.devices) == 1


async def write_and_send(here: Site) -> None:
    """Without end, both at once."""

    async def send_all() -> None:
        number = 0
        while True:
            number += 1
            try:
                await send(here, text=f"out {number}", id_=f"out {number}")
            except (NotSentError, OutcomeUnknownError):
                return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_all)
        number = 0
        while True:
            number += 1
            await here.world.text(ANA, f"in {number}")
            await trio.lowlevel.checkpoint()
