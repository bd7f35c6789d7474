"""A plugin that does wrong things in a running gateway: its own deliveries fail by name, all else goes on."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest
from quart import Blueprint, Response
from structlog.testing import capture_logs

from tests.bad_plugin import ENDPOINT, NAME, bad_plugin
from tests.fake_provider import Pigeon, body_of, installed, letter, sign
from tests.inprocess import Gateway, running_gateway
from wagate.consumers.consume import Consumer
from wagate.errors import ConfigError, PluginError, Postpone
from wagate.events import NewEvent
from wagate.hooks import (
    Delivery,
    Handler,
    InboundRequest,
    NewEndpoint,
    PluginContext,
    ProviderAccount,
    Receipt,
    Target,
)
from wagate.storage.minutes import RESERVED

pytestmark = pytest.mark.timeout(150)

Handle = Callable[[Delivery], Awaitable[Any]]


@asynccontextmanager
async def gateway_with(
    handle: Handle, targets: Callable[[Any], Any] = lambda _event: [Target(id="a")]
) -> AsyncIterator[Gateway]:
    """A gateway with a plugin of one handler."""

    def register_handlers(context: PluginContext) -> list[Handler]:
        return [Handler(name=NAME, targets=targets, handle=handle)]

    with bad_plugin(register_handlers=register_handlers) as tables:
        async with running_gateway(tables) as gateway:
            yield gateway


async def job(gateway: Gateway, *statuses: str, attempts: int = 0, text: str = "m1") -> dict[str, Any]:
    """The delivery of a message, once it has one of these statuses and so many attempts."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        page = await gateway.ask("GET", "/api/jobs")
        rows = [row for row in page["data"] if row["connector"] == NAME and row["message_id"] == text]
        found.update(rows[0] if rows else {})
        return bool(rows) and found["status"] in statuses and len(found["attempts"]) >= attempts

    await gateway.until(there, lambda: str(found))
    return found


async def fine(_delivery: Delivery) -> Receipt:
    return Receipt(http_status=200)


async def test_an_endless_wait_stops_only_the_delivery_that_asked_for_it() -> None:
    calls: list[str] = []

    async def handle(delivery: Delivery) -> None:
        calls.append(delivery.event.content)
        if delivery.event.content == "m1":
            raise Postpone("later", after=math.nan)

    async with gateway_with(handle) as gateway:
        await gateway.post("m1")
        failed = await job(gateway, "pending", attempts=1)
        assert failed["error"] == "plugin bad: handle gave Postpone.after: nan, not a finite number of seconds"
        await gateway.post("m2", chat="+5511777777777")
        await job(gateway, "delivered", text="m2")
        assert calls == ["m1", "m2"]
        assert (await gateway.ask("GET", "/health"))["checks"]["consumers"]["status"] == "healthy"


async def test_a_wait_that_is_over_already_lasts_a_second() -> None:
    calls = 0

    async def handle(_delivery: Delivery) -> None:
        nonlocal calls
        calls += 1
        raise Postpone("later", after=-1)

    async with gateway_with(handle) as gateway:
        await gateway.post("m1")
        await gateway.passes(0.1)
        for _ in range(5):
            await gateway.passes(1)
        assert 2 <= calls <= 7


async def test_the_other_side_gets_a_message_once_whose_handler_returns_a_wrong_thing() -> None:
    calls = 0

    async def handle(_delivery: Delivery) -> str:
        nonlocal calls
        calls += 1
        return "ok"

    async with gateway_with(handle) as gateway:
        await gateway.post("m1")
        failed = await job(gateway, "failed")
        assert failed["error"] == "plugin bad: handle gave str, not Receipt"
        await gateway.passes(3600, step=600)
        assert calls == 1


async def test_a_handler_that_leaves_the_process_fails_like_any_other() -> None:
    async def handle(_delivery: Delivery) -> None:
        raise SystemExit(1)

    async with gateway_with(handle) as gateway:
        await gateway.post("m1")
        failed = await job(gateway, "pending", "failed", attempts=1)
        assert failed["attempts"][0]["error"] == "plugin bad: SystemExit"


async def leave() -> None:
    raise SystemExit(1)


