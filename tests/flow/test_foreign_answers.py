"""A receiver that answers more than it was asked spoils nobody's deliveries, through the whole gateway."""

from __future__ import annotations

from typing import Any

import trio

from tests.gateway import GatewayProcess, gateway
from tests.sink import Got, https_sink

SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign"
MESSAGES = 20


def at(got: Got) -> str:
    return got.path.rpartition("/")[2]


async def test_a_hook_that_refuses_everything_is_never_delivered_beside_one_that_answers_twice() -> None:
    async with (
        https_sink(
            lambda got: 500 if at(got) == "fails" else 200,
            behind=lambda got: SECOND if at(got) == "twice" else b"",
        ) as sink,
        gateway(ca_file=sink.ca_file) as server,
    ):
        twice, token = await hook_of_another(server, f"{sink.url}/twice")
        fails = (await server.http.post("/api/webhooks/register", json=wanted(f"{sink.url}/fails"))).json()
        for number in range(MESSAGES):
            await post(server, "shop", number)
            await post(server, "default", number)
        delivered = await rows_of(server, twice, token, lambda rows: all(row["status"] == "delivered" for row in rows))
        await sink.until(lambda sink: any(at(got) == "fails" for got in sink.got))
        refused = await rows_of(server, fails, None, lambda rows: any(row["attempts"] for row in rows))
    assert sorted(got.json["content"] for got in sink.got if at(got) == "twice") == sorted(map(str, range(MESSAGES)))
    assert {row["response"] for row in delivered} == {"ok"}
    assert not any(row["status"] == "delivered" for row in refused)
    assert {each["http_status"] for row in refused for each in row["attempts"]} == {500}
    assert {got.peer for got in sink.got if at(got) == "fails"}.isdisjoint(
        got.peer for got in sink.got if at(got) == "twice"
    )


def wanted(url: str) -> dict[str, str]:
    return {"phone_number": "*", "webhook_url": url}


async def hook_of_another(server: GatewayProcess, url: str) -> tuple[dict[str, Any], str]:
    token = (await server.http.post("/api/clients", json={"slug": "shop"})).json()["token"]
    made = await server.http.post("/api/webhooks/register", json=wanted(url), headers=bearer(token))
    assert made.status_code == 201, made.text
    return made.json(), token


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


async def post(server: GatewayProcess, tenant: str, number: int) -> None:
    body = {"from": f"+1555000{number:04}", "message": str(number), "message_id": f"m{number}", "tenant_id": tenant}
    assert (await server.http.post("/webhook/inbound", json=body)).status_code == 202


async def rows_of(server: GatewayProcess, hook: dict[str, Any], token: str | None, done: Any) -> list[dict[str, Any]]:
    """All of a hook's deliveries, when ``done``."""
    with trio.fail_after(60):
        while True:
            path = f"/api/webhooks/{hook['id']}/events?limit=100"
            rows: list[dict[str, Any]] = (await server.http.get(path, headers=bearer(token))).json()["data"]
            if len(rows) == MESSAGES and done(rows):
                return rows
            await trio.sleep(0.05)
