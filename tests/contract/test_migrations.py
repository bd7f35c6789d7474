"""One file for both databases, and databases that an older version made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.rows import NOW, intake, route
from tests.schema import schema
from wagate.config.vault import Vault
from wagate.storage.backend import migrate
from wagate.storage.backend.migrate import migrations, statements
from wagate.storage.database import Database, open_database
from wagate.storage.deliveries.lanes import take_seqs
from wagate.storage.events.intake import store
from wagate.storage.fields import time_text
from wagate.storage.outbox.messages import Submission, submit
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.endpoints import WebhookChange, list_webhooks, patch_webhook
from wagate.storage.passes import list_links
from wagate.storage.statement import rows, run
from wagate.storage.upkeep.reencrypt import reencrypt
from wagate_webhook.options import Options, read_options, to_store

GOLDEN = Path(__file__).parent.parent / "golden/schema"
"""The form after migration 3, when each database had files of its own."""
TWINS = 3
BEFORE_USES = 31


@pytest.fixture
def has_tables() -> bool:
    """Migrations are the matter here: they begin with nothing."""
    return False


@asynccontextmanager
async def of_version(count: int, url: str, folder: Path) -> AsyncIterator[Database]:
    """The database as a version made it that knew so many migrations."""
    with patch.object(migrate, "migrations", lambda dialect: migrations(dialect)[:count]):
        async with open_database(url, folder) as database:
            yield database


async def test_one_file_makes_of_both_databases_what_two_files_made(database_url: str, tmp_path: Path) -> None:
    async with of_version(TWINS, database_url, tmp_path) as database:
        form = await database.read(schema)
        names = await database.read(rows, "SELECT number, name FROM migrations ORDER BY number")
    assert names == [(1, "0001_tables"), (2, "0002_views"), (3, "0003_sending")]
    assert form == (GOLDEN / f"{database.dialect}.txt").read_text("utf-8")


def test_a_marked_line_is_for_one_database_and_words_are_translated() -> None:
    text = "-- A file.\nCREATE TABLE a (\n  b BIGINT, -- sqlite\n  b JSONB, -- postgres\n  c BOOLEAN\n);\nSELECT 1;\n"
    assert statements(text, "sqlite") == ("-- A file.\nCREATE TABLE a (\n  b INTEGER,\n  c INTEGER\n)", "SELECT 1")
    assert statements(text, "postgres") == ("-- A file.\nCREATE TABLE a (\n  b JSONB,\n  c BOOLEAN\n)", "SELECT 1")


OLD_CLIENT = "INSERT INTO clients (slug, name, created_at, updated_at) VALUES ('default', 'Default', ?, ?)"
OLD_ROW = (
    "INSERT INTO webhooks (id, client_id, phone_number, name, webhook_url, events, format, headers, secrets, metadata,"
    " created_at, updated_at) VALUES ('w1', 1, '*', 'crm', 'https://a', '[\"*\"]', ?, ?, ?, '{\"a\":1}', ?, ?)"
)


@pytest.mark.parametrize("count", range(1, TWINS + 1))
async def test_a_webhook_that_an_older_version_stored_keeps_its_options(
    count: int, database_url: str, tmp_path: Path
) -> None:
    vault = Vault(["the passphrase of the old one"])
    headers, secrets = vault.encrypt('{"Authorization":"Bearer x"}'), vault.encrypt('[{"secret":"whsec_a"}]')
    moment = time_text(NOW)
    async with of_version(count, database_url, tmp_path) as database:
        await database.write(run, OLD_CLIENT, (moment, moment))
        await database.write(run, OLD_ROW, ("waha", headers, secrets, moment, moment))
    async with open_database(database_url, tmp_path) as database:
        [row] = (await database.read(list_webhooks, "webhook", limit=2)).data
        options = read_options(row.options, vault.decrypt)
        assert options == Options(format="waha", headers={"Authorization": "Bearer x"})
        assert (row.events, row.metadata, row.created_at, vault.decrypt(row.secrets)) == (
            ["*"],
            {"a": 1},
            NOW,
            '[{"secret":"whsec_a"}]',
        )
        change = WebhookChange(options=to_store({"timeout": 5, "headers": None}, vault.encrypt, row.options))
        changed = await database.write(patch_webhook, "webhook", "w1", change, now=NOW)
        assert changed.options == {"version": 1, "format": "waha", "timeout": 5}
        shown = await database.read(rows, "SELECT id, phone_number, webhook_url, status FROM whatsapp_webhooks")
        assert shown == [("w1", "*", "https://a", "active")]


async def test_the_key_of_an_old_webhooks_headers_can_be_dropped(database_url: str, tmp_path: Path) -> None:
    old, new = "the passphrase of the old one", "the passphrase of the new one"
    moment = time_text(NOW)
    async with of_version(TWINS, database_url, tmp_path) as database:
        await database.write(run, OLD_CLIENT, (moment, moment))
        sealed = Vault([old]).encrypt('{"X-A":"b"}')
        await database.write(run, OLD_ROW, ("flat", sealed, "", moment, moment))
    async with open_database(database_url, tmp_path) as database:
        assert await database.write(reencrypt, Vault([new, old]).rotate) == 1
        [row] = (await database.read(list_webhooks, "webhook", limit=2)).data
        assert read_options(row.options, Vault([new]).decrypt).headers == {"X-A": "b"}


BEFORE_IDS = 4


async def test_what_an_older_version_stored_by_an_accounts_name_is_found_by_its_id(
    database_url: str, tmp_path: Path
) -> None:
    moment, before = time_text(NOW), time_text(NOW.replace(year=2020))
    async with of_version(BEFORE_IDS, database_url, tmp_path) as database:
        await database.write(run, OLD_CLIENT, (moment, moment))
        await database.write(run, OLD_ACCOUNT, ("a1", "main", before, before))
        for number, account in ((1, "main"), (2, "main"), (3, "gone")):
            values = (f"e{number}", account, b"", moment, moment)
            await database.write(run, OLD_EVENT, values)
            for handler, target in (("webhook", "w1"), ("outbound", account)):
                whole = f"{handler}:{target}"
                key = f"{whole}|{account}|1@c.us"
                values = (f"{handler}{number}", f"e{number}", handler, whole, key, number + 40, account, moment, moment)
                await database.write(run, OLD_DELIVERY, values)
        target = "INSERT INTO targets (id, handler, client_id, updated_at) VALUES (?, 'outbound', 1, ?)"
        for account in ("main", "gone"):
            await database.write(run, target, (f"outbound:{account}", moment))
    async with open_database(database_url, tmp_path) as database:
        assert await database.read(rows, "SELECT account_id FROM events ORDER BY id") == [("a1",), ("a1",), ("",)]
        found = await database.read(rows, "SELECT id, key, seq FROM deliveries ORDER BY id")
        assert found == [
            ("outbound1", "outbound:a1|a1|1@c.us", 41),
            ("outbound2", "outbound:a1|a1|1@c.us", 42),
            ("outbound3", "outbound:gone|gone|1@c.us", 43),
            ("webhook1", "webhook:w1|a1|1@c.us", 41),
            ("webhook2", "webhook:w1|a1|1@c.us", 42),
            ("webhook3", "webhook:w1|gone|1@c.us", 43),
        ]
        assert await database.write(take_seqs, ["webhook:w1|a1|1@c.us"]) == [43]
        assert await database.read(rows, "SELECT id FROM targets") == [("outbound:a1",)]


OLD_ACCOUNT = (
    "INSERT INTO accounts (id, name, client_id, provider, created_at, updated_at) VALUES (?, ?, 1, 'meta', ?, ?)"
)
OLD_EVENT = (
    "INSERT INTO events (id, client_id, account, phone, provider, kind, chat, sender, recipient, message_id, type, "
    "content, from_me, extra, metadata, raw, timestamp, created_at) "
    "VALUES (?, 1, ?, '', 'meta', 'message', '1@c.us', '', '', '', '', '', FALSE, '{}', '{}', ?, ?, ?)"
)
OLD_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, handler, target_id, key, seq, client_id, account, chat, mode, max_retries, "
    "created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, '1@c.us', 'push', 3, ?, ?)"
)


BEFORE_BARE_IDS = 7


async def test_what_an_older_version_stored_by_whole_ids_is_found_by_bare_ones(
    database_url: str, tmp_path: Path
) -> None:
    group = "120363000000000001@g.us"
    ids = {
        "wamid.A_b": "wamid.A_b",
        "true_15550002222@c.us_3EB0": "3EB0",
        f"false_{group}_3EB1_15550002222@c.us": "3EB1",
        "true_15550002222@c.us_": "true_15550002222@c.us_",
        "": "",
    }
    moment = time_text(NOW)
    event = (
        "INSERT INTO events (id, client_id, account, phone, provider, kind, chat, sender, recipient, message_id, type, "
        "content, from_me, extra, metadata, raw, timestamp, created_at) VALUES "
        "(?, 1, 'main', '', 'waha', 'message', '', '', '', ?, '', '', FALSE, '{}', '{}', ?, ?, ?)"
    )
    message = (
        "INSERT INTO messages (id, client_id, account, provider, chat, type, message, provider_id, event_id, "
        "delivery_id, source, created_at, updated_at) "
        "VALUES (?, 1, 'main', 'waha', '', '', '{}', ?, '', '', 'api', ?, ?)"
    )
    async with of_version(BEFORE_BARE_IDS, database_url, tmp_path) as database:
        for number, whole in enumerate(ids):
            await database.write(run, event, (f"e{number}", whole, b"", moment, moment))
            await database.write(run, message, (f"m{number}", whole, moment, moment))
    async with open_database(database_url, tmp_path) as database:
        assert dict(await database.read(rows, "SELECT message_id, bare_id FROM events")) == ids
        assert dict(await database.read(rows, "SELECT provider_id, bare_id FROM messages")) == ids


BEFORE_LESS = 27


async def test_a_link_made_before_links_could_show_less_shows_all(database_url: str, tmp_path: Path) -> None:
    moment = time_text(NOW)
    known = [each.number for each in migrations("sqlite")]
    async with of_version(sum(each <= BEFORE_LESS for each in known), database_url, tmp_path) as database:
        text = (
            "INSERT INTO links (id, hash, kind, client_id, account_id, may_act, note, created_at, expires_at) "
            "VALUES ('l1', 'h', 'client', 1, '', TRUE, '', ?, ?)"
        )
        await database.write(run, text, (moment, time_text(NOW.replace(year=2099))))
    async with open_database(database_url, tmp_path) as database:
        [link] = await database.read(list_links, "client", 1, NOW)
        assert (link.sees, link.may_act) == ("all", True)


async def test_files_that_wait_with_what_an_older_version_stored_are_known(database_url: str, tmp_path: Path) -> None:
    coming, sending = intake(), intake(routes=(route("outbound:main"),))
    before = sum(each.number < BEFORE_USES for each in migrations("sqlite"))
    async with of_version(before, database_url, tmp_path) as database:
        await database.write(ensure_default_client, now=NOW)
        await database.write_bulk(store, coming)
        await database.write_bulk(submit, Submission(id="m1", intake=sending, message={}, source="api"))
        await database.write(run, "UPDATE events SET extra = ? WHERE id = ?", ('{"media_id":"f1"}', coming.event.id))
        await database.write(run, "UPDATE messages SET message = ?", ('{"media":{"media_id":"f2"}}',))
    async with open_database(database_url, tmp_path) as database:
        found = await database.read(rows, "SELECT media_id, event_id FROM media_uses ORDER BY media_id")
    assert found == [("f1", coming.event.id), ("f2", sending.event.id)]
