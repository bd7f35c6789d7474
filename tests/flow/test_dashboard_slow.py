"""A list that takes longer than a page may, while all else is well: the page says what would be quicker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flow.dashboard import browser
from tests.inprocess import Gateway
from wagate.storage.statement import rows

pytest_plugins = ("tests.flow.dashboard",)

SLOW = "That took too long. Add a receiver or a time."


def stalls(db: Any, *_: Any, **__: Any) -> Any:
    """Never ends; the limit of a page's reads breaks it off."""
    return rows(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")


async def test_a_list_that_takes_too_long_says_so_and_keeps_the_filter(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.context.deliveries.list_deliveries", stalls)
    async with browser(running) as http:
        page = await http.get("/ui/deliveries?state=failed&number=front-desk&since=24h")
        assert page.status_code == 503
        assert SLOW in page.text
        assert 'href="#filter"' in page.text
        assert 'id="filter"' in page.text
        assert 'value="front-desk"' in page.text
        assert '<option value="24h" selected>' in page.text
        for not_so in ("can't answer", "answered 503", "Nothing matches", "Nothing was delivered"):
            assert not_so not in page.text.replace("&#39;", "'")


async def test_a_count_that_takes_too_long_leaves_the_list(running: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.web.ui.deliveries.count_matching", stalls)
    monkeypatch.setattr("wagate.web.ui.deliveries.PAGE", 1)
    await running.register("https://localhost:1/hook", name="one")
    await running.post("first")
    await running.post("second")
    async with browser(running) as http:
        page = await http.get("/ui/deliveries?since=24h")
        assert (page.status_code, "Retry all that match …" in page.text) == (200, True), page.text


async def test_the_question_before_an_act_on_many_leads_back_to_the_filter(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.web.ui.bulk.count_matching", stalls)
    async with browser(running) as http:
        page = await http.get("/ui/deliveries/bulk?state=failed&do=retry-all")
        assert (page.status_code, SLOW in page.text) == (503, True), page.text
        assert 'href="/ui/deliveries?state=failed&amp;do=retry-all"' in page.text


async def test_any_other_page_that_takes_too_long_is_no_outage(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.web.ui.bulk.list_bulk", stalls)
    async with browser(running) as http:
        page = await http.get("/ui/bulk")
        assert (page.status_code, "answered 503" in page.text) == (503, False), page.text
        assert "That took too long." in page.text
        assert '<a class="b go" href="/ui/bulk">Try again</a>' in page.text
