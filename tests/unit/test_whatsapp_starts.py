"""Fifty numbers begin: the engine is asked to start a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from wagate.clock import Clock
from wagate.testing import FakeInlet
from wagate_whatsapp import listen
from wagate_whatsapp.listen import STARTING, Listener
from wagate_whatsapp.number import Numbers, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import Feed
from wagate_whatsapp_child.serve import AT_ONCE

MANY = 50


class Child:
    """An engine whose starts take until they are let go."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.now = self.most = 0
        self.go = trio.Event()

    @contextmanager
    def feed(self, _session: str) -> Iterator[Feed]:
        yield Feed()

    async def ask(self, do: str, *, session: str, **_fields: Any) -> Any:
        assert do == "start"
        self.started.append(session)
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go.wait()
        self.now -= 1
        return {"connected": True, "jid": "", "lid": "", "spent": 0}


async def test_fifty_numbers_start_without_a_burst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "APART", 0.0)
    child, numbers = Child(), Numbers(lambda: tmp_path)

    async def given() -> Child:
        return child

    engine: Any = SimpleNamespace(child=given, running=child)
    listener = Listener(engine, numbers, Clock())
    async with trio.open_nursery() as nursery:
        for number in range(MANY):
            numbers.of(f"0190-{number}").link(Us(jid=f"1555000{number:04}:1@s.whatsapp.net", lid=f"{number}:1@lid"))
            account: Any = SimpleNamespace(id=f"0190-{number}", settings=WhatsAppSettings(), trust="operator")
            nursery.start_soon(listener.run, account, FakeInlet())
        with trio.fail_after(60):
            await wait_all_tasks_blocked()
            assert len(child.started) == child.now == STARTING < AT_ONCE
            child.go.set()
            while len(child.started) < MANY:
                await trio.sleep(0.01)
            await wait_all_tasks_blocked()
        assert (child.most, len(set(child.started)), child.now) == (STARTING, MANY, 0)
        nursery.cancel_scope.cancel()
