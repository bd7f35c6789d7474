"""All targets at one glance say what the whole list says, whatever a page reads of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from tests.contract.test_target_list import ACME, OTHER, SHOWN, there
from tests.rows import NOW
from wagate.rules.targets import Standing, TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries.survey import (
    LoneReceivers,
    Survey,
    Totals,
    glance,
    is_urgent,
    survey_targets,
)
from wagate.storage.deliveries.target_list import TargetRow, list_targets, some_targets
from wagate.storage.deliveries.targets import Owner, write_states
from wagate.storage.minutes import HOUR, Bucket, add_buckets, start_of
from wagate.storage.owners.endpoints import delete_webhook
from wagate.storage.statement import rows, run
from wagate.web.ui.needs import LITTLE_FREE, Weight, needs

__all__ = ["there"]

FAIL = "UPDATE deliveries SET status = 'failed', settled = TRUE WHERE target_id = ?"


@pytest.fixture
async def troubled(there: Database) -> Database:
    """The same, with something that waits to leave, something that failed, and a receiver of which nobody knows."""
    await there.write(run, "UPDATE deliveries SET target_id = 'outbound:1' WHERE target_id = 'chatwoot:in/acme'")
    await there.write(run, FAIL, ["n8n:up-other"])
    await there.write(run, "UPDATE targets SET last_error = 'It hung up.' WHERE down_since IS NOT NULL")
    return there


@pytest.mark.parametrize("client", [ACME, OTHER, None])
async def test_it_counts_and_orders_as_the_list_does(troubled: Database, client: int | None) -> None:
    whole = survey_of(await troubled.read(list_targets, NOW, client_id=client))
    assert [row.standing for row in whole.shown][:2] == [Standing.DOWN, Standing.FAILING if client else Standing.DOWN]
    shown: list[TargetRow] = []
    for begin in range(0, whole.totals.count + 3, 3):
        part = await troubled.read(survey_targets, NOW, client_id=client, begin=begin, most=3)
        assert part.totals == whole.totals
        assert _seen(part.urgent, sort=True) == _seen(whole.urgent, sort=True)
        shown += part.shown
    assert _seen(shown) == _seen(whole.shown)


async def test_what_is_not_urgent_needs_nobody(troubled: Database) -> None:
    every = await troubled.read(list_targets, NOW)
    given: dict[str, Any] = {"numbers": (), "checks": (), "free": LITTLE_FREE, "recover": 60.0, "now": NOW}
    found = needs(every, **given)
    assert [each.weight for each in found] == [Weight.DOWN, Weight.DOWN, Weight.FAILED]
    assert found == needs((row for row in every if is_urgent(row)), **given)


async def test_nothing_at_all_is_counted_too(database: Database) -> None:
    found = await database.read(survey_targets, NOW, most=12)
    assert (found, found.totals.count, found.totals.oldest_at) == (survey_of([]), 0, None)


async def test_what_needs_nobody_is_not_read(troubled: Database) -> None:
    found = await troubled.read(survey_targets, NOW, client_id=ACME, most=0)
    assert [*found.shown] == []
    assert sorted(row.id for row in found.urgent) == ["n8n:down-acme", "outbound:1"]
    assert (found.totals.leaving, found.totals.waiting, found.totals.up) == (1, 2, 2)


async def test_what_all_pages_need_is_read_at_once(troubled: Database) -> None:
    every = {row.id: row for row in await troubled.read(list_targets, NOW)}
    asked = ["n8n:up-acme", "n8n:down-other", "no:such"]
    found = await troubled.read(glance, NOW, asked, [ACME])
    assert found.totals == {
        ACME: survey_of(row for row in every.values() if row.client_id == ACME).totals,
        None: survey_of(every.values()).totals,
    }
    assert _seen([found.named[each] for each in asked[:2]]) == _seen([every[each] for each in asked[:2]])
    assert "no:such" not in found.named
    assert _seen(found.urgent, sort=True) == _seen(survey_of(every.values()).urgent, sort=True)


async def test_receivers_without_endpoints_are_known_anew_when_there_are_others(troubled: Database) -> None:
    lone = LoneReceivers()

    async def same() -> int:
        found = await troubled.read(survey_targets, NOW, most=30, lone=lone)
        whole = survey_of(await troubled.read(list_targets, NOW))
        assert (found.totals, _seen(found.shown)) == (whole.totals, _seen(whole.shown))
        return found.totals.count

    before = await same()
    for target, client in (("n8n:new", ACME), ("n8n:a-name", None)):
        await troubled.write(write_states, {target: TargetState()}, {target: Owner("n8n", client)}, NOW)  # type: ignore[arg-type]
    assert await same() == before + 2
    [hook, *_] = await troubled.read(rows, "SELECT id, client_id FROM webhooks ORDER BY id")
    owner = Owner("webhook", hook[1])
    await troubled.write(write_states, {f"webhook:{hook[0]}": TargetState()}, {f"webhook:{hook[0]}": owner}, NOW)
    assert await same() == before + 2
    await troubled.write(delete_webhook, "webhook", hook[0], now=NOW)
    assert await same() == before + 1


async def test_beside_what_failed_it_says_how_much_was_delivered(troubled: Database) -> None:
    begin = start_of(NOW, HOUR)
    made = [
        Bucket(subject=each, at=begin - timedelta(hours=back), client_id=OTHER, done=300)
        for each in ("n8n:up-other", "n8n:up-acme")
        for back in (0, 23, 25)
    ]
    await troubled.write(add_buckets, made)
    for found in (await troubled.read(survey_targets, NOW, most=0), await troubled.read(glance, NOW, (), ())):
        assert {row.id: (row.failed, row.done) for row in found.urgent if row.failed} == {"n8n:up-other": (2, 600)}


@pytest.mark.parametrize(
    ("find", "names"), [("BOT", ["bot"]), ("a.test", ["bot", "gone"]), ("n8n:off", [""]), ("%", [])]
)
async def test_a_receiver_is_found_by_a_part_of_its_name_url_or_id(
    there: Database, find: str, names: list[str]
) -> None:
    found = await there.read(some_targets, client_id=ACME, most=9, find=find)
    assert (sorted(row.name for row in found), {row.client_id for row in found} <= {ACME}) == (names, True)


@pytest.mark.parametrize("client", [ACME, None])
async def test_a_page_of_webhooks_is_read_in_its_order(there: Database, client: int | None) -> None:
    plan = await there.read(_plan, client)
    assert "webhooks_" in plan, plan
    assert "TEMP B-TREE" not in plan, plan
    assert "Sort" not in plan, plan


def _plan(db: Any, client: int | None) -> str:
    own = "" if client is None else f" AND client_id = {client}"
    text = f"SELECT * FROM webhooks WHERE connector = 'webhook'{own} ORDER BY id DESC LIMIT 51"
    if db.param == "?":
        return "\n".join(str(row[-1]) for row in rows(db, f"EXPLAIN QUERY PLAN {text}"))
    for kind in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        db.execute_sql(
            f"SET LOCAL {kind} = off"
        )  # the tables of a test are so small that it reads and sorts them whole
    return "\n".join(str(row[-1]) for row in rows(db, f"EXPLAIN {text}"))


def _seen(found: Any, *, sort: bool = False) -> list[tuple[Any, ...]]:
    read = [
        (*(getattr(row, name) for name in SHOWN), row.oldest_at, row.state.last_error, row.paused_by) for row in found
    ]
    return sorted(read, key=str) if sort else read


def survey_of(targets: Iterable[TargetRow]) -> Survey:
    """What the list comes to, counted and ordered here."""
    every = list(targets)
    mine = sorted((row for row in every if not row.id.startswith("outbound:")), key=_worst)
    return Survey(
        totals=Totals(
            count=len(mine),
            up=sum(row.standing is Standing.UP for row in mine),
            waiting=sum(row.waiting for row in mine),
            oldest_at=min((row.oldest_at for row in mine if row.oldest_at is not None), default=None),
            failed=sum(row.failed for row in mine),
            leaving=sum(row.waiting for row in every if row.id.startswith("outbound:")),
        ),
        shown=mine,
        urgent=[row for row in every if is_urgent(row)],
    )


def _worst(row: TargetRow) -> tuple[object, ...]:
    order = [Standing.DOWN, Standing.FAILING, Standing.DISABLED, Standing.PAUSED, Standing.UP]
    return order.index(row.standing), -row.failed, -row.waiting, row.name, row.id
