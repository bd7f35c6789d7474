"""No statement of a day's work reads a table whole that grows with what is stored.

SQLite plans without figures of its own, as wagate never runs ANALYZE there; so an empty database shows what a full one
would do.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import peewee
import pytest

from tests.flow.dashboard import browser
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.storage.database import FILE

pytest_plugins = ("tests.flow.dashboard",)

GROW = "attempts chats contact_keys contacts dedupe deliveries events media media_uses messages"
"""Tables with rows for each message, chat or person."""
READ = ("/api/jobs?status=failed", "/api/targets", "/api/stats", "/api/conversations", "/messages", "/health")
PAGES = (
    *("", "deliveries", "deliveries?state=waiting", "deliveries?state=failed&since=24h", "deliveries?state=handed"),
    *("receivers", "numbers", "conversations", "webhooks", "clients", "audit", "system"),
)
OUT = {"tenant_id": "default", "account": "shop", "to": "+15550000001", "message": "out"}
NOTHING = "(0 = 1)"
"""What peewee makes of an empty list: no row is read."""
WHOLE = re.compile(r"SCAN (\w+)\b(?! USING)")
NAMED = re.compile(r"(?:FROM|JOIN|UPDATE|INTO) \"?(\w+)\"?(?: AS)? \"?(\w+)?")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All that is run on SQLite, with what it was given first: SQLite looks at that when it plans."""
    seen: dict[str, Any] = {}
    execute = peewee.SqliteDatabase.execute_sql

    def noted(db: Any, text: str, params: Any = None, *others: Any, **named: Any) -> Any:
        seen.setdefault(text, params or ())
        return execute(db, text, params, *others, **named)

    monkeypatch.setattr(peewee.SqliteDatabase, "execute_sql", noted)
    return seen


async def test_no_statement_of_a_day_reads_a_table_whole(
    statements: dict[str, Any], running: Gateway, receiver: Sink
) -> None:
    statements.clear()  # migrations read tables whole
    hook = await running.register(receiver.url)
    for number in range(3):
        await running.post(f"text {number}", chat=f"+1555000{number:04}")
    await receiver.until_accepted(3)
    await running.post("said by who has two keys", chat="100000000000007@lid", contact_name="Ana")
    await running.ask("POST", "/api/accounts", 201, json={"name": "shop", "provider": "session"})
    await running.ask("POST", "/messages/send", 202, json=OUT, headers={"Prefer": "respond-async"})
    for path in READ:
        await running.ask("GET", path)
    async with browser(running) as http:
        for page in PAGES:
            assert (await http.get(f"/ui/{page}")).status_code == 200, page
    await running.passes(2 * 3600)
    await running.ask("DELETE", f"/api/webhooks/{hook['id']}", 204)
    whole = []
    with closing(sqlite3.connect(running.folder / "data" / FILE)) as db:
        for text, params in statements.items():
            if NOTHING not in text and text.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")):
                whole += [(name, text) for name in scanned(db, text, params)]
    assert not whole, "\n".join(map(str, whole))


def scanned(db: sqlite3.Connection, text: str, params: Any) -> Iterator[str]:
    """Tables that it would read whole, of those that grow."""
    names = {alias or table: table for table, alias in NAMED.findall(text)}
    names |= {table: table for table in names.values()}
    for *_, step in db.execute(f"EXPLAIN QUERY PLAN {text}", params):
        if "deliveries_target" in step and text.startswith("UPDATE"):
            yield "all that was ever sent to a receiver"
        found = WHOLE.match(step)
        if found and names.get(found[1]) in GROW.split():
            yield names[found[1]]