async def test_targets_that_are_none_cost_the_intake_nothing() -> None:
    wrong = True
    with capture_logs() as lines:
        async with gateway_with(fine, lambda _event: ["a"] if wrong else [Target(id="a")]) as gateway:
            await gateway.post("m1")
            row = await job(gateway, "pending", attempts=1)
            assert row["error"] == "routing failed: plugin bad: targets gave str, not Target"
            wrong = False
            await gateway.passes(60, step=5)
            await job(gateway, "delivered")
    assert {line["plugin"] for line in lines if line["event"] == "routing failed"} == {"bad"}


async def test_a_listener_and_a_task_that_leave_the_process_stop_nobody() -> None:
    def register_handlers(context: PluginContext) -> list[Handler]:
        context.on_change(leave)
        return [Handler(name=NAME, targets=lambda _event: [Target(id="a")], handle=fine)]

    hooks = {"register_handlers": register_handlers, "register_tasks": lambda context: [leave]}
    with bad_plugin(**hooks) as tables, capture_logs() as lines:
        async with running_gateway(tables) as gateway:
            await gateway.client("acme")
            await gateway.post("m1")
            await job(gateway, "delivered")
    assert {line["plugin"] for line in lines if line["event"] in {"task failed", "listener failed"}} == {"bad"}


async def test_what_a_plugin_hands_to_its_context_is_checked_there() -> None:
    caught: list[str] = []

    def register_handlers(context: PluginContext) -> list[Handler]:
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: context.emit("message", client_id=1),  # type: ignore[arg-type]
            lambda: context.messages.send("hello", client_id=1),  # type: ignore[arg-type]
            lambda: context.jobs.take(["a"], wait=math.nan, lease=1),
            lambda: context.store.set("key", object()),
            lambda: context.endpoints.create(NewEndpoint(**ENDPOINT | {"max_retries": "3"})),
        ]

        async def handle(_delivery: Delivery) -> None:
            for call in calls:
                try:
                    await call()
                except PluginError as error:
                    caught.append(str(error))

        return [Handler(name=NAME, targets=lambda _event: [Target(id="a")], handle=handle)]

    with bad_plugin(register_handlers=register_handlers) as tables:
        async with running_gateway(tables) as gateway:
            await gateway.post("m1")
            await job(gateway, "delivered")
    assert caught == [
        "plugin bad: emit was given str, not NewEvent",
        "plugin bad: messages.send was given str, not OutMessage",
        "plugin bad: jobs.take was given nan, not a finite number of seconds",
        "plugin bad: store.set was given no JSON (TypeError)",
        "plugin bad: endpoints.create was given NewEndpoint.max_retries: Expected `int`, got `str`",
    ]


async def test_health_is_bad_while_the_consumer_breaks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Consumer._round
    broken = True

    async def breaks(consumer: Consumer) -> None:
        if broken:
            raise OverflowError
        await whole(consumer)

    monkeypatch.setattr(Consumer, "_round", breaks)
    async with running_gateway() as gateway:

        async def unhealthy() -> bool:
            answer = await gateway.http.get("/health")
            return answer.status_code == 503 and "OverflowError" in answer.json()["checks"]["consumers"]["detail"]

        await gateway.until(unhealthy)
        for _ in range(5):
            await gateway.passes(5)
            assert await unhealthy()
        broken = False
        await gateway.passes(120, step=20)
        assert (await gateway.ask("GET", "/health"))["checks"]["consumers"]["status"] == "healthy"


async def test_a_route_that_leaves_the_process_is_a_503() -> None:
    def register_routes(context: PluginContext) -> list[Blueprint]:
        routes = Blueprint("out", __name__)

        @routes.get("/leave")
        async def view() -> str:
            raise SystemExit(1)

        @routes.get("/streamed")
        async def streamed() -> Response:
            async def parts() -> AsyncIterator[bytes]:
                yield b"a"
                raise SystemExit(1)

            return Response(parts())

        return [routes]

    with bad_plugin(register_routes=register_routes) as tables, capture_logs() as lines:
        async with running_gateway(tables) as gateway:
            await gateway.ask("GET", "/plugins/bad/leave", 503)
            with suppress(httpx2.HTTPError):
                await gateway.http.get("/plugins/bad/streamed")
            await gateway.ask("GET", "/ping")
    assert "bad" in {line["plugin"] for line in lines if line["event"] == "request failed"}


