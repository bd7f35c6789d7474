"""An account deleted by one client and made by another shares a name with it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.rows import NOW
from tests.sending import CHAT, open_post
from wagate.errors import ConflictError, NotFoundError
from wagate.events import Media, NewEvent
from wagate.events.acks import ack_extra
from wagate.events.kinds import MESSAGE, MESSAGE_ACK, WEBHOOK_FAILING
from wagate.hooks import Delivery, Handler, Target
from wagate.inbound.receive import Emitter, dedupe_key, stored_event
from wagate.inbound.route import Router
from wagate.rules.targets import TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries.target_list import get_target
from wagate.storage.deliveries.targets import Owner, write_states
from wagate.storage.events.intake import Intake, store
from wagate.storage.owners.accounts import (
    NewAccount,
    create_account,
    delete_account,
    get_account,
    last_seen,
    list_accounts,
    note_phone,
    put_config_accounts,
)
from wagate.storage.owners.clients import add_client, delete_client, ensure_default_client
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.statement import rows, run

pytest_plugins = ("tests.valkey",)

TEXT = NewEvent(kind=MESSAGE, provider_id="m1", chat=CHAT, message_id="m1", content="Hello")


async def nothing(_delivery: Delivery) -> None:
    """Of a handler that only routes."""


async def change_hands(database: Database) -> tuple[Account, Account]:
    """The account ``shop`` of client 1, and then that of client 2."""
    live = LiveDirectory(database, lambda text: text)
    before = await database.write(create_account, NewAccount(name="shop", client_id=1, provider="pigeon"), now=NOW)
    await live.reload()
    first = live.now.by_id[before.id]
    await database.write(delete_account, "shop")
    await database.write(create_account, NewAccount(name="shop", client_id=2, provider="pigeon"), now=NOW)
    await live.reload()
    return first, live.now.accounts["shop"]


@pytest.fixture
async def owners(database: Database) -> tuple[Account, Account]:
    await database.write(ensure_default_client, now=NOW)
    await database.write(add_client, slug="acme", name="Acme", now=NOW)
    return await change_hands(database)


async def test_no_message_of_one_is_a_duplicate_of_the_others(
    database: Database, owners: tuple[Account, Account]
) -> None:
    for owner in owners:
        made = Intake(event=stored_event(owner, TEXT, NOW), dedupe_key=dedupe_key(owner, TEXT))
        assert not (await database.write_bulk(store, made)).duplicate
    again = Intake(event=stored_event(owners[1], TEXT, NOW), dedupe_key=dedupe_key(owners[1], TEXT))
    assert (await database.write_bulk(store, again)).duplicate


async def test_their_chats_are_in_different_lanes_of_a_target_that_gets_both(owners: tuple[Account, Account]) -> None:
    ears = Handler(name="ears", targets=lambda _event: [Target(id="ear")], handle=nothing)
    router = Router({"ears": ears}, max_retries=3)
    routes = [route for owner in owners for route in router.routes(stored_event(owner, TEXT, NOW))]
    assert len({route.target_id for route in routes}) == 1
    assert len({route.key for route in routes}) == 2


async def test_a_file_is_fetched_through_its_own_account_alone(
    database: Database, owners: tuple[Account, Account]
) -> None:
    picture = NewEvent(kind=MESSAGE, chat=CHAT, media=Media(provider_id="77"))
    stored = await database.write_bulk(store, Intake(event=stored_event(owners[0], picture, NOW)))
    [(account_id,)] = await database.read(rows, "SELECT account_id FROM media WHERE id = ?", (stored.event_id,))
    live = LiveDirectory(database, lambda text: text)
    await live.reload()
    assert account_id == owners[0].id
    assert account_id not in live.now.by_id


async def test_what_came_for_one_says_nothing_of_what_the_other_missed(
    database: Database, owners: tuple[Account, Account]
) -> None:
    await database.write_bulk(store, Intake(event=stored_event(owners[0], TEXT, NOW)))
    seen = await database.read(last_seen, [owners[1].id], since=NOW, before=NOW.replace(year=2030))
    assert set(seen) == {owners[1].id}


async def test_a_report_and_the_health_of_one_do_not_reach_the_other(tmp_path: Path, external_url: str) -> None:
    accounts = [NewAccount(name="shop", client_id=1, provider="pigeon", phone="5511888888888")]
    async with open_post(external_url, tmp_path, accounts=accounts) as post, post.running():
        post.provider.script[""] = ["same.id"]
        [sent] = await post.send("Hello", account="shop")
        await post.status(sent, "sent")
        theirs = post.live.now.accounts["shop"]
        _, ours = await renamed(post.world.database, post.live)
        extra = ack_extra("read")
        report = NewEvent(kind=MESSAGE_ACK, message_id="same.id", chat=CHAT, extra=extra)
        await post.receiver.receive(ours, [report], b"")
        assert (await post.view(sent)).status == "sent"
        assert f"outbound:{theirs.id}" != f"outbound:{ours.id}"
        await post.receiver.receive(theirs, [report], b"")
        assert (await post.view(sent)).status == "read"


async def renamed(database: Database, live: LiveDirectory) -> tuple[Account, Account]:
    before = live.now.accounts["shop"]
    await database.write(delete_account, "shop")
    await database.write(create_account, NewAccount(name="shop", client_id=2, provider="pigeon"), now=NOW)
    await live.reload()
    return before, live.now.accounts["shop"]


async def test_a_plugin_can_not_tell_one_client_of_anothers_account(tmp_path: Path, external_url: str) -> None:
    accounts = [NewAccount(name="shop", client_id=2, provider="pigeon")]
    async with open_post(external_url, tmp_path, accounts=accounts) as post:
        emitter = Emitter(post.receiver, Router(post.world.handlers, max_retries=3), post.live)
        event_id = await emitter.emit(TEXT, client_id=1, account="shop")
        assert await post.world.sql("SELECT client_id, account FROM events WHERE id = ?", event_id) == [(1, "")]
        own = await emitter.emit(TEXT, client_id=2, account="shop")
        assert await post.world.sql("SELECT client_id, account FROM events WHERE id = ?", own) == [(2, "shop")]
        target = f"outbound:{post.live.now.accounts['shop'].id}"
        about = emitter.prepare_about(NewEvent(kind=WEBHOOK_FAILING), client_id=2, without=target)
        assert about is not None
        assert about.event.account == "shop"


async def test_names_that_begin_with_a_slug_are_for_its_client(database: Database) -> None:
    default = (await database.write(ensure_default_client, now=NOW)).id
    acme = (await database.write(add_client, slug="acme", name="Acme", now=NOW)).id
    north = (await database.write(add_client, slug="acme-north", name="North", now=NOW)).id
    for name, owner in (("acme", acme), ("acme-551199", acme), ("acme-north-2", north), ("acmes", default)):
        for other in {default, acme, north} - {owner}:
            if name == "acmes":
                continue
            with pytest.raises(ConflictError, match="this name is already in use"):
                await database.write(create_account, NewAccount(name=name, client_id=other, provider="engine"), now=NOW)
        await database.write(create_account, NewAccount(name=name, client_id=owner, provider="engine"), now=NOW)


async def test_an_account_that_the_configuration_gives_to_another_client_is_a_new_one(
    database: Database, owners: tuple[Account, Account]
) -> None:
    config = [NewAccount(name="shop", client_id=1, provider="pigeon")]
    await database.write(put_config_accounts, config, now=NOW)
    [made] = await database.read(list_accounts)
    assert (made.client_id, made.source) == (1, "config")
    assert made.id not in {owner.id for owner in owners}
    await database.write(put_config_accounts, config, now=NOW)
    assert [each.id for each in await database.read(list_accounts)] == [made.id]


async def test_a_client_that_goes_takes_its_accounts_with_it(
    database: Database, owners: tuple[Account, Account]
) -> None:
    await database.write(delete_client, "acme", now=NOW)
    live = LiveDirectory(database, lambda text: text)
    await live.reload()
    assert owners[1].id not in live.now.by_id


async def test_a_number_that_the_provider_told_outlives_a_start_and_the_session_not_a_new_provider(
    database: Database,
) -> None:
    await database.write(ensure_default_client, now=NOW)
    config = [NewAccount(name="linked", client_id=1, provider="whatsapp")]
    await database.write(put_config_accounts, config, now=NOW)
    made = await database.read(get_account, "linked")
    await database.write(note_phone, made.id, "15550000001", now=NOW)
    await database.write(run, "UPDATE accounts SET status = 'session_connected', ever_connected = TRUE")
    await database.write(put_config_accounts, [replace(config[0], weight=2)], now=NOW)
    kept = await database.read(get_account, "linked")
    assert (kept.phone, kept.weight, kept.status, kept.ever_connected) == ("15550000001", 2, "session_connected", True)
    await database.write(put_config_accounts, [replace(config[0], phone="15550000002")], now=NOW)
    assert (await database.read(get_account, "linked")).phone == "15550000002"
    await database.write(put_config_accounts, [replace(config[0], provider="meta")], now=NOW)
    other = await database.read(get_account, "linked")
    assert (other.phone, other.status, other.ever_connected) == ("", "initializing", False)


async def test_a_target_that_is_moved_to_another_client_is_theirs(database: Database) -> None:
    for client in (1, 2):
        owner = {"chatwoot:in/desk": Owner("chatwoot", client)}
        await database.write(write_states, {"chatwoot:in/desk": TargetState(last_error="401")}, owner, NOW)
    row = await database.read(get_target, "chatwoot:in/desk", NOW, client_id=2)
    assert row.client_id == 2
    with pytest.raises(NotFoundError):
        await database.read(get_target, "chatwoot:in/desk", NOW, client_id=1)
