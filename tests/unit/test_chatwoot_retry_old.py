"""Agents press Retry on what never came here: it is sent however old it is, unless it is from before our time."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import msgspec
import pytest

from tests.chatwoot_agents import Office, arrive, office, sent, shown_as, updated
from wagate.errors import Reject, Retry
from wagate.http import TimedOutError
from wagate.testing import NOW
from wagate_chatwoot.to_whatsapp.reconcile import Mark

DAY = 86_400.0


async def an_office(days: float) -> Office:
    """One whose inbox has been looked through for so many days."""
    desk = office(http=shown_as("sent"))
    mark = Mark(since=NOW.timestamp() - days * DAY, at=NOW.timestamp(), site=desk.app.site)
    await desk.fakes.store.set("shop/reconciled", msgspec.to_builtins(mark))
    return desk


async def retried(desk: Office, days: float, *, attempt: int = 1) -> list[tuple[str, str]]:
    """What is sent when Retry is pressed on a message so many days old."""
    await arrive(desk, updated(created_at=(NOW - timedelta(days=days)).isoformat()))
    await desk.run(attempt=attempt)
    return sent(desk)


@pytest.mark.parametrize(
    ("written", "begun"), [(2, 3), (100, 101), (0.5, 0.1)], ids=["after a weekend", "after months", "of today"]
)
async def test_a_message_that_no_webhook_brought_is_sent(written: float, begun: float) -> None:
    assert await retried(await an_office(begun), written) == [("text", "Hello")]


@pytest.mark.parametrize(("written", "begun"), [(3, 2), (366, 400)], ids=["before our time", "maybe forgotten"])
async def test_history_is_not(written: float, begun: float) -> None:
    assert await retried(await an_office(begun), written) == []


async def test_what_is_kept_for_a_shorter_time_is_history_sooner() -> None:
    desk = await an_office(30)
    desk.app = dataclasses.replace(desk.app, keep=DAY)
    assert await retried(desk, 2) == []


async def test_another_inbox_that_the_table_named_was_looked_through_for_itself_alone() -> None:
    desk = await an_office(30)
    await desk.fakes.store.set("shop/reconciled", {"since": 0.0, "at": 0.0, "site": "3.5"})
    assert await retried(desk, 2) == []


async def test_when_chatwoot_can_not_be_asked_what_is_not_looked_for_again_says_so() -> None:
    desk = await an_office(30)
    desk.fakes.http.script = [TimedOutError(sent=False)]
    with pytest.raises(Retry):
        await retried(desk, 2)
    with pytest.raises(Reject, match="unknown whether Retry was pressed"):
        await desk.run(attempt=desk.app.context.max_retries)
    desk.handled += 1
    assert await retried(desk, 0.5, attempt=desk.app.context.max_retries) == [], "it is looked for again"
