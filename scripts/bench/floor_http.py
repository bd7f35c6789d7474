"""What HTTP itself costs: CPU per request of an empty ASGI app under stock hypercorn and under ``serve_http``.

The requests are those of ``whole``: a POST with a message of 300 bytes, which the empty app does not look at.

``python -m scripts.bench.floor_http [--runs 3] [--seconds 3] [--connections 32] [--json]``
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import hypercorn
import psutil  # type: ignore[import-untyped]
import trio
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app

from scripts.bench.load import fire
from scripts.bench.message import message
from wagate.web.http.server import serve_http

SERVERS = ("hypercorn", "wagate")


async def empty_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with three bytes; take part in the lifespan protocol."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"ok\n"})


async def serve(server: str) -> None:
    """Serve ``empty_app`` on a free port, which is printed, until standard input ends."""
    config = hypercorn.Config()
    config.bind = ["127.0.0.1:0"]
    config.keep_alive_max_requests = 10**9
    config.errorlog = None

    async def stdin_closed() -> None:
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)

    async with trio.open_nursery() as nursery:
        if server == "wagate":
            start = partial(serve_http, empty_app, config, shutdown_trigger=stdin_closed)
        else:
            start = partial(worker_serve, wrap_app(empty_app, 0, "asgi"), config, shutdown_trigger=stdin_closed)
        (bound,) = await nursery.start(start)
        print(bound[1] if server == "wagate" else bound.rpartition(":")[2], flush=True)


@contextmanager
def running(server: str) -> Iterator[tuple[Any, int]]:
    """The server as a process of its own, and its port."""
    command = [sys.executable, "-m", "scripts.bench.floor_http", "--serve", server]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield psutil.Process(process.pid), int(process.stdout.readline())
        finally:
            process.kill()


def cpu_per_request(server: str, *, connections: int, seconds: float) -> float:
    """Milliseconds of user and system time that the server's process spends on one request."""
    with running(server) as (process, port):
        shoot = partial(fire, ("127.0.0.1", port), message("floor"), connections=connections)
        trio.run(partial(shoot, seconds=0.3))
        before = process.cpu_times()
        load = trio.run(partial(shoot, seconds=seconds))
        after = process.cpu_times()
    assert set(load.statuses) == {200}, "a request failed"
    spent: float = after.user + after.system - before.user - before.system
    return 1000 * spent / len(load.statuses)


def measure(*, runs: int, connections: int, seconds: float) -> dict[str, Any]:
    """Medians over ``runs``; the servers take turns, so that noise of the machine falls on both."""
    found: dict[str, list[float]] = {server: [] for server in SERVERS}
    for _ in range(runs):
        for server in SERVERS:
            found[server].append(cpu_per_request(server, connections=connections, seconds=seconds))
    medians = {server: round(statistics.median(values), 4) for server, values in found.items()}
    ratio = round(medians["wagate"] / medians["hypercorn"], 3)
    every = {server: [round(value, 4) for value in values] for server, values in found.items()}
    return {"cpu_ms_per_request": medians, "ratio": ratio, "runs": every, "connections": connections}


def main() -> None:
    """Measure, or serve when started as the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        trio.run(serve, options.serve)
        return
    result = measure(runs=options.runs, connections=options.connections, seconds=options.seconds)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for server, cost in result["cpu_ms_per_request"].items():
        print(f"{server:10} {cost:.3f} ms CPU per request")
    print(f"ratio      {result['ratio']:.2f}")


if __name__ == "__main__":
    main()
