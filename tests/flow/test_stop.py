"""What a stop does not wait for: connections on which no request runs, and requests that only wait."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx2
import pytest
import trio
import trio.testing
import trustme
from quart import Blueprint

from tests.bad_plugin import bad_plugin
from tests.gateway import TOKEN
from tests.http_site import Server, serving
from tests.inprocess import Gateway, running_gateway
from wagate.testing.rest import at_rest

GRACE = 200.0
"""Seconds that running requests get: far more than a test may take, so a stop that waits for them fails."""
SOON = 60
"""Seconds in which a slow machine stops."""

pytestmark = pytest.mark.timeout(150)


async def stopped(server: Server) -> None:
    """Wait for the end of a server whose stop is set."""
    with trio.fail_after(SOON):
        await server.done.wait()


async def test_a_response_given_during_the_stop_says_that_it_is_the_last() -> None:
    async with serving("wagate", graceful_timeout=GRACE) as server:
        client = await server.connect()
        await client.ask()
        assert b"connection: close" not in (await client.until(b"hello")).lower()
        await client.ask("/slow")
        await server.site.running.wait()
        server.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        server.site.go_on.set()
        assert b"connection: close" in (await client.until(b"late")).lower()
        assert await client.closed()
        await stopped(server)


async def test_a_request_sent_before_the_last_answer_does_not_hold_up_the_stop() -> None:
    async with serving("wagate", graceful_timeout=GRACE) as server:
        client = await server.connect()
        await client.ask("/slow")
        await client.ask("/?behind")
        await server.site.running.wait()
        server.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        server.site.go_on.set()
        assert await client.answer() == (200, b"late")
        assert await client.closed()
        await stopped(server)


async def test_a_request_sent_while_an_answer_is_under_way_does_not_hold_up_the_stop() -> None:
    async with serving("wagate", graceful_timeout=GRACE) as server:
        client = await server.connect()
        await client.ask("/events")
        await client.until(b"\r\n\r\n")  # Without the word that it is the last: that was decided too early.
        await client.ask("/?behind")
        await trio.testing.wait_all_tasks_blocked(0.01)
        server.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        server.site.go_on.set()
        await client.until(b"data: 1\n\n")
        server.site.go_on.set()
        assert b"data: 2" in await client.until(b"0\r\n\r\n")
        assert await client.closed()
        await stopped(server)


async def test_who_sends_ahead_and_hangs_up_in_mid_answer_leaves_nothing_behind() -> None:
    async with serving("wagate", graceful_timeout=GRACE) as server:
        client = await server.connect()
        await client.ask("/endless")
        await client.ask("/?behind")
        await client.take(100_000)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await client.stream.aclose()
        await server.site.disconnected.wait()
        server.stop.set()
        await stopped(server)


async def test_an_application_may_write_while_its_connection_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The farewell of a stream takes a turn, and whoever writes in that turn finds the stream busy."""

    async def send_eof(stream: trio.SocketStream) -> None:
        with stream._send_conflict_detector:
            for _ in range(20):
                await trio.lowlevel.checkpoint()

    monkeypatch.setattr(trio.SocketStream, "send_eof", send_eof)
    async with serving("wagate", graceful_timeout=GRACE) as server:
        client = await server.connect()
        await client.ask("/deaf")
        await client.ask("/?behind")
        await client.take(100_000)
        await client.stream.aclose()
        await server.site.disconnected.wait()


async def test_a_tls_handshake_that_does_not_come_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("localhost")
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    async with serving("wagate", graceful_timeout=GRACE, certfile=str(chain), keyfile=str(key)) as server:
        silent, refused = await server.connect(), await server.connect()
        await refused.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await refused.closed()  # So the older connection is being served as well.
        server.stop.set()
        assert await silent.closed()
        await stopped(server)


async def test_a_worker_that_waits_for_a_job_is_told_that_there_is_none_when_the_gateway_stops() -> None:
    answers: list[httpx2.Response] = []
    drain = {"server": {"drain": f"{2 * GRACE:g}s"}}
    with trio.fail_after(SOON):
        async with AsyncExitStack() as later, trio.open_nursery() as nursery, running_gateway(drain) as gateway:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            worker = httpx2.AsyncClient(
                base_url=gateway.url, headers=headers, timeout=GRACE, trust_env=False, verify=False
            )
            await later.enter_async_context(worker)

            async def wait() -> None:
                answers.append(await worker.get("/queue/next-job", params={"wait": 60}))

            nursery.start_soon(wait)
            await at_rest()
    assert [each.status_code for each in answers] == [200]
    assert answers[0].json()["status"] == "no_jobs"
    assert answers[0].headers["connection"] == "close"


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_a_request_that_hangs_is_cut_at_the_end_of_its_drain_with_a_key_as_without(
    headers: dict[str, str],
) -> None:
    begun = trio.Event()

    async def hangs() -> None:
        begun.set()
        await trio.sleep_forever()

    def register_routes(context: object) -> list[Blueprint]:
        routes = Blueprint("bad", __name__)
        routes.add_url_rule("/hangs", "hangs", hangs, methods=["POST"])
        return [routes]

    async def ask(gateway: Gateway) -> None:
        given = headers | {"Authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(headers=given, timeout=GRACE, trust_env=False, verify=False) as http:
            with suppress(httpx2.HTTPError):
                assert (await http.post(f"{gateway.url}/plugins/bad/hangs", json={})).is_error

    with bad_plugin(register_routes=register_routes) as tables, trio.fail_after(SOON):
        short = tables | {"server": {"drain": "1s"}}
        async with trio.open_nursery() as nursery, running_gateway(short) as gateway:
            nursery.start_soon(ask, gateway)
            await begun.wait()
