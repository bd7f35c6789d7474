"""A number without a connection is connected anew, with growing pauses, and left alone once it has one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.events import SessionChange, SessionStatus
from wagate.testing import FakeInlet
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.listen import LONGEST_WAIT, MOST_SPENT, STARTING, WATCHDOG, Connection, Listener
from wagate_whatsapp.number import Number, Numbers, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import EngineDiedError, Feed
from wagate_whatsapp.reasons import UNCONFIRMED


class Child:
    """Takes what is asked of it; connects nothing."""

    def __init__(self) -> None:
        self.spent, self.retired = 0, 0
        self.starts: list[bool] = []
        """Whether each start was anew."""
        self.seen_up_to = 0
        self.rejected: list[str] = []

    async def ask(self, do: str, **fields: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if do == "start":
            self.starts.append(fields["anew"])
        elif do == "reject_call":
            self.rejected.append(fields["call"])
        return {"connected": False, "spent": self.spent}

    def retire(self) -> None:
        self.retired += 1

    async def seen(self, _session: str, number: int) -> None:
        self.seen_up_to = number


class Held:
    """A connection that is held, and all around it."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.inlet, self.child, self.feed = Clock(), FakeInlet(), Child(), Feed()
        self.number = Number(folder / "0190")
        self.number.link(Us(jid="15550000001:1@s.whatsapp.net", lid="9:1@lid"))
        self.feed.put({"event": "Attached"})

    @asynccontextmanager
    async def holding(self, settings: WhatsAppSettings = WhatsAppSettings()) -> AsyncIterator[None]:  # noqa: B008
        starting = trio.CapacityLimiter(STARTING)
        made = Connection(self.number, settings, self.inlet, self.clock, turn=trio.Lock(), starting=starting)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.hold, self.child, self.feed)
            await self.until(lambda: bool(self.inlet.states))
            yield
            nursery.cancel_scope.cancel()

    async def until(self, there: Any, *, step: float = 0.0) -> float:
        """Let time pass until something is so; how much passed."""
        passed = 0.0
        with trio.fail_after(60):
            while not there():
                self.clock.shift(step)
                passed += step
                await trio.sleep(0.001)
        return passed

    def said(self, event: str, **fields: Any) -> None:
        self.feed.put({"event": event, "n": 0, **fields})


