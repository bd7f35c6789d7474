"""Without a running gateway, on the database itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
import trio
from typer.testing import CliRunner, Result

from tests.rows import intake
from wagate.cli import app
from wagate.storage.database import open_database
from wagate.storage.events.intake import store
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows
from wagate.web.api.deliveries import DeliveryAnswer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def stored_hash(folder: Path, token: str) -> bool:
    async def look() -> bool:
        async with open_database("", folder / "data", readers=1) as database:
            digest = hashlib.sha256(token.encode()).hexdigest()
            return bool(await database.read(rows, "SELECT id FROM tokens WHERE hash = ?", (digest,)))

    return trio.run(look)


def test_a_clients_token_is_stored_hashed_and_stops_working_when_revoked(folder: Path) -> None:
    made = json.loads(run("client", "add", "acme", "--json").stdout)
    assert list(made) == ["id", "slug", "token"]
    assert stored_hash(folder, made["token"])
    assert made["token"].encode() not in (folder / "data/wagate.db").read_bytes()
    assert run("client", "revoke", "acme", "--all").stderr == "1 revoked\n"
    assert not stored_hash(folder, made["token"])


def test_one_token_of_several_is_revoked(folder: Path) -> None:
    run("client", "add", "acme")
    second = json.loads(run("client", "token", "acme", "--name", "n8n", "--json").stdout)
    assert (second["name"], stored_hash(folder, second["token"])) == ("n8n", True)
    assert [client["slug"] for client in json.loads(run("client", "list", "--json").stdout)] == ["default", "acme"]
    assert [token["name"] for token in json.loads(run("client", "list", "acme", "--json").stdout)] == ["first", "n8n"]
    assert run("client", "list", "acme").stdout.splitlines()[2].split("\t")[:2] == [second["id"], "n8n"]
    assert run("client", "revoke", "acme", second["id"]).exit_code == 0
    assert run("client", "revoke", "acme", second["id"]).stderr == "error: no such token\n"


def test_unknown_clients_and_impossible_slugs_are_refused(folder: Path) -> None:
    run("client", "add", "acme")
    assert run("client", "token", "nobody").stderr == "error: no client 'nobody'\n"
    for slug in ("", "12", "a b", "x/y", "x" * 64):
        assert run("client", "add", "--", slug).stderr.startswith(f"error: {slug!r} is not a valid slug")


def test_listing_makes_no_database(folder: Path) -> None:
    for arguments in (["client", "list"], ["jobs", "list"], ["jobs", "show", "x"], ["jobs", "export"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "and it has no database yet" in result.stderr
    assert list(folder.iterdir()) == []


def test_jobs_are_read_with_filters_across_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        (folder / "data").mkdir()
        async with open_database("", folder / "data", readers=1) as database:
            await database.write(ensure_default_client, now=intake().event.created_at)
            for number in range(5):
                await database.write_bulk(store, intake(chat=f"551199999000{number % 2}@c.us"))

    trio.run(fill)
    monkeypatch.setattr("wagate.cli.offline._PAGE", 2)
    rows = json.loads(run("jobs", "list", "--json").stdout)
    assert len(rows) == 5
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert len(json.loads(run("jobs", "list", "--limit", "3", "--json").stdout)) == 3
    assert len(json.loads(run("jobs", "list", "--chat", "5511999990001@c.us", "--json").stdout)) == 2
    assert json.loads(run("jobs", "list", "--state", "delivered", "--json").stdout) == []
    assert json.loads(run("jobs", "list", "--since", "2999-01-01", "--json").stdout) == []
    assert len(run("jobs", "export").stdout.splitlines()) == 5
    one = json.loads(run("jobs", "show", rows[0]["id"], "--json").stdout)
    assert one == rows[0]
    # Whether a gateway runs or not, a script reads the same.
    assert set(one) == {field.encode_name for field in msgspec.structs.fields(DeliveryAnswer)}
    assert (one["status"], one["attempts"], one["connector"]) == ("pending", [], rows[0]["connector"])
