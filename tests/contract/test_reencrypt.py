"""After a start with a new key in front, the old key can be dropped; on both databases."""

from __future__ import annotations

from tests.rows import NOW
from wagate.config.vault import Vault
from wagate.storage.database import Database
from wagate.storage.owners.accounts import NewAccount, create_account, get_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.endpoints import NewWebhook, create_webhook, list_webhooks
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.plugin_records import get_record, set_record
from wagate.storage.upkeep.reencrypt import reencrypt

OLD, NEW = "the old passphrase 01", "the new passphrase 02"


async def test_everything_is_readable_with_the_new_key_alone(database: Database) -> None:
    old = Vault([OLD])
    await database.write(ensure_default_client, now=NOW)
    account = NewAccount(
        name="main", client_id=1, provider="x", settings=old.encrypt('{"a":"b"}'), webhook_secret=old.encrypt("s")
    )
    await database.write(create_account, account, now=NOW)
    plain = NewAccount(name="plain", client_id=1, provider="x")
    await database.write(create_account, plain, now=NOW)
    hook = NewWebhook(
        client_id=1,
        phone_number="*",
        webhook_url="https://a",
        max_retries=3,
        events=["message"],
        secrets=old.encrypt("[]"),
        options={"version": 1, "headers": old.encrypt("{}")},
    )
    await database.write(create_webhook, "webhook", hook, now=NOW)
    record = {"inbox": [{"token": old.encrypt("t")}], "text": "gAAAA is no token", "n": 1}
    await database.write(set_record, "plugin", "key", record, now=NOW)

    assert await database.write(reencrypt, Vault([NEW, OLD]).rotate) == 5

    new = Vault([NEW])
    live = LiveDirectory(database, new.decrypt)
    await live.reload()
    assert live.now.accounts["main"].settings == {"a": "b"}
    assert live.now.accounts["main"].webhook_secret == "s"
    [row] = (await database.read(list_webhooks, "webhook", limit=2)).data
    assert (new.decrypt(row.options["headers"]), new.decrypt(row.secrets)) == ("{}", "[]")
    kept = await database.read(get_record, "plugin", "key")
    assert new.decrypt(kept["inbox"][0]["token"]) == "t"
    assert kept | {"inbox": 0} == record | {"inbox": 0}


async def test_what_is_under_the_first_key_already_is_not_touched(database: Database) -> None:
    vault = Vault([NEW, OLD])
    await database.write(ensure_default_client, now=NOW)
    account = NewAccount(name="main", client_id=1, provider="x", settings=vault.encrypt("{}"))
    await database.write(create_account, account, now=NOW)
    before = await database.read(get_account, "main")
    assert await database.write(reencrypt, vault.rotate) == 0
    assert await database.read(get_account, "main") == before
