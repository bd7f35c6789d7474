"""Fixtures: one gateway process for all tests of a worker that don't kill it, and a client of its own for each."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.gateway import GatewayProcess, gateway
from tests.sink import authority
from tests.valkey import trio_in_a_thread

_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A client of the gateway, which sees nothing of the others."""

    slug: str
    id: int
    http: httpx2.AsyncClient
    """With the client's token."""


@pytest.fixture(scope="session")
def gateway_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """It trusts every `https_sink`."""
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority().cert_pem.write_to_path(str(ca_file))
    running = gateway({"limits": {"api": "off", "auth": "off"}}, ca_file=ca_file)
    with trio_in_a_thread() as run:
        process = run(running.__aenter__)
        try:
            yield process
        finally:
            run(lambda: running.__aexit__(None, None, None))


@pytest.fixture
async def tenant(gateway_process: GatewayProcess) -> AsyncIterator[Tenant]:
    """A client for this test."""
    async with gateway_process.client() as admin:
        answer = await admin.post("/api/clients", json={"slug": f"tenant-{next(_numbers)}"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    async with gateway_process.client(made["token"]) as http:
        yield Tenant(made["slug"], made["id"], http)
