"""A step of the clock is claimed once, and moves times that are to come."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from tests.rows import NOW, intake, route
from wagate.rules.targets import Health, TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries.due import (
    ABSENCE,
    claim_step,
    give_up,
    mark_time,
    move_elsewhere,
    move_open,
    note_absence,
)
from wagate.storage.deliveries.targets import Owner, target_states, write_states
from wagate.storage.events.intake import store
from wagate.storage.fields import as_time, time_text
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run

OWNER = {"webhook:w1": Owner("webhook", 1)}
HOUR, MINUTE, NONE = timedelta(hours=1), timedelta(minutes=1), timedelta()


async def test_one_process_of_many_gets_a_step(database: Database) -> None:
    await database.write(mark_time, NOW)
    back = NOW - HOUR
    await database.write(mark_time, back)
    assert await database.write(lambda db: claim_step(db, back, least=MINUTE)) == HOUR, "the mark was left alone"
    assert await database.write(lambda db: claim_step(db, back, least=MINUTE)) is None
    assert await database.write(lambda db: claim_step(db, back, least=NONE, seen=HOUR)) == HOUR
    await database.write(mark_time, back + MINUTE)
    assert await database.write(lambda db: claim_step(db, back + HOUR, least=NONE, seen=HOUR)) is None


async def test_times_to_come_are_moved_and_those_that_passed_are_not(database: Database) -> None:
    waits, late, done = (route() for _ in range(3))

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        store(db, [intake(routes=(each,)) for each in (waits, late, done)])
        retry = "UPDATE deliveries SET next_retry_at = ?, lease_until = ?, settled = ? WHERE id = ?"
        run(db, retry, (time_text(NOW + HOUR + MINUTE), time_text(NOW - MINUTE), False, waits.delivery_id))
        run(db, retry, (time_text(NOW - MINUTE), None, False, late.delivery_id))
        run(db, retry, (time_text(NOW + HOUR), None, True, done.delivery_id))
        down = TargetState(
            status=Health.FAILED,
            down_since=NOW - HOUR,
            next_probe_at=NOW + HOUR + MINUTE,
            last_success_at=NOW + HOUR - MINUTE,
        )
        write_states(db, {"webhook:w1": down}, {"webhook:w1": Owner("webhook", 1)}, NOW)

    await database.write(fill)
    await database.write(move_elsewhere, HOUR, NOW)
    keys, after = await database.write(move_open, "", HOUR, NOW)
    assert (keys, after) == ([("push", "webhook:w1", waits.key)], None)
    found = await database.read(rows, "SELECT id, next_retry_at, lease_until FROM deliveries")
    assert {id_: (as_time(retry), as_time(lease)) for id_, retry, lease in found} == {
        waits.delivery_id: (NOW + MINUTE, NOW - MINUTE),
        late.delivery_id: (NOW - MINUTE, None),
        done.delivery_id: (NOW + HOUR, None),
    }
    states = await database.read(target_states, ["webhook:w1"])
    assert states["webhook:w1"].next_probe_at == NOW + MINUTE
    assert states["webhook:w1"].down_since == NOW - HOUR
    assert states["webhook:w1"].last_success_at == NOW - MINUTE


async def test_an_absence_gives_all_targets_time_but_those_that_are_paused(database: Database) -> None:
    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        states = {
            "webhook:down": TargetState(down_since=NOW - HOUR, next_probe_at=NOW),
            "webhook:up": TargetState(),
            "webhook:paused": TargetState(paused_at=NOW - HOUR, resumed_at=NOW - 2 * HOUR),
        }
        write_states(db, states, dict.fromkeys(states, Owner("webhook", 1)), NOW)
        store(db, [intake(routes=(route("webhook:new"), route("webhook:unrouted")))])
        job = route("n8n:1", mode="pull", expires_at=NOW + HOUR)
        store(db, [intake(routes=(job,))])

    await database.write(fill)
    assert await database.write(note_absence, NOW) is None, "nobody ever was at work"
    await database.write(mark_time, NOW)
    assert await database.write(note_absence, NOW + ABSENCE - MINUTE) is None
    assert await database.write(note_absence, NOW + 2 * HOUR) == 2 * HOUR
    assert await database.write(note_absence, NOW + 2 * HOUR) is None, "another process saw it"
    states = await database.read(
        target_states, [f"webhook:{each}" for each in ("down", "up", "paused", "new", "unrouted")]
    )
    assert {name: each.resumed_at for name, each in states.items()} == {
        "webhook:down": NOW + HOUR,
        "webhook:up": NOW + 2 * HOUR,
        "webhook:paused": NOW - 2 * HOUR,
        "webhook:new": NOW + 2 * HOUR,
    }
    [(expires,)] = await database.read(rows, "SELECT expires_at FROM deliveries WHERE mode = 'pull'")
    assert as_time(expires) == NOW + 3 * HOUR, "no worker could take it"
    for _ in range(2):
        await database.write(note_absence, NOW + 50 * HOUR)
    await database.write(move_elsewhere, 47 * HOUR, NOW + 3 * HOUR)
    states = await database.read(target_states, ["webhook:up"])
    assert states["webhook:up"].resumed_at == NOW + 3 * HOUR, "a clock that was ahead leaves no time to come"


async def test_what_was_given_time_is_not_given_up_by_who_has_not_seen_it(database: Database) -> None:
    waits = intake(routes=(route(),))

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        store(db, [waits])
        write_states(db, {"webhook:w1": TargetState(down_since=NOW, resumed_at=NOW + HOUR)}, OWNER, NOW)

    await database.write(fill)
    for before, given_up in ((NOW + HOUR - MINUTE, []), (NOW + HOUR, [waits.routes[0].key])):
        give = partial(give_up, before=before, now=before + HOUR, reason="gave up")
        assert await database.write(give, [waits.routes[0].key]) == given_up
