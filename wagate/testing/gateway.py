"""The whole gateway in a test's own process: real sockets, real Valkey, real SQLite, and a clock that can jump."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import trio

from wagate.clock import Clock
from wagate.config import load
from wagate.process.app import serve
from wagate.testing.database import put_database
from wagate.testing.rest import at_rest

TOKEN: Final = "test-admin-token-0123456789"  # noqa: S105  (of gateways that live as long as a test)
PATIENCE: Final = 60.0
"""Seconds after which what a test waits for will not come."""
LIMITS: Final = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=1.0)
"""A connection that was idle for longer is not used again: the gateway closes it after 5 s, maybe at that moment."""
CUSTOMER: Final = "+5511999999999"
NUMBER: Final = "+5511888888888"
Tables = Mapping[str, Mapping[str, Any]]
"""``{"plugins.crm": {"url": …}}``: what config.toml would say, by table."""


@dataclass
class RunningGateway:
    """A gateway, and a client with the admin token."""

    url: str
    clock: Clock
    http: httpx2.AsyncClient
    folder: Path
    """Its data are in ``data`` there."""
    stop: trio.Event
    """Ends it."""

    async def ask(self, method: str, path: str, expected: int = 200, **options: Any) -> dict[str, Any]:
        """What the API answers, which must have this status."""
        response = await self.http.request(method, path, **options)
        assert response.status_code == expected, f"{response.status_code} {response.text}"
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    async def post(self, text: str, *, chat: str = CUSTOMER, expected: int = 202, **fields: Any) -> dict[str, Any]:
        """One message comes in; its text is its id too. ``fields``: more of ``POST /webhook/inbound``."""
        body = {"from": chat, "to": NUMBER, "message": {"text": text}, "message_id": text, "tenant_id": "default"}
        return await self.ask("POST", "/webhook/inbound", expected, json=body | fields)

    async def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        """Rows of ``GET /api/jobs``, newest first; ``query`` are its filters."""
        rows: list[dict[str, Any]] = (await self.ask("GET", "/api/jobs", params=query))["data"]
        return rows

    async def until(self, there: Callable[[], Awaitable[bool]], told: Callable[[], str] = lambda: "") -> None:
        """Ask again and again, for a minute at most; ``told`` says what there was instead."""
        with trio.move_on_after(PATIENCE):
            while not await there():  # noqa: ASYNC110  (another process may change it)
                await trio.sleep(0.02)
            return
        raise AssertionError(f"not so after {PATIENCE:g} s: {told()}")

    async def passes(self, seconds: float, *, step: float | None = None) -> None:
        """Let time pass, in steps, once all that runs has come to rest: no test waits for a backoff."""
        await at_rest()
        while seconds > 0:
            now = min(seconds, step or seconds)
            self.clock.shift(now)
            await at_rest()
            seconds -= now


@asynccontextmanager
async def running_gateway(
    tables: Tables | None = None, *, ca_file: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[RunningGateway]:
    """A gateway in a temporary folder, on a free port, that may post to loopback; ended at the end.

    ``tables``: of config.toml. ``ca_file`` is trusted for https receivers.

    Raises:
        ConfigError and others, as `wagate.process.app.serve` does.
    """
    clock, stop = clock or Clock(), trio.Event()
    with tempfile.TemporaryDirectory(prefix="wg") as folder, _trusted(ca_file):
        file = Path(folder) / "config.toml"
        file.write_text(toml(0, {"limits": {"api": "off", "auth": "off"}, **(tables or {})}), encoding="utf-8")
        config = load(file, {})
        if not config.database.url and config.data.dir.parent == Path(folder):
            put_database(config.data.dir)
        async with trio.open_nursery() as nursery:
            started = await nursery.start(partial(serve, config, stop=stop, clock=clock))
            headers = {"Authorization": f"Bearer {TOKEN}"}
            # Plain http: certificates need not be read, which takes 30 ms each time.
            http = httpx2.AsyncClient(
                base_url=started.urls[0], headers=headers, timeout=60, trust_env=False, verify=False, limits=LIMITS
            )
            try:
                yield RunningGateway(started.urls[0], clock, http, Path(folder), stop)
            finally:
                with trio.CancelScope(shield=True):
                    await http.aclose()
                stop.set()


def toml(port: int, tables: Tables) -> str:
    """A config.toml for tests, with these tables on top; port 0 is a free one."""
    base: dict[str, Mapping[str, Any]] = {
        "server": {"port": port},
        "auth": {"admin_token": TOKEN},
        "delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True},
        "plugins.webhook": {},
    }
    for table, values in tables.items():
        base[table] = {**base.get(table, {}), **values}
    return "".join(_table(name, values) for name, values in base.items())


def _table(name: str, values: Mapping[str, Any]) -> str:
    lines = [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n\n"


@contextmanager
def _trusted(ca_file: Path | None) -> Iterator[None]:
    """The gateway's TLS context is made with its first request, from what the environment says then."""
    before = os.environ.get("SSL_CERT_FILE")
    if ca_file is not None:
        os.environ["SSL_CERT_FILE"] = str(ca_file)
    try:
        yield
    finally:
        os.environ.pop("SSL_CERT_FILE", None)
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
