"""An act on more deliveries than one slice has, by the dashboard, while new ones come."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

from tests.flow.dashboard import browser, fields_of
from tests.inprocess import Gateway
from tests.sink import Sink

pytest_plugins = ("tests.flow.dashboard",)

MANY = 1204


def copy_failed(gateway: Gateway, job: str) -> None:
    """Have as many like this delivery as make `MANY` together."""
    with closing(sqlite3.connect(gateway.folder / "data" / "wagate.db", timeout=30)) as db, db:
        names = [row[1] for row in db.execute("PRAGMA table_info(deliveries)")]
        taken = ["substr(id, 1, 31) || printf('%05d', n)" if each == "id" else each for each in names]
        db.execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
            f"INSERT INTO deliveries ({', '.join(names)}) SELECT {', '.join(taken)} "
            "FROM deliveries, numbers WHERE id = ?",
            (MANY - 1, job),
        )


async def test_1204_are_shown_typed_and_run_once_and_later_ones_are_not_among_them(
    running: Gateway, receiver: Sink
) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    receiver.script = lambda _: 400
    await running.post("the first")
    copy_failed(running, (await running.event(hook, "the first", "failed"))["id"])
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
        await running.post("while it runs", chat="+12025550120")
        await receiver.until_accepted(MANY + 1)
        for _ in range(100):
            page = (await http.get(started.headers["location"])).text
            if "1,204 done, of 1,204" in page:
                break
            await running.passes(1)
    assert "1,204 done, of 1,204" in page
    assert later not in {got.id for got in receiver.accepted}
    assert receiver.duplicates == 0
