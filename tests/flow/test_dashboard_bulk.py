"""An act on more deliveries than one slice has, by the dashboard, while new ones come."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html import unescape
from typing import Any

import peewee
import pytest

from tests.flow.dashboard import browser, fields_of
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.storage.deliveries.bulk import MOST_RUNNING

pytest_plugins = ("tests.flow.dashboard",)

MANY = 1204
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


def copy_failed(gateway: Gateway, job: str, many: int = MANY, *, chats: int = 0) -> None:
    """Have as many like this delivery as make so many together; the others are newer, and of so many more chats."""
    with closing(sqlite3.connect(gateway.folder / "data" / "wagate.db", timeout=30)) as db, db:
        names = [row[1] for row in db.execute("PRAGMA table_info(deliveries)")]
        other = {"id": "substr(id, 1, 30) || printf('%06d', n)"}
        other |= {each: f"{each} || (n % {chats})" for each in ("key", "chat") if chats}
        taken = [other.get(each, each) for each in names]
        db.execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
            f"INSERT INTO deliveries ({', '.join(names)}) SELECT {', '.join(taken)} "
            "FROM deliveries, numbers WHERE id = ?",
            (many - 1, job),
        )


def set_state(gateway: Gateway, hook: dict[str, Any], since: str) -> None:
    with closing(sqlite3.connect(gateway.folder / "data" / "wagate.db", timeout=30)) as db, db:
        db.execute(f"UPDATE targets SET {since} = updated_at WHERE id = ?", (f"webhook:{hook['id']}",))


async def test_1204_are_shown_typed_and_run_once_and_later_ones_are_not_among_them(
    running: Gateway, receiver: Sink
) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    receiver.script = lambda _: 400
    await running.post("the first")
    copy_failed(running, (await running.event(hook, "the first", "failed"))["id"], chats=40)
    query = f"state=failed&target=webhook:{hook['id']}"
    async with browser(running) as http:
        assert "Retry all 1,204 that match …" in (await http.get(f"/ui/deliveries?{query}")).text
        shown = await http.get(f"/ui/deliveries/bulk?{query}&do=retry-all")
        assert "Retry 1,204 failed deliveries to Order bot?" in shown.text
        form = fields_of(shown) | {"shown": re.search(r'name="shown" value="([^"]+)"', shown.text)[1]}  # type: ignore[index]
        await running.post("a later one", chat="+12025550119")
        later = (await running.event(hook, "a later one", "failed"))["id"]
        receiver.script = lambda _: 200
        path = f"/ui/deliveries/bulk?{query}&do=retry-all"
        assert "Type 1,204 to confirm" in (await http.post(path, data=form | {"typed": "1203"})).text
        started = await http.post(path, data=form | {"typed": "1,204"})
        again = await http.post(path, data=form | {"typed": "1,204"})
        assert (again.status_code, again.headers["location"]) == (303, started.headers["location"])
        await running.post("while it runs", chat="+12025550120")
        await receiver.until_accepted(MANY + 1)
        for _ in range(100):
            page = (await http.get(started.headers["location"])).text
            if "1,204 done, of 1,204" in page:
                break
            await running.passes(1)
        assert "1,204 done, of 1,204" in page
        reloaded = await http.post(path, data=form | {"typed": "1,204"})
        assert reloaded.headers["location"] == started.headers["location"]
        assert (await http.get("/ui/bulk")).text.count("Retry all, done") == 1
        assert (await http.get("/ui/audit")).text.count("1,204 deliveries") == 1
    assert later not in {got.id for got in receiver.accepted}
    assert receiver.duplicates == 0


async def test_of_more_than_100_000_it_says_at_least_and_who_fails_among_all(running: Gateway, receiver: Sink) -> None:
    receiver.script = lambda _: 400
    crm = await running.register(receiver.url, name="CRM sync")
    await running.post("the oldest")
    await running.event(crm, "the oldest", "failed")
    await running.ask("POST", f"/api/webhooks/{crm['id']}/toggle", json={"is_active": False})
    bot = await running.register(receiver.url, name="Order bot")
    await running.passes(3 * 3600)
    await running.post("a later one", chat="+12025550119")
    copy_failed(running, (await running.event(bot, "a later one", "failed"))["id"], 100_001)
    set_state(running, crm, "down_since")
    set_state(running, bot, "paused_at")
    path = "/ui/deliveries/bulk?state=failed&do=retry-all"
    async with browser(running) as http:
        shown = await http.get(path)
        said = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", unescape(shown.text)))
        for each in (
            "Retry more than 100,000 failed deliveries?",
            "CRM sync is failing now.",
            "Receivers Order bot (at least 100,000)",
            "Chats at least 1 ",
            "Oldest stored 3 h ago",
            "Type 100,000 to confirm",
        ):
            assert each in said, said
        assert ">Retry more than 100,000</button>" in shown.text
        form = fields_of(shown) | {"shown": re.search(r'name="shown" value="([^"]+)"', shown.text)[1]}  # type: ignore[index]
        assert (await http.post(path, data=form | {"typed": "100,001"})).status_code == 422
        started = await http.post(path, data=form | {"typed": "100,000"})
        page = await http.get(started.headers["location"])
        assert ("of more than 100,000." in page.text, '<progress aria-label="Progress">' in page.text) == (True, True)
        stop = await http.post(f"{started.headers['location']}/stop", data=fields_of(page))
        assert stop.status_code == 303
        stopped = (await http.get(started.headers["location"])).text
        assert ('id="act-state">stopped<' in stopped, "data-live" in stopped) == (True, False)
        assert "more than 100,000 deliveries" in (await http.get("/ui/audit")).text


async def test_more_than_five_that_fail_are_not_forgotten(running: Gateway, receiver: Sink) -> None:
    receiver.script = lambda _: 400
    hooks = [await running.register(receiver.url, name=f"Till {number}") for number in range(7)]
    await running.post("hello")
    for hook in hooks:
        await running.event(hook, "hello", "failed")
    copy_failed(running, (await running.event(hooks[0], "hello", "failed"))["id"], 2)
    for hook in hooks[1:]:
        set_state(running, hook, "paused_at")
    async with browser(running) as http:
        path = "/ui/deliveries/bulk?state=failed&do=retry-all"
        assert "<b>Till 0 is failing now.</b>" in (await http.get(path)).text
        with closing(sqlite3.connect(running.folder / "data" / "wagate.db", timeout=30)) as db, db:
            db.execute("UPDATE targets SET paused_at = NULL")
        assert " and others are failing now.</b>" in (await http.get(path)).text
        assert "failing now" not in (await http.get(path.replace("retry-all", "cancel-all"))).text


async def test_what_can_not_be_looked_up_in_time_is_said_and_logged(
    running: Gateway, receiver: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    receiver.script = lambda _: 400
    await running.post("hello")
    await running.event(hook, "hello", "failed")

    def endless(db: peewee.Database, *_: Any, **__: Any) -> None:
        db.execute_sql(ENDLESS).fetchall()

    for name in ("failing_of", "reach_of"):
        monkeypatch.setattr(f"wagate.web.ui.bulk.{name}", endless)
    async with browser(running) as http:
        page = await http.get("/ui/deliveries/bulk?state=failed&do=retry-all")
        assert "Whether one of the receivers is failing now could not be looked up in time." in page.text
        assert page.text.count("could not be looked up in time") == 2
        assert ">Retry 1</button>" in page.text
    assert capsys.readouterr().out.count("matches not looked through") == 2


async def test_what_was_selected_is_given_up_only_after_a_question(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    await running.ask("POST", f"/api/targets/webhook:{hook['id']}/pause")
    for text in ("one", "two", "three"):
        await running.post(text)
    jobs = [(await running.event(hook, text, "pending"))["id"] for text in ("one", "two")]
    page = "/ui/deliveries?state=pending"
    async with browser(running) as http:
        form = fields_of(await http.get(page)) | {"id": jobs, "do": "cancel", "to": page}
        asked = await http.post("/ui/deliveries", data=form)
        assert (asked.status_code, "Give up two deliveries?" in asked.text) == (200, True), asked.text
        assert [(await running.event(hook, text))["status"] for text in ("one", "two")] == ["pending", "pending"]
        sent = fields_of(asked) | {"id": re.findall(r'name="id" value="([^"]+)"', asked.text), "do": "cancel"}
        done = await http.post("/ui/deliveries", data=sent | {"asked": "yes", "to": page, "why": "the shop has closed"})
        assert done.headers["location"] == f"{page}&said=gone-2"
        found = [(await running.event(hook, text))["status"] for text in ("one", "two", "three")]
        assert found == ["cancelled", "cancelled", "pending"]
        assert (await http.get("/ui/audit")).text.count("the shop has closed") == 2
        three = (await running.event(hook, "three"))["id"]
        ids = [jobs[0], three, "01980000-0000-7000-8000-000000000000"]
        some = await http.post("/ui/deliveries", data=sent | {"asked": "yes", "to": page, "id": ids})
        assert some.headers["location"] == f"{page}&said=gone-1-2", "one was given up before, one never was"
        said = (await http.get(some.headers["location"])).text
        assert "1 delivery. Given up. The message stays in the archive. 2 not done: changed in the meantime" in said
        assert (await http.get("/ui/audit")).text.count(">give up<") == 3
        assert (await http.post("/ui/deliveries", data=sent | {"do": "burn"})).status_code == 404
        foreign = await http.post("/ui/deliveries", data=form | {"to": "https://evil.test/ui/"})
        assert ('href="/ui/"' in foreign.text, "evil.test" in foreign.text) == (True, False)


def write(gateway: Gateway, text: str, *values: Any) -> None:
    with closing(sqlite3.connect(gateway.folder / "data" / "wagate.db", timeout=30)) as db, db:
        db.execute(text, values)


def add_act(gateway: Gateway, refused: list[str], client: int | None = None) -> str:
    """One that another process is at work on, for a hundred years, and that was refused for these."""
    made, later = "01980000-0000-7000-8000-000000000001", "2999-01-01T00:00:00.000000Z"
    write(
        gateway,
        "INSERT INTO bulk (id, client_id, who, verb, which, until, after, state, done, refused, total, reasons, "
        "holder, held_until, created_at, updated_at) VALUES (?, ?, 'admin', 'retry', '{}', '', '', 'running', 7, ?, "
        "1204, '{\"<i>gone</i>\": 1}', 'another', ?, ?, ?)",
        *(made, client, len(refused), later, later, later),
    )
    for each in refused:
        write(gateway, "INSERT INTO bulk_refused VALUES (?, ?, '<i>gone</i>')", made, each)
    return made


async def test_what_was_refused_is_listed_with_links_page_by_page_without_a_script(
    running: Gateway, receiver: Sink
) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    await running.post("hello", chat="+12025550119")
    job = (await running.event(hook, "hello", "delivered"))["id"]
    made = add_act(running, [job, *(f"gone-{number:04}" for number in range(70))])
    token = (await running.client("other"))["token"]
    async with browser(running) as http, browser(running, token) as foreign:
        page = (await http.get(f"/ui/bulk/{made}")).text
        assert f'<a href="/ui/deliveries/{job}"><code>{job}</code></a>' in page
        assert ("+12025550119" in page, "Order bot" in page, page.count("deleted since")) == (True, True, 49)
        assert ("<i>gone" in page, page.count("&lt;i&gt;gone&lt;/i&gt;")) == (False, 51)
        assert ("7 done, 71 refused, of 1,204." in page, ">Refresh</a>" in page) == (True, True)
        [more] = re.findall(r'href="([^"]+)">Next page</a>', page)
        rest = (await http.get(unescape(more))).text
        assert (rest.count("deleted since"), ">Next page</a>" in rest, ">First page</a>" in rest) == (21, False, True)
        write(running, "UPDATE bulk SET refused = 1204")
        assert "The first 1,000 of them are listed." in (await http.get(f"/ui/bulk/{made}")).text
        write(running, "DELETE FROM bulk_refused")
        assert "kept of newer actions only" in (await http.get(f"/ui/bulk/{made}")).text
        for path in (f"/ui/bulk/{made}", f"/ui/live?page=bulk&thing={made}", "/ui/live?page=bulk"):
            assert (await foreign.get(path)).status_code == 404, path


async def test_the_stream_of_an_act_moves_figures_alone_and_ends_with_it(running: Gateway, receiver: Sink) -> None:
    made = add_act(running, ["gone"])
    async with browser(running) as http:
        page = (await http.get(f"/ui/bulk/{made}")).text
        [live] = re.findall(r'data-live="([^"]+)"', page)
        async with http.stream("GET", unescape(live)) as stream:
            texts = stream.aiter_text()
            first = await texts.__anext__()
            assert 'value="8"' in first, first
            assert 'id="act-state">running<' in first
            assert 'id="more"></span>' in first
            write(running, "UPDATE bulk SET done = 9, refused = 3")
            second = await texts.__anext__()
            assert "9 done, 3 refused, of 1,204." in second, second
            assert "2 more were refused. Show which" in second
            assert "act-state" not in second
            write(running, "UPDATE bulk SET done = 1201, state = 'done'")
            rest = "".join([text async for text in texts])
        assert 'id="act-state">done<' in rest, rest
        assert "Done · retry all" in rest
        assert rest.index("event: patch") < rest.index("event: over")
        assert re.search("<(form|button|tr|ul)", first + second + rest) is None
        over = (await http.get(f"/ui/bulk/{made}")).text
        assert ("data-live" in over, ">Stop</button>" in over, ">Refresh</a>" in over) == (False, False, False)
        async with http.stream("GET", unescape(live)) as stream:
            assert "event: over" in "".join([text async for text in stream.aiter_text()])


async def test_a_stop_that_came_too_late_is_no_act(running: Gateway) -> None:
    made = add_act(running, [])
    async with browser(running) as http:
        page = await http.get(f"/ui/bulk/{made}")
        write(running, "UPDATE bulk SET state = 'done'")
        stopped = await http.post(f"/ui/bulk/{made}/stop", data=fields_of(page))
        assert stopped.headers["location"] == f"/ui/bulk/{made}?said=settled"
        assert ">stop<" not in (await http.get("/ui/audit")).text


async def test_one_act_too_many_is_refused_where_it_was_asked_for(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    receiver.script = lambda _: 400
    await running.post("hello")
    await running.event(hook, "hello", "failed")
    first = add_act(running, [], client=1)
    for number in range(1, MOST_RUNNING):
        write(
            running,
            "INSERT INTO bulk SELECT ?, client_id, who, verb, which, until, after, state, done, refused, total, "
            "reasons, holder, held_until, created_at, updated_at FROM bulk WHERE id = ?",
            f"{first[:-2]}{number + 10}",
            first,
        )
    path = "/ui/deliveries/bulk?state=failed&do=retry-all&client=default"
    async with browser(running) as http:
        shown = await http.get(path)
        form = fields_of(shown) | {"shown": re.search(r'name="shown" value="([^"]+)"', shown.text)[1]}  # type: ignore[index]
        busy = await http.post(path, data=form)
        assert busy.status_code == 409
        assert f"{MOST_RUNNING} bulk actions are already running; wait, or stop one." in busy.text
        assert ('<a href="/ui/bulk">Bulk actions</a>' in busy.text, ">Retry 1</button>" in busy.text) == (True, True)
        write(running, "UPDATE bulk SET state = 'done' WHERE id = ?", first)
        again = fields_of(busy) | {"shown": re.search(r'name="shown" value="([^"]+)"', busy.text)[1]}  # type: ignore[index]
        assert (await http.post(path, data=again)).status_code == 303