async def test_a_number_that_does_not_connect_is_started_anew_with_growing_pauses(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with held.holding():
        waits = [await held.until(lambda n=n: len(held.child.starts) > n, step=0.5) for n in range(1, 8)]
        assert held.child.starts == [False] + [True] * 7
        assert WATCHDOG * 0.9 <= waits[0] <= WATCHDOG + 5
        assert all(wait <= LONGEST_WAIT + 5 for wait in waits)
        assert waits[-1] >= LONGEST_WAIT / 2 - 1
        assert held.number.restarts == 7


async def test_an_engine_with_many_spent_connections_is_renewed(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with held.holding():
        held.child.spent = MOST_SPENT - 1
        await held.until(lambda: len(held.child.starts) == 2, step=0.5)
        await trio.testing.wait_all_tasks_blocked()
        assert held.child.retired == 0
        held.child.spent = MOST_SPENT
        await held.until(lambda: held.child.retired == 1, step=0.5)


async def test_a_number_with_a_connection_is_left_alone(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with held.holding():
        held.said("Connected")
        await held.until(lambda: held.inlet.states[-1].status == SessionStatus.SESSION_CONNECTED)
        for _ in range(20):
            held.clock.shift(1000)
            await trio.sleep(0.002)
        assert held.child.starts == [False]
        held.said("Disconnected")
        await held.until(lambda: held.inlet.states[-1].status == SessionStatus.CONNECTING)
        waited = await held.until(lambda: len(held.child.starts) == 2, step=0.5)
        assert WATCHDOG * 0.9 <= waited <= WATCHDOG + 5


@pytest.mark.parametrize(("event", "fields"), [("KeepAliveTimeout", {"ErrorCount": "2"}), (UNCONFIRMED, {})])
async def test_a_connection_that_says_nothing_is_made_anew_at_once(
    tmp_path: Path, event: str, fields: dict[str, str]
) -> None:
    held = Held(tmp_path)
    async with held.holding():
        held.said("Connected")
        held.said("KeepAliveTimeout", ErrorCount="1")
        await held.until(lambda: held.inlet.states[-1].status == SessionStatus.SESSION_CONNECTED)
        await trio.testing.wait_all_tasks_blocked()
        assert held.child.starts == [False]
        held.said(event, **fields)
        await held.until(lambda: len(held.child.starts) > 1, step=0.01)
        assert held.child.starts == [False, True]
        assert held.inlet.states[-1].status == SessionStatus.CONNECTING


async def test_a_ban_is_waited_out(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with held.holding():
        held.said("TemporaryBan", Code="BROADCAST_LIST", Expire="7200")
        await held.until(lambda: held.inlet.states[-1].status == SessionStatus.ERROR)
        waited = await held.until(lambda: len(held.child.starts) == 2, step=30.0)
        assert 7000 <= waited <= 7400


async def test_what_the_library_does_after_it_was_replaced_counts_no_more(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with held.holding():
        for event in ("StreamReplaced", "Disconnected", "Connected"):
            held.said(event)
        await held.until(lambda: held.inlet.states[-1].status == SessionStatus.ERROR)
        await trio.testing.wait_all_tasks_blocked()
        assert "Replaced" in held.inlet.states[-1].message
        assert held.number.halted


async def test_a_number_that_was_replaced_stays_so_when_the_engine_dies_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(tmp_path)
    async with held.holding():

        async def dies(_do: str, **_fields: Any) -> None:
            assert held.number.halted, "what ends the gateway now would have it connect again"
            raise EngineDiedError("the engine ended")

        monkeypatch.setattr(held.child, "ask", dies)
        held.said("StreamReplaced")
        await held.until(lambda: held.inlet.states[-1].status == SessionStatus.ERROR)
        assert held.number.halted


async def test_events_are_confirmed_only_once_they_are_stored(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with held.holding():
        line = {"chat": "1@s.whatsapp.net", "sender": "1@s.whatsapp.net", "id": "A", "message": {"conversation": "hi"}}
        held.feed.put({"event": "Message", "n": 4, **line})
        held.feed.put({"event": "Message", "n": 5, **line, "id": "B"})
        await held.until(lambda: held.child.seen_up_to == 5)
        assert held.inlet.texts == ["hi", "hi"]


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_call_that_rings_is_rejected_on_request(tmp_path: Path, wanted: bool) -> None:
    held = Held(tmp_path)
    async with held.holding(WhatsAppSettings(reject_calls=wanted)):
        held.said("Connected")
        for call, age in (("OLD", 120), ("NOW", 1)):
            held.said("CallOffer", sender="1@s.whatsapp.net", call=call, time=int((held.clock.time() - age) * 1000))
        await held.until(lambda: len(held.inlet.events) == 2)
        await trio.testing.wait_all_tasks_blocked()
        assert held.child.rejected == (["NOW"] if wanted else [])


async def test_the_engines_end_ends_it(tmp_path: Path) -> None:
    held = Held(tmp_path)
    with pytest.RaisesGroup(EngineDiedError):
        async with held.holding():
            held.feed.end()
            await trio.sleep_forever()


async def test_an_engine_that_does_not_come_up_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate_whatsapp.process.MODULE", "no_such_module")
    clock = Clock()
    engine = Engine(lambda: tmp_path, clock, structlog.get_logger("test"))
    async with engine.lifespan(), trio.open_nursery() as nursery:
        nursery.start_soon(engine.child)
        with trio.fail_after(60):
            while engine.deaths < 3:
                clock.shift(1)
                await trio.sleep(0.01)
        assert engine.running is None
        nursery.cancel_scope.cancel()
    assert "no_such_module" in (tmp_path / "engine.log").read_text()


async def test_why_a_number_stopped_is_told_after_a_restart_when_it_could_not_be_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(tmp_path)

    async def full(_change: SessionChange) -> None:
        raise StorageError("the disk is full")

    tell = held.inlet.state
    with pytest.RaisesGroup(pytest.RaisesExc(StorageError)):
        async with held.holding():
            monkeypatch.setattr(held.inlet, "state", full)
            held.said("LoggedOut")
            await trio.sleep_forever()
    assert held.number.halted
    assert not held.number.linked
    monkeypatch.setattr(held.inlet, "state", tell)
    numbers = Numbers(lambda: tmp_path)
    engine = Engine(lambda: tmp_path, held.clock, structlog.get_logger())
    account: Any = SimpleNamespace(id="0190", settings=WhatsAppSettings(), trust="operator")
    for _ in range(2):  # once is enough
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Listener(engine, numbers, held.clock).run, account, held.inlet)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        told = [each for each in held.inlet.states if each.message.startswith("Logged out on the phone")]
        assert len(told) == 1, held.inlet.states


async def test_a_start_that_hangs_delays_no_other(tmp_path: Path) -> None:
    turn, starting, hung = trio.Lock(), trio.CapacityLimiter(STARTING), trio.Event()

    class Hanging(Child):
        async def ask(self, do: str, **fields: Any) -> Any:
            hung.set()
            await trio.sleep_forever()

    def made(held: Held) -> Connection:
        return Connection(held.number, WhatsAppSettings(), held.inlet, held.clock, turn=turn, starting=starting)

    one, two = Held(tmp_path / "one"), Held(tmp_path / "two")
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(made(one)._start, Hanging(), anew=False))  # type: ignore[arg-type]
            await hung.wait()
            await made(two)._start(two.child, anew=False)  # type: ignore[arg-type]
            assert two.child.starts == [False]
            nursery.cancel_scope.cancel()
