"""A large file both ways through the whole gateway: neither it nor the engine grows with the file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import psutil
import pytest
import trio

from tests.effort import effort
from tests.whatsapp_gateway import PATIENCE, Whole, whole
from tests.whatsapp_site import ANA

MB = 1024 * 1024
SMALL, LARGE = 2, effort(24, 100)
"""Megabytes."""
GROWTH = 20 * MB
"""Nearly all of it is what is loaded with the first file."""


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_large_file_both_ways_makes_neither_gateway_nor_engine_grow() -> None:
    async with whole() as here:
        await here.link()
        async with grown(here) as most:
            for size in (SMALL, LARGE):
                content = os.urandom(MB) * size
                await comes(here, content)
                await goes(here, content)
                print("\n", size, {name: f"{growth / MB:.1f} MB" for name, growth in most.items()})
        assert max(most.values()) < GROWTH
        assert here.fake.server.errors == []


async def comes(here: Whole, content: bytes) -> None:
    """Ana sends it; who gets her message fetches it."""
    before = len(here.sink.accepted)
    await here.world.file(ANA, "document", content, "application/pdf")
    await here.sink.until(lambda _: len(here.sink.accepted) > before, PATIENCE)
    url = here.sink.accepted[-1].json["media"]["url"].partition("/media/")[2]
    row = f"/api/media/{url.split('/')[0]}"
    with trio.fail_after(PATIENCE):
        while (await here.server.http.get(row)).json()["status"] != "stored":
            await trio.sleep(0.1)
    got = sha256()
    async with here.server.http.stream("GET", f"/media/{url}") as answer:
        assert answer.status_code == 200
        async for part in answer.aiter_bytes():
            got.update(part)
    assert got.digest() == sha256(content).digest()


async def goes(here: Whole, content: bytes) -> None:
    """It is uploaded, and sent to Ana."""

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 65536):
            yield content[at : at + 65536]

    server, headers = here.fake.server, {"Content-Type": "application/pdf"}
    made = await here.server.http.post("/api/media", content=parts(), headers=headers, params={"filename": "a.pdf"})
    assert made.status_code == 201, made.text
    before = len(server.messages)
    message = {"document": {"id": made.json()["id"], "filename": "a.pdf"}}
    body: dict[str, Any] = {"to": ANA, "message": message, "account": "main", "tenant_id": "default"}
    sent = await here.server.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
    assert sent.status_code == 202, sent.text
    await server.until(lambda: len(server.messages) > before)
    assert here.world.received(server.messages[-1]) == content


@asynccontextmanager
async def grown(here: Whole) -> AsyncIterator[dict[str, int]]:
    """The most that gateway and engine have in memory over what they had."""
    watched = {"gateway": psutil.Process(here.server.pid), "engine": psutil.Process(here.engines()[0])}
    before = {name: each.memory_info().rss for name, each in watched.items()}
    most = dict.fromkeys(watched, 0)

    async def watch() -> None:
        while True:
            for name, each in watched.items():
                most[name] = max(most[name], each.memory_info().rss - before[name])
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        yield most
        nursery.cancel_scope.cancel()
