"""``wagate jobs list`` shows the same rows whether it reads the database or asks a running gateway."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from typer.testing import CliRunner, Result

from tests.gateway import GatewayProcess, gateway
from tests.rows import intake, route
from wagate.cli import app
from wagate.cli.filters import choose
from wagate.rules.filters import DeliveryFilter
from wagate.storage.database import open_database
from wagate.storage.events.intake import store
from wagate.storage.owners.clients import add_client, ensure_default_client
from wagate.storage.statement import run

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
STATUSES = ("delivered", "failed", "cancelled", "expired", "delivered")
FILTERS: list[tuple[dict[str, str], set[int]]] = [
    ({}, {0, 1, 2, 3, 4}),
    ({"state": "failed"}, {1}),
    ({"status": "delivered"}, {0, 4}),
    ({"connector": "n8n"}, {3}),
    ({"target": "w2"}, {2}),
    ({"connector": "webhook", "target": "w2"}, {2}),
    ({"connector": "n8n", "target": "w2"}, set()),
    ({"client": "acme"}, {4}),
    ({"client": "2"}, {4}),
    ({"client": "default", "state": "delivered"}, {0}),
    ({"account": "second"}, {1}),
    ({"chat": "+15551230002"}, {2}),
    ({"chat": "15551230002@c.us"}, {2}),
    ({"message-id": "wamid.3"}, {3}),
    ({"stuck": ""}, {1}),
    ({"error": "BROKE 2"}, {2}),
    ({"since": "150m"}, {3, 4}),
    ({"since": f"{NOW - 2 * HOUR:%Y-%m-%dT%H:%M:%S.%f+00:00}"}, {3, 4}),
    ({"until": "210m"}, {0, 1}),
    ({"since": "270m", "until": "150m"}, {1, 2}),
]


async def fill(folder: Path) -> list[str]:
    """Five deliveries that are over, an hour apart, of two clients; their ids."""
    targets = ("webhook:w1", "webhook:w1", "webhook:w2", "n8n:1", "webhook:w3")
    routes = [route(target, mode="pull" if target.startswith("n8n") else "push") for target in targets]
    folder.mkdir()
    async with open_database("", folder, readers=1) as database:
        await database.write(ensure_default_client, now=NOW)
        acme = await database.write(add_client, slug="acme", name="Acme", now=NOW)
        assert acme.id == 2
        for n, each in enumerate(routes):
            item = intake(
                routes=(each,),
                account="second" if n == 1 else "main",
                client_id=2 if n == 4 else 1,
                tenant="acme" if n == 4 else "default",
                chat=f"1555123000{n}@c.us",
                message_id=f"wamid.{n}",
                created_at=NOW - (5 - n) * HOUR,
            )
            await database.write_bulk(store, item)
            text = "UPDATE deliveries SET status = ?, settled = TRUE, stuck = ?, error = ? WHERE id = ?"
            await database.write(run, text, (STATUSES[n], n == 1, f"broke {n}", each.delivery_id))
        attempt = (
            "INSERT INTO attempts (delivery_id, number, started_at, duration_ms, http_status, error) "
            "VALUES (?, 1, ?, 12, 503, 'x')"
        )
        await database.write(run, attempt, (routes[1].delivery_id, NOW.isoformat()))
    return [each.delivery_id for each in routes]


async def call(server: GatewayProcess, *arguments: str) -> Result:
    # In a thread: without a gateway the command runs a loop of its own.
    return await trio.to_thread.run_sync(
        lambda: CliRunner().invoke(app, ["--config", str(server.config), "jobs", *arguments])
    )


async def listed(server: GatewayProcess, options: dict[str, str], *more: str) -> list[dict[str, Any]]:
    words = [word for name, value in options.items() for word in (f"--{name}", value) if word]
    done = await call(server, "list", "--json", *more, *words)
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_every_filter_is_an_option_and_is_compared() -> None:
    options = {"state", *inspect.signature(choose).parameters}
    fields = {"state" if name == "status" else "connector" if name == "handler" else name for name in fields_of()}
    assert options == fields | {"client"}
    assert options <= {name.replace("-", "_") for which, _ in FILTERS for name in which}


def fields_of() -> list[str]:
    return [field.name for field in msgspec.structs.fields(DeliveryFilter)]


async def test_the_rows_are_the_same_with_a_gateway_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "WAGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    async with gateway(start=False) as server:
        ids = await fill(server.folder / "data")
        offline = [await listed(server, which) for which, _ in FILTERS]
        refused = await call(server, "list", "--client", "nobody")
        steered = await call(server, "retry", "--failed", "--client", "acme")
        await server.start()
        online = [await listed(server, which) for which, _ in FILTERS]
        unknown = await call(server, "list", "--client", "nobody")
    for (which, expected), rows in zip(FILTERS, offline, strict=True):
        assert {ids.index(row["id"]) for row in rows} == expected, which
    assert online == offline
    assert (refused.exit_code, refused.stderr) == (1, "error: no client 'nobody'\n")
    assert (unknown.exit_code, unknown.stderr) == (1, "error: Not found (404): no client 'nobody'\n")
    assert steered.exit_code == 1
    assert "no gateway is running on" in steered.stderr


async def test_a_receiver_is_shown_and_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "WAGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    async with gateway(start=False) as server:
        ids = await fill(server.folder / "data")
        async with open_database("", server.folder / "data") as database:
            text = (
                "INSERT INTO webhooks (id, client_id, phone_number, name, webhook_url, created_at, updated_at) "
                "VALUES (?, 1, ?, ?, ?, ?, ?)"
            )
            for own_id, called in (("w2", "Order bot"), ("w1", "Twin"), ("w3", "Twin")):
                url, at = f"https://{own_id}.example.com/", NOW.isoformat()
                await database.write(run, text, (own_id, own_id, called, url, at, at))

        async def looks() -> None:
            assert [row["id"] for row in await listed(server, {"target": "Order bot"})] == [ids[2]]
            assert [row["id"] for row in await listed(server, {"target": "Order bot", "connector": "webhook"})] == [
                ids[2]
            ]
            assert await listed(server, {"target": "Order bot", "connector": "n8n"}) == []
            assert await listed(server, {"target": "nobody"}) == []
            twins = await call(server, "list", "--target", "Twin")
            assert twins.exit_code == 2
            assert "'Twin' could be 2 targets, such as webhook:w1, webhook:w3; give the id" in twins.output
            shown = (await call(server, "list")).stdout
            assert "\tOrder bot\t" in shown
            assert "webhook:w2" not in shown

        await looks()
        await server.start()
        await looks()
        retried = await call(server, "retry", "--failed", "--target", "Order bot")
        assert retried.stderr == "retry: 0 done, 0 refused\n"
