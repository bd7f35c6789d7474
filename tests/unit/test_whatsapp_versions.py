"""An engine whose library is too old, or does not say its version, is refused: with the package and the cure."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import trio

from wagate.clock import Clock
from wagate.events import SessionStatus
from wagate.testing import FakeInlet
from wagate_whatsapp import process
from wagate_whatsapp.check import Checker, age, library
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.listen import Listener
from wagate_whatsapp.number import Numbers, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import ChildProcess, EngineRefusedError, child_process
from wagate_whatsapp.versions import UPDATE, made, unfit

ENGINE = """
import json, socket, sys

sock = socket.socket(fileno=int(sys.argv[1]))
sock.sendall(b'{"session": "what a damaged spool may have"}\\n')
sock.sendall(json.dumps({"event": "Hello", "pid": 1} | FIELDS).encode() + b"\\n")
sock.recv(1)
"""
CURE = f"0.5.2 or newer is needed; {UPDATE}, then restart wagate"
OLD, SILENT = (
    f"the library of neonize is version 0.5.1, {CURE}",
    f"the library of neonize does not say its version, {CURE}",
)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **fields: str) -> None:
    """From here on the engine is a process that says hello with these."""
    (folder / "stand_in.py").write_text(ENGINE.replace("FIELDS", repr(fields)))
    monkeypatch.setattr(process, "MODULE", "stand_in")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("version", ["0.5.2", "0.5.2.post1", "0.5.10", "0.6", "1.0.0"])
def test_the_pinned_version_and_newer_ones_do(version: str) -> None:
    assert unfit(version) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"version": "0.5.1"}, OLD), ({"version": ""}, SILENT), ({}, SILENT)],
    ids=["old", "empty", "none"],
)
async def test_an_engine_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], words: str
) -> None:
    stand_in(tmp_path, monkeypatch, **fields)
    with trio.fail_after(60), pytest.raises(EngineRefusedError) as raised:
        async with child_process(tmp_path / "log"):
            pass
    assert str(raised.value) == words


async def test_one_that_says_the_pinned_version_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it said something else before that is no event."""
    stand_in(tmp_path, monkeypatch, version="0.5.2")
    with trio.fail_after(60):
        async with child_process(tmp_path / "log") as child:
            assert child.version == "0.5.2"


@pytest.mark.parametrize("linked", [True, False])
async def test_the_session_and_the_doctor_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, linked: bool
) -> None:
    stand_in(tmp_path, monkeypatch, version="0.5.1")
    clock, inlet, numbers = Clock(), FakeInlet(), Numbers(lambda: tmp_path)
    engine = Engine(lambda: tmp_path, clock, structlog.get_logger())
    if linked:
        numbers.of("0190").link(Us(jid="15550000001:1@s.whatsapp.net", lid="9:1@lid"))
    account: Any = SimpleNamespace(id="0190", settings=WhatsAppSettings(), trust="operator")
    async with engine.lifespan(), trio.open_nursery() as nursery:
        nursery.start_soon(Listener(engine, numbers, clock).run, account, inlet)
        await inlet.until(lambda: bool(inlet.states) and OLD in inlet.states[-1].message)
        assert inlet.states[-1].status == SessionStatus.ERROR
        if linked:
            found = next(each for each in await Checker(engine, numbers, clock)(account) if each.what == "engine")
            assert (found.level, found.detail, found.next_step) == ("fail", OLD, UPDATE)
        nursery.cancel_scope.cancel()


async def test_a_gateway_that_stops_while_such_an_engine_leaves_stops_without_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, version="0.5.1")
    engine, leave, scope = (
        Engine(lambda: tmp_path, Clock(), structlog.get_logger()),
        ChildProcess.close,
        trio.CancelScope(),
    )

    async def stopped_meanwhile(child: ChildProcess) -> None:
        scope.cancel()
        await leave(child)

    monkeypatch.setattr(ChildProcess, "close", stopped_meanwhile)
    with trio.fail_after(60), scope:
        async with engine.lifespan():
            await engine.child()
    assert (scope.cancelled_caught, engine.refused) == (True, OLD)


def test_how_old_the_engine_is_stands_in_its_library(tmp_path: Path) -> None:
    file = tmp_path / "neonize-linux.so"
    file.write_bytes(b"\x7fELF\0dep\tgo.mau.fi/whatsmeow\tv0.0.0-20260921121126-35ae40906e74\th1:x=\n")
    since = datetime(2026, 9, 21, 12, 11, 26, tzinfo=UTC)
    assert made(file) == since
    young, old = age(file, since + timedelta(days=60)), age(file, since + timedelta(days=61))
    assert (young.level, young.detail) == ("ok", "whatsmeow of 2026-09-21, 60 days old")
    assert (old.level, old.next_step) == ("warn", UPDATE)
    assert "61 days old; WhatsApp refuses old ones" in old.detail


def test_a_library_that_does_not_say_its_age_was_installed_at_some_time(tmp_path: Path) -> None:
    file, now = tmp_path / "neonize-linux.so", datetime(2026, 12, 1, tzinfo=UTC)
    file.write_bytes(b"\x7fELF go.mau.fi/whatsmeow@v0.0.0-20269921121126-35ae40906e74")
    for days, level in ((60, "ok"), (61, "warn")):
        at = (now - timedelta(days=days)).timestamp()
        os.utime(file, (at, at))
        found = age(file, now)
        assert (found.level, f"neonize was installed {days} days ago" in found.detail) == (level, True)
    assert age(None, now).level == "warn"


def test_the_installed_library_says_its_age() -> None:
    file = library()
    assert file is not None
    since = made(file)
    assert since is not None
    assert since > datetime(2026, 1, 1, tzinfo=UTC)
