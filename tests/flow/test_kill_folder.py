"""One data folder: one gateway and one Valkey at a time, whatever was killed; and a disk that takes no more."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import trio

from tests.effort import effort
from tests.forked import fork
from tests.gateway import GatewayProcess, gateway, register
from tests.proof import PATIENT, assert_explained, assert_in_order, given_up, repeated, until_delivered
from tests.provider import Provider
from tests.sink import https_sink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

IN_FLIGHT = 64
"""Deliveries at once: the default of ``queue.concurrency``."""


async def test_a_second_gateway_on_the_same_folder_is_refused_and_told_who_holds_it() -> None:
    async with gateway() as server:
        command = [sys.executable, "-m", "wagate", "serve", "--config", str(server.config)]
        refused = await trio.run_process(command, check=False, capture_stdout=True, capture_stderr=True)
        assert refused.returncode == 1
        # As root, the gateway warns of that first.
        *_, said = refused.stderr.decode().splitlines()
        assert f"{server.folder}/data is in use" in said
        assert f"process {server.pid}" in said
        assert f"port {server.port}" in said
        assert (await server.http.get("/ping")).status_code == 200


async def test_of_several_gateways_started_at_once_on_one_folder_one_serves() -> None:
    async with gateway(start=False) as server:
        results: list[int] = []

        async def start_another() -> None:
            results.append(await another(server))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(start_another)
            with trio.fail_after(60):
                while len(results) < 2:
                    await trio.sleep(0.05)
            assert results == [1, 1]
            with trio.fail_after(60):
                while not await server.answers():
                    await trio.sleep(0.05)
            assert len(servers_of(server)) == 1
            assert len(results) == 2
            nursery.cancel_scope.cancel()


async def test_the_valkey_of_a_killed_gateway_is_taken_over() -> None:
    async with gateway() as server:
        [survivor] = servers_of(server)
        taken_over = 0
        for _ in range(10):
            server.kill()
            assert servers_of(server) == [survivor], "nobody stopped it"
            hung = len(server.logged("embedded_valkey_hung"))
            await server.start()
            [now] = servers_of(server)  # Never two.
            if len(server.logged("embedded_valkey_hung")) > hung:
                survivor = now  # The machine stood still for so long that nobody could tell it from a hung one.
                continue
            assert now == survivor
            taken_over += 1
            if taken_over == 3:
                break
        assert taken_over == 3
        assert await server.stop() == 0
        assert servers_of(server) == []


async def test_a_hung_valkey_of_a_killed_gateway_is_replaced() -> None:
    async with gateway() as server:
        [survivor] = servers_of(server)
        server.kill()
        os.kill(survivor, signal.SIGSTOP)
        await server.start()
        [fresh] = servers_of(server)
        assert fresh != survivor


async def test_a_request_that_a_kill_cut_off_may_come_again_at_once() -> None:
    async with gateway() as server:
        made = {key: await register_once(server, key) for key in ("ended", "cut off")}
        server.kill()
        with closing(sqlite3.connect(server.folder / "data" / "wagate.db")) as connection, connection:
            changed = connection.execute("UPDATE idempotency SET done = 0 WHERE key = 'cut off'")
            assert changed.rowcount == 1
        await server.start()
        assert await register_once(server, "ended") == made["ended"]
        await server.http.delete(f"/api/webhooks/{made['cut off']}")
        assert await register_once(server, "cut off") != made["cut off"]


async def register_once(server: GatewayProcess, key: str) -> str:
    """The id of the webhook that a request with this Idempotency-Key made."""
    body = {"phone_number": "*", "webhook_url": "https://localhost/hook", "name": key}
    answer = await server.http.post("/api/webhooks/register", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_full_disk_is_answered_503_and_loses_nothing_that_was_answered_2xx() -> None:
    async with https_sink(delay=0.02) as sink, gateway(PATIENT, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=40, at_least=effort(8, 20))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            await provider.until_accepted(100)
            await until_full(server, provider)
            give_room(server)
            await provider.until_accepted(provider.accepted + 200)
            await until_full(server, provider)
            server.kill()
            killed = sink.connections
            await server.start()
            provider.finish()
        await until_delivered(sink, provider, 300)
        assert await given_up(server) == []
    assert set(provider.refused) == {503}
    assert_in_order(sink, provider.chats)
    assert_explained(repeated(sink), [killed], IN_FLIGHT)


async def until_full(server: GatewayProcess, provider: Provider) -> None:
    """Let no file of the gateway grow, neither its database nor its log, and wait until it feels that."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    before = provider.refused[503]
    with trio.fail_after(60):
        while provider.refused[503] < before + 10:
            await provider.answered.wait()
    body = {"from": "15550000000", "message": "no room", "tenant_id": "default"}
    answer = await server.http.post("/webhook/inbound", json=body)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["detail"] == "the database is overloaded or unavailable; nothing was stored, so send it again"


def give_room(server: GatewayProcess) -> None:
    """The disk has room again."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def another(server: GatewayProcess) -> int:
    """Run what ``wagate serve`` turns into on the same configuration until it ends (or is cancelled); its exit code."""
    with Path(os.devnull).open("r+b") as nothing:
        streams = (nothing.fileno(), nothing.fileno(), nothing.fileno())
        process = fork([str(server.config)], server.environment, server.folder, streams)
    try:
        return await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
    finally:
        process.terminate()
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(process.wait)


def servers_of(server: GatewayProcess) -> list[int]:
    """Process ids of all Valkeys on the gateway's folder."""
    config = str(server.folder / "data" / "valkey" / "valkey.conf")
    return [each.pid for each in psutil.process_iter(["cmdline"]) if config in (each.info["cmdline"] or [])]
