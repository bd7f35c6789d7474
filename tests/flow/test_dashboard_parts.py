"""A part of the overview that can't be read says so in its own card, and the others stand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flow.dashboard import browser
from tests.inprocess import Gateway
from wagate.errors import StorageError

pytest_plugins = ("tests.flow.dashboard",)

PARTS = {
    "wagate.web.ui.overview.lately": "The last hour",
    "wagate.web.ui.overview.read_buckets": "The last 24 hours",
    "wagate.web.inbound.refusals.list_refusals": "Refused webhooks",
}


@pytest.mark.parametrize("broken", PARTS)
async def test_a_part_that_fails_says_so_with_the_time_and_the_others_stand(
    running: Gateway, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise StorageError("the disk gave an input/output error")

    await running.register("https://localhost:1/hook", name="Order bot")
    await running.ask("POST", "/api/accounts", 201, json={"name": "desk", "provider": "session"})
    async with browser(running) as http:
        whole = await http.get("/ui/?client=default")
        assert (whole.status_code, "could not be read" in whole.text) == (200, False)
        monkeypatch.setattr(broken, fails)
        page = await http.get("/ui/?client=default")
        assert page.status_code == 200, page.text
        for what in PARTS.values():
            assert (f"<b>{what} could not be read</b> at" in page.text) is (what == PARTS[broken]), what
        assert 'href="/ui/?client=default">Retry<' in page.text
        for other in ("Order bot", "desk", "Waiting", ">Receivers</h2>", ">Numbers</h2>"):
            assert other in page.text
        async with http.stream("GET", "/ui/live?page=overview") as stream:
            first = await anext(stream.aiter_text())
        assert "f-waiting" in first
        assert ('<span id="f-in">–</span>' in first) is broken.endswith("lately")


async def test_what_is_no_fault_of_the_database_is_no_part_that_failed(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("wagate.web.ui.overview.lately", fails)
    await running.ask("POST", "/api/accounts", 201, json={"name": "desk", "provider": "session"})
    async with browser(running) as http:
        assert (await http.get("/ui/")).status_code == 500
