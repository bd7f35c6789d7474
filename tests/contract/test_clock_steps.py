"""A step of the clock is claimed once, and moves times that are to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import trio

from tests.rows import NOW, intake, route
from wagate.clock import Clock
from wagate.consumers.clock_steps import MARK, ClockSteps
from wagate.rules.targets import Health, TargetState
from wagate.storage.clock_marks import ABSENCE, CLOCK, LEAP, believed, mark_time
from wagate.storage.database import Database, last_beat
from wagate.storage.deliveries.due import claim_step, give_up, move_elsewhere, move_open, note_absence
from wagate.storage.deliveries.ends import SLICE, move_ends, owe, owed
from wagate.storage.deliveries.targets import Owner, target_states, write_states
from wagate.storage.events.intake import store
from wagate.storage.fields import as_time, time_text
from wagate.storage.idempotency import STALE, Begun, InFlight, Replay, begin, finish
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run, slices
from wagate.testing.rest import at_rest

OWNER = {"webhook:w1": Owner("webhook", 1)}
HOUR, MINUTE, NONE = timedelta(hours=1), timedelta(minutes=1), timedelta()


async def goes_ahead(database: Database, leap: datetime, now: datetime) -> None:
    """The clock leaps, which is noted, and later it is now."""
    await database.write(note_absence, leap, 0)
    await database.write(mark_time, now)


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


async def test_an_absence_is_added_to_all_that_waits_and_taken_back_with_the_clock(database: Database) -> None:
    old, young = route("webhook:down", chat="1@c.us"), route("webhook:down", chat="2@c.us")
    done, job = route("webhook:down", chat="3@c.us"), route("n8n:1", mode="pull", expires_at=NOW + HOUR)
    end = route("n8n:2", mode="pull")

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        store(db, [intake(routes=(old,), created_at=NOW - 23 * HOUR), intake(routes=(done,))])
        store(db, [intake(routes=(young,), created_at=NOW - HOUR), intake(routes=(job, end), created_at=NOW - HOUR)])
        run(db, "UPDATE deliveries SET settled = ? WHERE id = ?", (True, done.delivery_id))
        states = {
            "webhook:down": TargetState(down_since=NOW - 23 * HOUR, failing_since=NOW - 23 * HOUR, next_probe_at=NOW),
            "webhook:paused": TargetState(failing_since=NOW, paused_at=NOW - HOUR),
        }
        write_states(db, states, dict.fromkeys(states, Owner("webhook", 1)), NOW)

    async def ends(now: Any) -> dict[str, Any]:
        while await database.read(owed):
            await database.write(move_ends, now)
        found = await database.read(rows, "SELECT id, expires_at FROM deliveries")
        return {id_: as_time(at) for id_, at in found}

    async def away(now: Any) -> timedelta | None:
        return await database.write(note_absence, now, 24 * HOUR.total_seconds())

    await database.write(fill)
    assert await away(NOW) is None, "nobody ever was at work"
    await database.write(mark_time, NOW)
    assert await away(NOW + ABSENCE - MINUTE) is None
    assert await away(NOW + 62 * HOUR) == 62 * HOUR
    assert await away(NOW + 62 * HOUR) is None, "another process saw it"
    expected = {
        old.delivery_id: NOW + 63 * HOUR,
        young.delivery_id: NOW + (62 + 23) * HOUR,
        job.delivery_id: NOW + 63 * HOUR,
        done.delivery_id: None,
        end.delivery_id: None,
    }
    assert await ends(NOW + 62 * HOUR) == expected
    states = await database.read(target_states, ["webhook:down", "webhook:paused"])
    assert {name: each.resumed_at for name, each in states.items()} == {
        "webhook:down": NOW + 39 * HOUR,
        "webhook:paused": None,
    }
    await database.write(partial(claim_step, least=NONE, seen=62 * HOUR), NOW)
    await database.write(move_elsewhere, 62 * HOUR, NOW)
    assert await ends(NOW) == {id_: at and at - 62 * HOUR for id_, at in expected.items()}, "the clock was ahead"
    states = await database.read(target_states, ["webhook:down"])
    assert states["webhook:down"].resumed_at == NOW - 23 * HOUR


async def test_ends_are_moved_in_slices_each_once_and_nothing_is_given_up_meanwhile(database: Database) -> None:
    routes = [route("webhook:w1", chat=f"{number % 700}@c.us") for number in range(2 * SLICE + 1)]
    late = route("webhook:w1", chat="late")

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        store(db, [intake(routes=tuple(part), created_at=NOW - 25 * HOUR) for part in slices(routes)])
        write_states(db, {"webhook:w1": TargetState(down_since=NOW - 25 * HOUR)}, OWNER, NOW)
        mark_time(db, NOW - HOUR)
        note_absence(db, NOW, 24 * HOUR.total_seconds())
        store(db, [intake(routes=(late,), created_at=NOW + MINUTE)])

    async def moved() -> int:
        ended = time_text(NOW)  # created 25 h ago, with 24 h to recover and an hour more
        [(count,)] = await database.read(rows, "SELECT count(*) FROM deliveries WHERE expires_at = ?", (ended,))
        return int(count)

    await database.write(fill)
    keys = [each.key for each in routes[:32]]
    give = partial(give_up, before=NOW - 24 * HOUR, now=NOW + HOUR, reason="gave up")
    for done in (SLICE, 2 * SLICE, 2 * SLICE + 1):
        assert await database.write(give, keys) == []
        await database.write(move_ends, NOW + MINUTE)  # a process may die here: another one goes on
        assert await moved() == done
    assert not await database.read(owed)
    [(end,)] = await database.read(rows, "SELECT expires_at FROM deliveries WHERE id = ?", (late.delivery_id,))
    assert end is None
    assert await database.write(give, keys) == sorted(keys)


async def test_a_step_back_is_made_good_also_after_an_absence_that_followed_it(database: Database) -> None:
    before, since = (
        route("webhook:w1", chat="1", expires_at=NOW + 3 * HOUR),
        route("webhook:w1", chat="2", expires_at=NOW + HOUR),
    )

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        mark_time(db, NOW + 2 * HOUR)
        store(db, [intake(routes=(before,), created_at=NOW + HOUR)])
        claim_step(db, NOW, least=NONE, seen=2 * HOUR)
        store(db, [intake(routes=(since,), created_at=NOW)])
        mark_time(db, NOW + MINUTE)
        note_absence(db, NOW + MINUTE + 72 * HOUR, 24 * HOUR.total_seconds())  # killed before it was made good

    await database.write(fill)
    while await database.read(owed):
        await database.write(move_ends, NOW + 73 * HOUR)
    found = await database.read(rows, "SELECT id, expires_at FROM deliveries")
    assert {id_: as_time(end) for id_, end in found} == {
        before.delivery_id: NOW + 73 * HOUR,
        since.delivery_id: NOW + 73 * HOUR,
    }


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


async def test_a_leap_while_another_is_doubted_leaves_the_time_before_that(database: Database) -> None:
    async def leaps(now: Any) -> Any:
        await goes_ahead(database, now, now + HOUR)
        return await database.read(believed, now + HOUR)

    await database.write(mark_time, NOW)
    ahead = NOW + 365 * LEAP
    assert await leaps(ahead) == NOW
    ahead += 365 * LEAP
    assert await leaps(ahead) == NOW, "the time before this one is wrong as well"
    for _ in range(21):  # on for an hour each, and off for two days
        ahead += 2 * LEAP
        assert await leaps(ahead) == NOW
    assert await leaps(ahead + 2 * LEAP) == ahead + 2 * LEAP + HOUR, "a day at work"
    assert await leaps(ahead + 4 * LEAP) == ahead + 2 * LEAP + HOUR, "and then it is doubted anew"


async def test_old_rows_go_by_the_time_before_a_leap_until_the_clock_stands_for_a_day(database: Database) -> None:
    async def until(now: Any) -> Any:
        return await database.read(believed, now)

    assert await until(NOW) == NOW, "nobody ever marked"
    await database.write(mark_time, NOW)
    assert await until(NOW + LEAP - MINUTE) == NOW + LEAP - MINUTE, "an absence of some hours is none"
    ahead = NOW + 365 * LEAP
    assert await until(ahead) == NOW, "nobody has noted it yet"
    await goes_ahead(database, ahead, ahead + HOUR)
    assert await until(ahead + HOUR) == NOW
    back = NOW + HOUR
    await database.write(partial(claim_step, least=MINUTE), back)
    assert await until(back) == back, "it was set back"
    await goes_ahead(database, ahead, ahead + LEAP)
    assert await until(ahead + LEAP) == ahead + LEAP, "it stands"


async def test_no_mark_hides_an_outage_of_redis_while_one_of_its_parts_is_still_waited_for(database: Database) -> None:
    clock, one, two = Clock(), SimpleNamespace(silence=0.0), SimpleNamespace(silence=0.0)
    queues: Any = SimpleNamespace(push=SimpleNamespace(shards=(one, two)))
    steps = ClockSteps(database, queues, clock, recover=3600.0, moved=lambda: None)

    async def marked_after(seconds: float) -> Any:
        await at_rest()
        clock.shift(seconds)
        await at_rest()
        return await database.read(last_beat, CLOCK)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(steps.run)
        before = await marked_after(MARK + 1)
        assert clock.now() - before < MINUTE
        one.silence = two.silence = 7200.0
        assert await marked_after(7200.0) == before
        one.silence = 0.0
        for _ in range(3):
            assert await marked_after(MARK + 1) == before
        await steps.note()
        steps.went_round()
        assert clock.now() - await marked_after(MARK + 1) < MINUTE
        resumed = await database.read(last_beat, CLOCK)
        assert resumed > before + 2 * HOUR
        nursery.cancel_scope.cancel()


async def test_an_answer_kept_for_its_twins_outlives_a_leap_by_a_day(database: Database) -> None:
    kept = Replay(201, "text/plain", b"made")

    async def begun(now: Any) -> Any:
        return await database.write(begin, client="1", key="k", body_hash="h", now=now)

    assert await begun(NOW) == Begun()
    done = {"status": kept.status, "content_type": kept.content_type, "body": kept.body}
    await database.write(finish, client="1", key="k", **done)
    await database.write(mark_time, NOW + MINUTE)
    assert await begun(NOW + LEAP - MINUTE) == kept
    ahead = NOW + 365 * LEAP
    assert await begun(ahead) == kept, "nobody has noted it yet"
    await goes_ahead(database, ahead, ahead + HOUR)
    assert await begun(ahead + HOUR) == kept
    await database.write(mark_time, ahead + LEAP)
    assert await begun(ahead + LEAP) == Begun(), "it stands"
    assert await begun(ahead + LEAP + STALE) == InFlight()
    assert await begun(ahead + LEAP + STALE + MINUTE) == Begun(), "its process died"


async def test_less_than_a_second_to_recover_is_not_none(database: Database) -> None:
    waits = route()

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        store(db, [intake(routes=(waits,), created_at=NOW)])
        owe(db, HOUR, NOW + MINUTE, recover=0.5)

    await database.write(fill)
    await database.write(move_ends, NOW + HOUR)
    [(end,)] = await database.read(rows, "SELECT expires_at FROM deliveries")
    assert as_time(end) == NOW + timedelta(seconds=1) + HOUR
