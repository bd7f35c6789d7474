"""`auth.secret_key` was lost or changed, and the database holds secrets under the old one."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from tests.inprocess import running_gateway
from wagate.cli import app
from wagate.config.vault import Vault
from wagate.errors import ConfigError
from wagate.testing.gateway import TOKEN, Tables, toml

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


async def refused(tables: Tables) -> str:
    """What a start says that is refused."""
    with pytest.RaisesGroup(ConfigError, flatten_subgroups=True) as caught:
        async with running_gateway(tables):
            pass
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        [error] = error.exceptions
    return str(error)


async def test_a_lost_key_is_not_replaced_and_the_start_says_what_is_missing(tmp_path: Path) -> None:
    tables = {"data": {"dir": str(tmp_path / "data")}}
    key = tmp_path / "data/secret_key"
    async with running_gateway(tables) as gateway:
        hook = await gateway.register(URL, name="orders")
    old = key.read_text()
    key.unlink()
    for _ in range(2):
        said = await refused(tables)
        assert "the database has secrets of webhooks ('orders', say) that can't be decrypted" in said
        assert f"with the key in {key}, which was missing: put the old key back" in said
        assert not key.exists()
    key.write_text(old)
    async with running_gateway(tables) as gateway:
        assert (await gateway.webhook(hook))["name"] == "orders"


async def test_a_changed_key_is_refused_until_the_old_one_is_beside_it(tmp_path: Path) -> None:
    stored = {"database": {"url": f"sqlite:///{tmp_path / 'stored.db'}"}}
    async with running_gateway(stored | {"auth": {"admin_token": TOKEN, "secret_key": OLD}}) as gateway:
        await gateway.register(URL)
    said = await refused(stored | {"auth": {"admin_token": TOKEN, "secret_key": NEW}})
    assert "can't be decrypted with auth.secret_key: put the old key back" in said
    assert "secret_key = [new, old]" in said
    async with running_gateway(stored | {"auth": {"admin_token": TOKEN, "secret_key": [NEW, OLD]}}):
        pass
    async with running_gateway(stored | {"auth": {"admin_token": TOKEN, "secret_key": NEW}}):
        pass


async def test_accounts_made_by_api_are_tried_too(tmp_path: Path) -> None:
    stored = {"database": {"url": f"sqlite:///{tmp_path / 'stored.db'}"}}
    body = {"name": "shop", "provider": "session", "settings": {"base_url": "https://127.0.0.1:9", "api_key": "k"}}
    async with running_gateway(stored | {"auth": {"admin_token": TOKEN, "secret_key": OLD}}) as gateway:
        await gateway.ask("POST", "/api/accounts", 201, json=body)
    said = await refused(stored | {"auth": {"admin_token": TOKEN, "secret_key": NEW}})
    assert "the database has secrets of accounts made by API ('shop', say)" in said


async def test_one_damaged_secret_among_good_ones_stops_nothing(tmp_path: Path) -> None:
    tables = {"data": {"dir": str(tmp_path / "data")}}
    async with running_gateway(tables) as gateway:
        bad = await gateway.register(URL, name="bad")
        seal_anew(tmp_path / "data/wagate.db", OLD)
        await gateway.register(URL, name="good")
    with capture_logs() as logs:
        async with running_gateway(tables) as gateway:
            await gateway.ask("DELETE", f"/api/webhooks/{bad['id']}", 204)
    [warned] = [each for each in logs if each["event"] == "secrets of webhooks can't be decrypted"]
    assert warned["webhooks"] == [bad["id"]]


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(folder / "config.toml")])


async def test_without_the_old_key_webhooks_and_accounts_get_new_secrets(tmp_path: Path) -> None:
    data = {"data": {"dir": str(tmp_path / "data")}}
    old = data | {"auth": {"admin_token": TOKEN, "secret_key": OLD}}
    new = data | {"auth": {"admin_token": TOKEN, "secret_key": NEW}}
    (tmp_path / "config.toml").write_text(toml(0, new))
    body = {"name": "shop", "provider": "session", "settings": {"base_url": "https://127.0.0.1:9", "api_key": "k"}}
    async with running_gateway(old) as gateway:
        hook = await gateway.register(URL, name="orders", headers={"Authorization": "x"}, timeout=5)
        await gateway.ask("POST", "/api/accounts", 201, json=body)
    listed = await trio.to_thread.run_sync(run, tmp_path, "forget-secrets")
    assert (listed.exit_code, "orders" in listed.stdout, "shop" in listed.stdout) == (0, True, True)
    assert "secrets of webhooks" in await refused(new)
    done = await trio.to_thread.run_sync(run, tmp_path, "forget-secrets", "--yes")
    assert (done.exit_code, "headers" in done.stdout) == (0, True)
    [secret] = re.findall(r"whsec_\S+", done.stdout)
    assert secret != hook["secret"]
    assert "settings" in done.stdout
    async with running_gateway(new) as gateway:
        assert (await gateway.webhook(hook))["timeout"] == 5
        fresh = await gateway.ask("POST", f"/api/webhooks/{hook['id']}/rotate-secret")
        assert fresh["secret"].startswith("whsec_")
        await gateway.ask("PATCH", "/api/accounts/shop", json={"settings": body["settings"]})
        assert len((await gateway.ask("GET", "/api/accounts"))["data"]) == 1
    assert "all secrets can be decrypted" in (await trio.to_thread.run_sync(run, tmp_path, "forget-secrets")).output
