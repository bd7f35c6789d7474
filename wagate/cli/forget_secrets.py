"""``wagate forget-secrets``: go on without an ``auth.secret_key`` that is lost for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wagate.cli import options as call
from wagate.cli import show

if TYPE_CHECKING:
    import peewee

    from wagate.config import Config
    from wagate.config.vault import Vault
    from wagate.storage.upkeep.unreadable import Row


def forget_secrets(
    context: typer.Context, *, yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, only list.")] = False
) -> None:
    """Make new secrets when the secret_key is lost. The gateway must not run.

    Webhooks and accounts made by API get new ones for those that can't be decrypted. Headers and settings that can't
    be decrypted are gone, and have to be given anew.
    """
    import trio

    from wagate.config.lock import hold
    from wagate.config.secrets import open_secrets
    from wagate.config.vault import Vault

    config = call.of(context).part("data.dir", "database.url", "auth.secret_key")
    with hold(config.data.dir, port=0):
        vault = Vault(open_secrets(config).secret_keys)
        trio.run(_run, config, vault, yes)


async def _run(config: Config, vault: Vault, yes: bool) -> None:
    from wagate.storage.database import open_database
    from wagate.storage.upkeep.unreadable import sealed_accounts, sealed_endpoints

    async with open_database(config.database.url, config.data.dir, readers=1) as database:
        webhooks = [each for each in await database.read(sealed_endpoints, vault.decrypt) if not each.readable]
        accounts = [each for each in await database.read(sealed_accounts, vault.decrypt) if not each.readable]
        if yes:
            rows = [await database.write(_renew_webhook, each, vault) for each in webhooks]
            rows += [await database.write(_renew_account, each, vault) for each in accounts]
        else:
            rows = [["webhook", each.id, each.name, "", ""] for each in webhooks]
            rows += [["account", each.id, each.name, "", ""] for each in accounts]
    heads = ["what", "id", "name", "new secret", "gone: give it anew"]
    show.table(heads, rows, empty="all secrets can be decrypted", wraps=["name"])
    if rows:
        done = "shown only now: set the secrets where they are checked, then start the gateway"
        typer.echo(done if yes else "with --yes, these get new secrets", err=True)


def _renew_webhook(db: peewee.Database, row: Row, vault: Vault) -> list[str]:
    import msgspec

    from wagate.clock import Clock
    from wagate.hooks.views import EndpointSecret
    from wagate.http.signing import new_secret
    from wagate.storage.upkeep.unreadable import renew_endpoint

    secret = EndpointSecret(secret=new_secret())
    sealed = vault.encrypt(msgspec.json.encode([secret]).decode())
    gone = renew_endpoint(db, row, vault.decrypt, sealed, now=Clock().now())
    return ["webhook", row.id, row.name, secret.secret, ", ".join(gone)]


def _renew_account(db: peewee.Database, row: Row, vault: Vault) -> list[str]:
    import secrets

    from wagate.clock import Clock
    from wagate.storage.upkeep.unreadable import renew_account

    secret = secrets.token_urlsafe(32)
    gone = renew_account(db, row, vault.decrypt, vault.encrypt(secret), now=Clock().now())
    return ["account", row.id, row.name, secret, "settings" if gone else ""]
