"""Bodies that are too long, too many, too slow, or take too long to read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from contextlib import suppress

import httpx2
import trio

from tests.attack.case import HELD_UP, MB, SECRET, Case, Target
from tests.http_site import ClosedError

LARGE = b"x" * (10 * MB)
NOBODYS = (
    ("POST", "/nothing/here", 404),
    ("POST", "/ping", 405),
    ("PUT", "/api/webhooks/register", 405),
    ("POST", "/api/webhooks/register", 401),
    ("POST", "/messages/send", 401),
    ("POST", "/webhook/inbound", 401),
)
KEPT = 10
"""Megabytes that memory may have grown by when all is over: one body. 6 were seen after 1,260."""
HELD_NOW = 60
"""While bodies are on their way, beside the room for them."""
SOON = 60.0
"""Seconds in which memory comes back."""


async def grown_since(target: Target, before: float) -> float:
    """How much memory has grown by, once it comes down no more."""
    with trio.move_on_after(SOON):
        while target.memory() - before >= KEPT:
            await trio.sleep(0.5)
    return target.memory() - before


async def bodies_of_strangers(target: Target) -> str:
    before = 0.0
    times = target.times(200, 60)
    # The first load what is loaded once, and young garbage grows to its usual amount: then it stays, for 400 as well.
    for n in range(-target.times(60, 12), times):
        before = target.memory() if n <= 0 else before
        method, path, expected = NOBODYS[n % len(NOBODYS)]
        response = await target.process.http.request(method, path, content=LARGE, headers=target.stranger())
        assert response.status_code == expected, f"{method} {path}: {response.status_code} {response.text}"
    grown = await grown_since(target, before)
    assert grown < KEPT, f"{grown:.0f} MB more after {times} bodies"
    return f"{before:.0f} MB, {grown:+.0f} MB after {times} × 10 MiB"


async def bodies_that_are_refused(target: Target) -> str:
    """Those that must be read first: signed wrongly, signed rightly but malformed, of a client, but no JSON."""
    before = target.memory()
    times = target.times(60, 24)
    right = "sha256=" + hmac.new(SECRET.encode(), LARGE, hashlib.sha256).hexdigest()
    for n in range(times):
        door = ("/webhooks/main", "/webhooks/nobody")[n % 2]
        wrong = target.stranger() | {"X-Hub-Signature-256": "sha256=00"}
        assert (await target.process.http.post(door, content=LARGE, headers=wrong)).status_code == 401
        signed = target.stranger() | {"X-Hub-Signature-256": right}
        assert (await target.process.http.post("/webhooks/main", content=LARGE, headers=signed)).status_code == 400
        assert (await target.process.http.post("/messages/send", content=LARGE)).status_code == 400
    grown = await grown_since(target, before)
    assert grown < KEPT, f"{grown:.0f} MB more after {3 * times} bodies"
    return f"{before:.0f} MB, {grown:+.0f} MB after {3 * times} × 10 MiB"


async def bodies_that_never_end(target: Target) -> str:
    """Forty senders stop short of the end; together they hold far more than may be in memory."""
    before, statuses = target.memory(), []

    async def send(started: trio.Event) -> None:
        client = await target.connect()
        head = b"POST /webhooks/main HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(LARGE)
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                answer = await client.until(b"\r\n\r\n")
                statuses.append(int(answer[9:12]))
                assert b"retry-after:" in answer.lower(), answer
                started.set()
                nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            await client.send(head + LARGE[:-1])
            started.set()

    async def send_or_be_cut_off(started: trio.Event) -> None:
        """A sender that goes on long after its 503 loses the connection, and with it perhaps the answer."""
        try:
            await send(started)
        except* (ClosedError, trio.BrokenResourceError):
            started.set()

    with trio.move_on_after(25):
        async with trio.open_nursery() as nursery:
            waiting = [trio.Event() for _ in range(40)]
            for each in waiting:
                nursery.start_soon(send_or_be_cut_off, each)
            for each in waiting:
                await each.wait()
            took, most = await target.answers(), target.memory()
            nursery.cancel_scope.cancel()
    assert set(statuses) == {503}, statuses
    assert most - before < 64 + 40 * 0.5 + HELD_NOW, f"{most - before:.0f} MB"
    assert took < HELD_UP, f"the loop was held up for {took:.0f} ms"
    return f"{len(statuses)} of 40 got 503, {most - before:+.0f} MB, the loop was held up for {took:.0f} ms"


async def a_body_that_drips(target: Target) -> str:
    if target.short:
        return "only in the long form: it takes 30 s"
    client = await target.connect()
    await client.send(b"POST /webhooks/main HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    began = trio.current_time()
    with trio.fail_after(60):
        try:
            while True:
                await client.send(b"x")
                with trio.move_on_after(1):
                    answer = await client.until(b"\r\n\r\n")
                    assert answer.startswith(b"HTTP/1.1 408 "), answer
                    break
        except (ClosedError, trio.BrokenResourceError):
            pass
    return f"cut off after {trio.current_time() - began:.0f} s"


HEAVY: dict[str, Callable[[], bytes]] = {
    "empty objects": lambda: b'{"metadata":[' + b"{}," * 3_300_000 + b"{}]}",
    "keys": lambda: b'{"settings":{' + b",".join(b'"%x":1' % n for n in range(500_000)) + b"}}",
    "lone surrogates": lambda: b'{"message":"' + b"\\ud800" * 1_700_000 + b'"}',
    "names of messages": lambda: b'{"session":"main","messageId":"true_' + b"@" * 200_000 + b'","reaction":"x"}',
    "brackets": lambda: b"[" * (9 * MB),
}
ROUTES = (
    ("POST", "/messages/send"),
    ("POST", "/webhook/inbound"),
    ("POST", "/api/accounts"),
    ("POST", "/routes/api/v1/conversations/ingest"),
    ("PUT", "/api/reaction"),
    ("POST", "/api/whatsapp/webhook/phone"),
)
HELD = 1000
"""Milliseconds: a ping is behind the request that is read."""


async def requests_that_stop_the_loop(target: Target) -> str:
    slowest, culprit = 0.0, ""
    for name, made in HEAVY.items():
        body = made()
        for method, path in ROUTES:
            over = trio.Event()

            async def post(method: str, path: str, body: bytes, over: trio.Event) -> None:
                with suppress(httpx2.WriteError):  # Refused before the body was taken.
                    response = await target.process.http.request(method, path, content=body)
                    assert 400 <= response.status_code < 500, f"{path}: {response.status_code}"
                over.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(post, method, path, body, over)
                while not over.is_set():
                    took = await target.answers()
                    if took > slowest:
                        slowest, culprit = took, f"{path} with {name}"
                    await trio.sleep(0.01)
    assert slowest < HELD, f"{culprit}: the loop was held up for {slowest:.0f} ms"
    return f"the loop was held up for {slowest:.0f} ms at most ({culprit})"


CASES = (
    Case("strangers' bodies", "bodies that nobody may post are not kept", bodies_of_strangers),
    Case("refused bodies", "bodies are dropped after their answer", bodies_that_are_refused),
    Case("endless bodies", "all bodies together stay under limits.body_bytes", bodies_that_never_end),
    Case("dripping body", "a body has a deadline", a_body_that_drips),
    Case("heavy requests", "no request holds up the others", requests_that_stop_the_loop),
)
