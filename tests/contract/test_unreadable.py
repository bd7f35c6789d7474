"""What no key decrypts is found, and webhooks get new secrets; on both databases."""

from __future__ import annotations

from functools import partial

from tests.rows import NOW
from wagate.config.vault import Vault
from wagate.storage.database import Database
from wagate.storage.owners.accounts import NewAccount, create_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.endpoints import NewWebhook, create_webhook, get_webhook, lost_endpoints
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.upkeep.unreadable import renew_account, renew_endpoint, sealed_accounts, sealed_endpoints

OLD, NEW = Vault(["the old passphrase 01"]), Vault(["the new passphrase 02"])


async def put(database: Database, name: str, vault: Vault) -> None:
    settings = vault.encrypt('{"a":"b"}')
    account = NewAccount(name=name, client_id=1, provider="x", settings=settings, webhook_secret=vault.encrypt("s"))
    await database.write(create_account, account, now=NOW)
    hook = NewWebhook(
        client_id=1,
        phone_number=f"of {name}",
        name=name,
        webhook_url="https://a.example/in?token=x",
        max_retries=3,
        events=["message"],
        secrets=vault.encrypt("[]"),
        options={"version": 1, "headers": vault.encrypt("{}"), "timeout": 5},
    )
    await database.write(create_webhook, "webhook", hook, now=NOW)


async def test_what_no_key_decrypts_is_found_and_given_up(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    await put(database, "bad", OLD)
    await put(database, "good", NEW)
    await database.write(create_account, NewAccount(name="plain", client_id=1, provider="x"), now=NOW)
    for read in (sealed_accounts, sealed_endpoints):
        found = await database.read(read, NEW.decrypt)
        assert [(each.name, each.readable) for each in found] == [("good", True), ("bad", False)]
        assert [each.name for each in await database.read(read, NEW.decrypt, most=1)] == ["good"]

    bad = (await database.read(sealed_endpoints, NEW.decrypt))[1]
    renew = partial(renew_endpoint, now=NOW)
    assert await database.write(renew, bad, NEW.decrypt, NEW.encrypt("[1]")) == ["headers"]
    row = await database.read(get_webhook, "webhook", bad.id)
    assert (NEW.decrypt(row.secrets), row.options) == ("[1]", {"version": 1, "timeout": 5})
    good, bad = await database.read(sealed_accounts, NEW.decrypt)
    again = partial(renew_account, now=NOW)
    assert await database.write(again, bad, NEW.decrypt, NEW.encrypt("fresh")) is True
    assert await database.write(again, good, NEW.decrypt, NEW.encrypt("fresh")) is False

    live = LiveDirectory(database, NEW.decrypt)
    await live.reload()
    told = {each.name: (each.webhook_secret, each.settings) for each in live.now.by_id.values()}
    assert told == {"bad": ("fresh", {}), "good": ("fresh", {"a": "b"}), "plain": ("", {})}
    assert [each.name for each in await database.read(lost_endpoints, live.now)] == ["bad", "good"]
