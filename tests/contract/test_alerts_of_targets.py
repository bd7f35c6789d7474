"""Alerts of targets that fail for long: who is switched off, and that each alert is given once, whatever breaks off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import trio

from tests.rows import intake
from wagate.clock import Clock
from wagate.consumers.alerts import Alerts
from wagate.errors import StorageError
from wagate.events import NewEvent
from wagate.hooks import Handler
from wagate.rules.targets import TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries.targets import Owner, target_states, write_states
from wagate.storage.events.intake import Intake, Stored, store
from wagate.storage.statement import rows

ENDPOINT, SENDER = "webhook:w1", "outbound:main"
HANDLERS = {
    "outbound": Handler(name="outbound", targets=lambda _event: (), lasting=True),
    "webhook": Handler(name="webhook", targets=lambda _event: ()),
}


def nothing() -> None:
    """Nothing happens meanwhile."""


@dataclass
class Desk:
    """Alerts of client 1, and what becomes of them."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    rung: list[Stored] = field(default_factory=list)
    meanwhile: Callable[[], None] = nothing
    """Called when an event was prepared and is not stored yet."""
    changing: Callable[[], None] = nothing
    """Called when others are to hear that a target was switched off."""
    there: bool = True
    """The client is."""
    event_id: str = ""
    """Of the next event; '': a new one."""

    async def failing(self, *names: str) -> None:
        """These have been failing for six days."""
        now = self.clock.now()
        state = TargetState(failing_since=now - timedelta(days=6), last_attempt_at=now, last_error="401")
        owners = {name: Owner(name.partition(":")[0], 1) for name in names}
        await self.database.write(write_states, dict.fromkeys(names, state), owners, now)

    async def look(self) -> None:
        async def changed() -> None:
            self.changing()

        await Alerts(self.database, self.clock, self.prepare, self.ring, changed=changed, handlers=HANDLERS).look()

    def prepare(self, event: NewEvent, *, client_id: int, without: str) -> Intake | None:
        assert client_id == 1
        assert without == f"{event.extra['webhook']['connector']}:{event.extra['webhook']['target']}"
        self.meanwhile()
        if not self.there:
            return None
        own = {"id": self.event_id} if self.event_id else {}
        return intake(routes=(), kind=event.kind, content=without, **own)

    def ring(self, stored: Sequence[Stored]) -> None:
        self.rung += stored

    async def told(self) -> list[str]:
        """The events that are stored."""
        found = await self.database.read(rows, "SELECT kind, content FROM events WHERE kind <> 'message'")
        return sorted(f"{kind} {without}" for kind, without in found)

    async def disabled(self, name: str) -> bool:
        return (await self.database.read(target_states, [name]))[name].disabled


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


async def test_a_lasting_target_is_never_switched_off(desk: Desk) -> None:
    await desk.failing(SENDER, ENDPOINT)
    await desk.look()
    assert [await desk.disabled(name) for name in (SENDER, ENDPOINT)] == [False, True]
    assert await desk.told() == [f"webhook.disabled {ENDPOINT}", f"webhook.failing {SENDER}"]
    assert len(desk.rung) == 2


async def test_an_alert_is_given_also_when_the_reload_after_it_fails(desk: Desk) -> None:
    def break_off() -> None:
        raise StorageError("the database is gone")

    await desk.failing(ENDPOINT)
    desk.changing = break_off
    with pytest.raises(StorageError):
        await desk.look()
    assert await desk.told() == [f"webhook.disabled {ENDPOINT}"]
    assert len(desk.rung) == 1


async def test_an_alert_that_can_not_be_stored_is_given_later_and_once(desk: Desk) -> None:
    await desk.failing(ENDPOINT)
    other = await desk.database.write_bulk(store, intake(routes=()))
    desk.event_id = other.event_id  # which no second event can have
    with pytest.raises(Exception, match=r"(?i)unique"):
        await desk.look()
    assert not await desk.disabled(ENDPOINT)
    desk.event_id = ""
    for _ in range(2):
        await desk.look()
    assert await desk.disabled(ENDPOINT)
    assert await desk.told() == [f"webhook.disabled {ENDPOINT}"]


async def test_a_stop_in_the_middle_of_an_alert_loses_nothing(desk: Desk) -> None:
    await desk.failing(ENDPOINT)
    with trio.CancelScope() as scope:
        desk.meanwhile = scope.cancel
        await desk.look()
    assert scope.cancelled_caught
    desk.meanwhile = nothing
    await desk.look()
    assert await desk.disabled(ENDPOINT)
    assert await desk.told() == [f"webhook.disabled {ENDPOINT}"]


async def test_a_target_of_a_client_that_is_gone_holds_up_no_other(desk: Desk) -> None:
    await desk.failing(SENDER, ENDPOINT)
    desk.there = False
    await desk.look()
    assert await desk.disabled(ENDPOINT)
    assert (await desk.told(), desk.rung) == ([], [])
