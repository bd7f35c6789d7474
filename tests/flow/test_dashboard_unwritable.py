"""The dashboard while the database takes nothing: that is when somebody looks, so pages need reads alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of
from tests.flow.test_dashboard import PAGES
from tests.gateway import TOKEN
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.errors import StorageError
from wagate.storage.database import Database

pytest_plugins = ("tests.flow.dashboard",)

BAR = "wagate can&#39;t write right now: the disk is full. Webhooks are answered 503, so senders keep them."


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Callable[[], None]]:
    """Fills the disk; what that returns empties it."""
    submit = Database._submit

    def full() -> Callable[[], None]:
        async def refuse(database: Database, _work: Any) -> Any:
            raise StorageError(f"{database.where}: the disk is full")

        monkeypatch.setattr(Database, "_submit", refuse)
        return lambda: monkeypatch.setattr(Database, "_submit", submit)

    return full


async def test_every_page_is_shown_and_says_that_nothing_can_be_written(
    running: Gateway, fill: Callable[[], Callable[[], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    await running.ask("POST", "/api/accounts", 201, json={"name": "desk", "provider": "session"})
    async with browser(running) as http:
        assert "write right now" not in (await http.get("/ui/")).text
        empty = fill()
        await running.passes(61)
        overview = (await http.get("/ui/")).text
        assert "wagate&#39;s database" in overview, overview
        for page in PAGES:
            shown = await http.get(f"/ui/{page}")
            assert (shown.status_code, BAR in shown.text) == (200, True), (page, shown.text)
        assert capsys.readouterr().out.count("use of a sign-in not noted") == 1
        empty()
        await running.passes(61)

        async def well() -> bool:
            return BAR not in (await http.get("/ui/numbers")).text

        await running.until(well)


async def test_the_sign_in_says_why_it_does_not_work_and_works_once_it_can(
    running: Gateway, fill: Callable[[], Callable[[], None]]
) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, timeout=60) as http:
        empty = fill()
        answer = await http.post("/ui/signin", data={"token": TOKEN, "next": "/ui/doctor"})
        assert (answer.status_code, BAR in answer.text) == (503, True), answer.text
        assert 'name="token"' in answer.text
        assert 'name="next" value="/ui/doctor"' in answer.text
        assert (await http.post("/ui/signin", data={"token": "a wrong one, of nobody"})).status_code == 401
        empty()
        answer = await http.post("/ui/signin", data={"token": TOKEN, "next": "/ui/doctor"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/doctor")


async def test_an_act_that_is_not_written_says_why_and_not_where(
    running: Gateway, receiver: Sink, fill: Callable[[], Callable[[], None]]
) -> None:
    hook = await running.register(receiver.url)
    async with browser(running) as http:
        secret = fields_of(await http.get("/ui/receivers"))
        fill()
        answer = await http.post(f"/ui/receivers/webhook:{hook['id']}/pause", data=secret)
    assert answer.status_code == 503
    assert "answer right now: the disk is full. Webhooks" in answer.text
    assert str(running.folder) not in answer.text
