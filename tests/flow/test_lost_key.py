"""`auth.secret_key` was lost or changed, and the database holds secrets under the old one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.inprocess import running_gateway
from wagate.config.vault import Vault

URL = "https://127.0.0.1:9/hook"
OLD, NEW = "the old passphrase 01", "the new passphrase 02"


def seal_anew(database: Path, key: str) -> None:
    """What is stored of webhooks is under this key."""
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE webhooks SET secrets = ?", (Vault([key]).encrypt('[{"secret":"whsec_x"}]'),))


async def test_a_webhook_whose_secret_cannot_be_decrypted_is_shown_changed_and_deleted() -> None:
    async with running_gateway() as gateway:
        hook, other = await gateway.register(URL, name="a"), await gateway.register(URL, name="b")
        seal_anew(gateway.folder / "data/wagate.db", OLD)
        assert len((await gateway.ask("GET", "/api/webhooks/list"))["data"]) == 2
        assert (await gateway.webhook(hook))["name"] == "a"
        await gateway.ask("PATCH", f"/api/webhooks/{hook['id']}", json={"name": "c"})
        fresh = await gateway.ask("POST", f"/api/webhooks/{hook['id']}/rotate-secret")
        assert fresh["secret"].startswith("whsec_")
        assert (fresh["name"], fresh["secret"] == hook["secret"]) == ("c", False)
        await gateway.ask("DELETE", f"/api/webhooks/{other['id']}", 204)


async def test_what_cannot_be_signed_waits_and_says_why() -> None:
    async with running_gateway() as gateway:
        hook = await gateway.register(URL)
        seal_anew(gateway.folder / "data/wagate.db", OLD)
        await gateway.ask("PATCH", f"/api/webhooks/{hook['id']}", json={"name": "c"})  # read anew
        await gateway.post("hello")
        found = await gateway.event(hook, "hello", "pending", attempts=1)
        assert "can't be decrypted with auth.secret_key: put the old key back" in found["error"]