@asynccontextmanager
async def pigeons(**parts: Any) -> AsyncIterator[Gateway]:
    """A gateway with an account of a provider of which these parts are other ones."""
    pigeon = Pigeon()
    whole = pigeon.provider()
    pigeon.provider = lambda: replace(whole, **parts)  # type: ignore[method-assign]
    with installed(pigeon=pigeon):
        async with running_gateway({"accounts.main": {"provider": "pigeon", "api_token": "t" * 20}}) as gateway:
            yield gateway


async def test_a_request_whose_verify_gives_false_is_refused() -> None:
    async with pigeons(verify=lambda _request, _account: False) as gateway:
        answer = await gateway.http.post("/webhooks/main", content=body_of(letter("m1")))
        assert answer.status_code == 401


async def test_a_request_whose_verify_breaks_comes_again() -> None:
    def verify(request: InboundRequest, _account: ProviderAccount) -> None:
        request.headers["x-signature"]

    with capture_logs() as lines:
        async with pigeons(verify=verify) as gateway:
            answer = await gateway.http.post("/webhooks/main", content=body_of(letter("m1")))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    [line] = [line for line in lines if line["event"] == "webhook not judged"]
    assert line["plugin"] == "pigeon"
    assert line["error"].startswith("verify raised KeyError")


async def test_a_body_of_which_parse_makes_wrong_events_is_kept_whole() -> None:
    wrong = NewEvent(kind="message", provider_id="m1", chat=5)  # type: ignore[arg-type]
    right = NewEvent(kind="message", provider_id="m2", message_id="m2", chat="5@c.us", type="text", content="m2")

    def register_handlers(context: PluginContext) -> list[Handler]:
        return [Handler(name=NAME, targets=lambda _event: [Target(id="a")], handle=fine)]

    with bad_plugin(register_handlers=register_handlers) as tables, installed(pigeon=Pigeon()):
        accounts = {"accounts.main": {"provider": "pigeon", "api_token": "t" * 20}}
        pigeon = replace(Pigeon().provider(), parse=lambda _request, _account: [wrong, right])
        with patch.object(Pigeon, "provider", lambda _self: pigeon):
            async with running_gateway(tables | accounts) as gateway:
                body = body_of(letter("m1"))
                answer = await gateway.http.post("/webhooks/main", content=body, headers=sign(body))
                assert answer.status_code == 200
                await job(gateway, "delivered", text="m2")
                kinds = [
                    row["event"] for row in (await gateway.ask("GET", "/api/jobs"))["data"] if row["connector"] == NAME
                ]
                assert sorted(kinds) == ["message", "unknown"]


@pytest.mark.parametrize("name", sorted(RESERVED))
async def test_a_handler_named_like_our_own_figures_is_refused_unless_it_was_there_before(
    name: str, tmp_path: Path
) -> None:
    async def fine(_delivery: Delivery) -> None:
        pass

    def register_handlers(context: PluginContext) -> list[Handler]:
        return [Handler(name=name, targets=lambda _event: [Target(id="a")], handle=fine)]

    stored = {"database": {"url": f"sqlite:///{tmp_path / 'stored.db'}"}}
    cure = f"registers a handler named '{name}', as wagate's own figures are; give its table in config.toml, or its"
    with bad_plugin(register_handlers=register_handlers) as tables:
        with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match=cure), flatten_subgroups=True):
            async with running_gateway(tables | stored):
                pass
        with closing(sqlite3.connect(tmp_path / "stored.db")) as db, db:
            db.execute(
                "INSERT INTO targets (id, handler, client_id, status, failure_count, streak, probes, alerted, "
                "updated_at) VALUES (?, ?, 1, 'active', 0, 0, 0, 0, '2025-01-20T10:00:00.000000Z')",
                (f"{name}:a", name),
            )
        with capture_logs() as logs:
            async with running_gateway(tables | stored) as gateway:
                await gateway.post("hello")
    [warned] = [each for each in logs if each["event"] == "figures are mixed up"]
    assert (warned["handler"], warned["log_level"]) == (name, "warning")
