"""Clients, tokens, accounts and registered endpoints, on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.rows import NOW, intake, route
from wagate.errors import ConflictError, NotFoundError
from wagate.events import SessionChange
from wagate.storage.database import Database, open_database
from wagate.storage.events.intake import Intake, store
from wagate.storage.events.listing import list_deliveries
from wagate.storage.owners.accounts import (
    AccountChange,
    ChangedMeanwhileError,
    NewAccount,
    create_account,
    delete_account,
    drop_idle_sessions,
    get_account,
    lapse_qrs,
    list_accounts,
    patch_account,
    put_config_accounts,
)
from wagate.storage.owners.clients import (
    add_client,
    add_token,
    delete_client,
    ensure_default_client,
    get_client,
    list_clients,
    list_tokens,
    rename_client,
    revoke_token,
    touch_tokens,
)
from wagate.storage.owners.endpoints import (
    NewWebhook,
    WebhookChange,
    create_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
    patch_webhook,
)
from wagate.storage.owners.revision import revision
from wagate.storage.rows import ClientRow
from wagate.storage.statement import rows, run

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
async def default(database: Database) -> ClientRow:
    return await database.write(ensure_default_client, now=NOW)


async def test_the_default_client_is_made_once_and_stays(database: Database) -> None:
    first = await database.write(ensure_default_client, now=NOW)
    assert await database.write(ensure_default_client, now=LATER) == first
    assert first.id == 1
    with pytest.raises(ConflictError):
        await database.write(delete_client, "default", now=NOW)


async def test_a_client_is_added_renamed_listed_and_deleted(database: Database, default: ClientRow) -> None:
    added = await database.write(add_client, slug="acme", name="Acme", now=NOW)
    assert (added.slug, added.name, added.created_at) == ("acme", "Acme", NOW)
    with pytest.raises(ConflictError):
        await database.write(add_client, slug="acme", name="", now=NOW)
    renamed = await database.write(rename_client, "acme", name="A", now=LATER)
    assert (renamed.id, renamed.name, renamed.updated_at) == (added.id, "A", LATER)
    assert await database.read(list_clients) == [default, renamed]
    await database.write(delete_client, "acme", now=NOW)
    with pytest.raises(NotFoundError):
        await database.read(get_client, "acme")


async def test_deleting_a_client_takes_all_it_has_and_cancels_what_waits(database: Database) -> None:
    client = await database.write(add_client, slug="acme", name="", now=NOW)
    await database.write(add_token, client_id=client.id, digest="h", name="", now=NOW)
    await database.write(create_account, NewAccount(name="a", client_id=client.id, provider="meta"), now=NOW)
    await database.write(create_webhook, "webhook", webhook(client.id), now=NOW)
    await database.write_bulk(store, intake(client_id=client.id))
    await database.write(delete_client, "acme", now=LATER)
    assert await database.read(list_tokens, client.id) == []
    assert await database.read(list_accounts) == []
    assert (await database.read(list_webhooks, "webhook", limit=10)).data == []
    (detail,) = (await database.read(list_deliveries, limit=10)).data
    assert (detail.delivery.status, detail.delivery.settled, detail.event.tenant) == ("cancelled", True, "")


async def test_tokens_are_listed_touched_and_revoked(database: Database, default: ClientRow) -> None:
    made = await database.write(add_token, client_id=default.id, digest="h1", name="n8n", now=NOW)
    assert await database.read(list_tokens, default.id) == [made]
    await database.write(touch_tokens, {"h1": LATER})
    assert [token.last_used_at for token in await database.read(list_tokens, default.id)] == [LATER]
    with pytest.raises(NotFoundError):
        await database.write(revoke_token, client_id=default.id + 1, token_id=made.id)
    await database.write(revoke_token, client_id=default.id, token_id=made.id)
    assert await database.read(list_tokens, default.id) == []


async def test_every_change_of_owners_raises_the_revision(database: Database, default: ClientRow) -> None:
    before = await database.read(revision)
    await database.write(add_token, client_id=default.id, digest="h", name="", now=NOW)
    await database.write(create_account, NewAccount(name="a", client_id=default.id, provider="meta"), now=NOW)
    made = await database.write(create_webhook, "webhook", webhook(default.id), now=NOW)
    await database.write(patch_webhook, "webhook", made.id, WebhookChange(is_active=False), now=NOW)
    assert await database.read(revision) == before + 4


async def test_account_names_are_unique_over_all_clients(database: Database, default: ClientRow) -> None:
    other = await database.write(add_client, slug="other", name="", now=NOW)
    new = NewAccount(name="main", client_id=default.id, provider="meta", metadata={"a": 1}, settings="x")
    made = await database.write(create_account, new, now=NOW, most=1)
    assert (made.tenant, made.metadata, made.status, made.source) == ("default", {"a": 1}, "initializing", "api")
    with pytest.raises(ConflictError) as taken:
        await database.write(create_account, NewAccount(name="main", client_id=other.id, provider="waha"), now=NOW)
    assert "default" not in str(taken.value)
    with pytest.raises(ConflictError):
        await database.write(
            create_account, NewAccount(name="more", client_id=default.id, provider="meta"), now=NOW, most=1
        )
    with pytest.raises(NotFoundError):
        await database.read(get_account, "main", client_id=other.id)


async def test_an_account_is_changed_and_deleted_by_its_owner_only(database: Database, default: ClientRow) -> None:
    await database.write(create_account, NewAccount(name="a", client_id=default.id, provider="meta"), now=NOW)
    change = AccountChange(phone="5511", ignore={"groups": True})
    with pytest.raises(NotFoundError):
        await database.write(patch_account, "a", change, now=LATER, client_id=default.id + 1)
    changed = await database.write(patch_account, "a", change, now=LATER, client_id=default.id)
    assert (changed.phone, changed.ignore, changed.provider, changed.updated_at) == (
        "5511",
        {"groups": True},
        "meta",
        LATER,
    )
    await database.write(delete_account, "a")
    assert await database.read(list_accounts) == []


async def test_settings_that_another_process_is_writing_are_not_overwritten(
    database: Database, default: ClientRow, database_url: str, tmp_path: Path
) -> None:
    new = NewAccount(name="a", client_id=default.id, provider="meta", settings="old")
    await database.write(create_account, new, now=NOW)
    begun, token = trio.Event(), trio.lowlevel.current_trio_token()

    def theirs(db: Any) -> None:
        """Keeps its transaction open until ours waits for it; SQLite has one at a time anyway."""
        patch_account(db, "a", AccountChange(settings="theirs"), now=NOW, before="old")
        token.run_sync_soon(begun.set)
        if database.dialect == "postgres":
            waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted"
            assert any(rows(db, waits) != [(0,)] or run(db, "SELECT pg_sleep(0.01)") == 0 for _ in range(3000))

    async with open_database(database_url, tmp_path) as other, trio.open_nursery() as nursery:
        nursery.start_soon(other.write, theirs)
        await begun.wait()
        with pytest.raises(ChangedMeanwhileError):
            await database.write(patch_account, "a", AccountChange(settings="ours"), now=LATER, before="old")
    found = await database.read(get_account, "a")
    assert (found.settings, found.updated_at) == ("theirs", NOW)


async def test_accounts_of_the_config_are_what_it_says(database: Database, default: ClientRow) -> None:
    await database.write(create_account, NewAccount(name="a", client_id=default.id, provider="meta"), now=NOW)
    await change(database, "a", SessionChange(status="session_connected"))
    config = [NewAccount(name=name, client_id=default.id, provider="meta") for name in ("a", "b")]
    await database.write(put_config_accounts, config, now=NOW)
    a, b = await database.read(list_accounts)
    assert [(x.name, x.provider, x.source, x.status) for x in (a, b)] == [
        ("a", "meta", "config", "session_connected"),
        ("b", "meta", "config", "initializing"),
    ]
    with pytest.raises(ConflictError):
        await database.write(delete_account, "a")
    with pytest.raises(ConflictError):
        await database.write(patch_account, "a", AccountChange(phone="1"), now=NOW)
    await database.write(put_config_accounts, config[1:], now=NOW)
    assert [account.name for account in await database.read(list_accounts)] == ["b"]
    await database.write(put_config_accounts, [], now=NOW)
    assert await database.read(list_accounts) == []


async def change(database: Database, account: str, session: SessionChange) -> None:
    """Its session changes."""
    id_ = (await database.read(get_account, account)).id
    made = intake(account=account, account_id=id_, routes=())
    await database.write_bulk(store, Intake(event=made.event, session=session))


async def test_a_qr_lapses_after_a_minute(database: Database, default: ClientRow) -> None:
    for name in ("old", "other"):
        await database.write(create_account, NewAccount(name=name, client_id=default.id, provider="session"), now=NOW)
    await change(database, "old", SessionChange(status="qr_generated", qr="1@AB"))
    assert await database.write(lapse_qrs, now=NOW + timedelta(seconds=60)) == []
    assert await database.write(lapse_qrs, now=NOW + timedelta(seconds=61)) == ["old"]
    old = await database.read(get_account, "old")
    assert (old.status, old.message, old.qr, old.qr_at) == ("session_not_connected", "QR expired", None, None)
    assert [a.name for a in await database.read(list_accounts, statuses={"session_not_connected"})] == ["old"]


async def test_only_idle_sessions_that_never_connected_are_dropped(database: Database, default: ClientRow) -> None:
    for name, provider in (("idle", "session"), ("busy", "session"), ("was", "session"), ("meta", "meta")):
        await database.write(create_account, NewAccount(name=name, client_id=default.id, provider=provider), now=NOW)
    await change(database, "was", SessionChange(status="session_connected"))
    busy = await database.read(get_account, "busy")
    await database.write_bulk(store, intake(account="busy", account_id=busy.id, created_at=LATER))
    assert await database.write(drop_idle_sessions, LATER) == ["idle"]


def webhook(client_id: int, **fields: object) -> NewWebhook:
    made = {
        "client_id": client_id,
        "phone_number": "*",
        "webhook_url": "https://example.com/hook",
        "max_retries": 3,
        "events": ["message", "message.ack"],
        "metadata": {"team": "a"},
    }
    return NewWebhook(**(made | fields))  # type: ignore[arg-type]


async def test_a_webhook_is_unique_by_client_number_and_name(database: Database, default: ClientRow) -> None:
    made = await database.write(create_webhook, "webhook", webhook(default.id), now=NOW)
    assert (made.tenant, made.status, made.failure_count, made.is_active) == ("default", "active", 0, True)
    assert (made.events, made.metadata) == (["message", "message.ack"], {"team": "a"})
    with pytest.raises(ConflictError):
        await database.write(create_webhook, "webhook", webhook(default.id), now=NOW)
    await database.write(create_webhook, "other", webhook(default.id), now=NOW)
    second = await database.write(create_webhook, "webhook", webhook(default.id, name="b"), now=NOW)
    with pytest.raises(ConflictError):
        await database.write(patch_webhook, "webhook", second.id, WebhookChange(name=""), now=NOW)
    with pytest.raises(NotFoundError):
        await database.read(get_webhook, "other", made.id)
    with pytest.raises(NotFoundError):
        await database.read(get_webhook, "webhook", made.id, client_id=default.id + 1)


async def test_webhooks_are_listed_page_by_page_newest_first(database: Database, default: ClientRow) -> None:
    made = [
        await database.write(create_webhook, "webhook", webhook(default.id, name=str(n)), now=NOW) for n in range(5)
    ]
    page = await database.read(list_webhooks, "webhook", limit=3, client_id=default.id, phone_number="*")
    rest = await database.read(list_webhooks, "webhook", limit=3, cursor=page.next_cursor)
    assert page.data + rest.data == made[::-1]
    assert rest.next_cursor is None
    assert (await database.read(list_webhooks, "webhook", limit=5)).data == made[::-1]


async def test_switching_a_webhook_on_clears_its_failed_state(database: Database, default: ClientRow) -> None:
    made = await database.write(create_webhook, "webhook", webhook(default.id), now=NOW)
    await database.write(
        run,
        "INSERT INTO targets (id, handler, status, failure_count, last_error, updated_at) "
        "VALUES (?, 'webhook', 'disabled', 4, 'Client error (410)', ?)",
        (f"webhook:{made.id}", NOW.isoformat()),
    )
    found = await database.read(get_webhook, "webhook", made.id)
    assert (found.status, found.failure_count, found.last_error) == ("disabled", 4, "Client error (410)")
    found = await database.write(patch_webhook, "webhook", made.id, WebhookChange(is_active=True), now=LATER)
    assert (found.status, found.failure_count, found.updated_at) == ("active", 0, LATER)


async def test_deleting_a_webhook_cancels_what_waits_for_it(database: Database, default: ClientRow) -> None:
    made = await database.write(create_webhook, "webhook", webhook(default.id), now=NOW)
    await database.write_bulk(store, intake(routes=(route(f"webhook:{made.id}"), route("webhook:else"))))
    await database.write(delete_webhook, "webhook", made.id, now=LATER)
    found = (await database.read(list_deliveries, limit=10)).data
    assert {each.delivery.target_id: each.delivery.status for each in found} == {
        f"webhook:{made.id}": "cancelled",
        "webhook:else": "pending",
    }
    with pytest.raises(NotFoundError):
        await database.write(delete_webhook, "webhook", made.id, now=LATER)


async def test_of_too_many_tokens_the_newest_are_listed(database: Database, default: ClientRow) -> None:
    for digest in ("h1", "h2", "h3"):
        await database.write(add_token, client_id=default.id, digest=digest, name="", now=NOW)
    for whose in (default.id, None):
        assert [each.hash for each in await database.read(list_tokens, whose, most=2)] == ["h2", "h3"]
        assert [each.hash for each in await database.read(list_tokens, whose)] == ["h1", "h2", "h3"]
