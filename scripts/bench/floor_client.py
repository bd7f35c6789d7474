"""CPU per POST of the outgoing client, against bare httpcore2 and httpx2: what our guard and bookkeeping cost.

    python scripts/bench/floor_client.py [--requests 2000] [--json]

A raw-socket server in another process answers; only this process's CPU is counted. The last row keeps 64 connections
to other targets idle, as a gateway does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from multiprocessing.connection import Connection

import httpcore2
import httpx2
import trio

from wagate.http.client import HttpClient
from wagate.http.guard import Guard
from wagate.http.resolve import Resolver

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
BODY = b'{"event":"message","text":"' + b"x" * 900 + b'"}'
HEADERS = {
    "Content-Type": "application/json",
    "webhook-id": "0199a3c47d6e7c3ab0a10123456789ab",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
Post = Callable[[str], Awaitable[int]]


def serve(pipe: Connection) -> None:
    """Answer every request, which is taken to be one with a body of known size."""

    async def handle(stream: trio.SocketStream) -> None:
        data = b""
        while chunk := await stream.receive_some(65536):
            data += chunk
            if data.endswith(b'"}'):
                data = b""
                await stream.send_all(ANSWER)

    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="0.0.0.0")  # the idle targets are other loopback addresses
        pipe.send(listener.socket.getsockname()[1])
        await trio.serve_listeners(handle, [listener])

    trio.run(main)


def bare_httpcore(pool: httpcore2.AsyncConnectionPool) -> Post:
    async def post(url: str) -> int:
        return (await pool.request("POST", url, headers=HEADERS, content=BODY)).status

    return post


def bare_httpx(client: httpx2.AsyncClient) -> Post:
    async def post(url: str) -> int:
        return (await client.post(url, headers=HEADERS, content=BODY)).status_code

    return post


def ours(client: HttpClient) -> Post:
    async def post(url: str) -> int:
        return (await client.request("POST", url, headers=HEADERS, content=BODY)).status

    return post


async def measure(post: Post, url: str, requests: int, in_flight: int) -> float:
    """Milliseconds of this process's CPU for one request."""
    left = requests

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert await post(url) == 200

    started = time.process_time()
    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(worker)
    return (time.process_time() - started) / requests * 1000


async def run(port: int, requests: int, rounds: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds, each round all clients, so that a slow moment hits all."""
    guard = Guard(allow_networks=(ip_network("127.0.0.0/8"),))
    found: dict[str, dict[str, list[float]]] = {}
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=30)
    async with (
        httpcore2.AsyncConnectionPool(max_connections=100, keepalive_expiry=30) as pool,
        httpx2.AsyncClient(limits=limits, trust_env=False) as httpx_client,
    ):
        client = HttpClient(guard=guard, allow_http=True, resolver=Resolver(lambda _: ["127.0.0.1"]))
        posts = {"httpcore2": bare_httpcore(pool), "httpx2": bare_httpx(httpx_client), "wagate": ours(client)}
        url = f"http://127.0.0.1:{port}/hook"
        for idle in (0, 64):
            for post in posts.values():
                for number in range(idle):
                    await post(f"http://127.0.1.{number + 1}:{port}/hook")
            for _ in range(rounds):
                for in_flight in (1, 8, 32) if not idle else (8,):
                    row = found.setdefault(f"{in_flight} in flight" + (f", {idle} idle" if idle else ""), {})
                    for name, post in posts.items():
                        row.setdefault(name, []).append(await measure(post, url, requests, in_flight))
        await client.aclose()
    return {row: {name: round(statistics.median(of), 3) for name, of in names.items()} for row, names in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        rows = trio.run(run, here.recv(), options.requests, options.rounds)
    finally:
        server.terminate()
        server.join()
    if options.json:
        print(json.dumps({"bench": "floor_client", "unit": "ms CPU per POST", "rows": rows}))
        return
    print(f"{'CPU ms per POST':<24}" + "".join(f"{name:>12}" for name in next(iter(rows.values()))))
    for row, names in rows.items():
        print(f"{row:<24}" + "".join(f"{value:>12.3f}" for value in names.values()))


if __name__ == "__main__":
    main()
