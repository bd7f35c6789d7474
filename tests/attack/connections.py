"""Connections that say half of something, or nothing, and stay."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.attack.case import HELD_UP, Case, Target
from tests.http_site import Client, ClosedError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HALVES = (
    b"",
    b"GET / HT",
    b"POST /webhooks/main HTTP/1.1\r\nHost: x\r\n",
    PREFACE,
    PREFACE + b"\0\0\0\4\0\0\0\0\0",
    PREFACE[:20],
)
BARE = (
    b"GET /ping HTTP/1.1\nHost: x\n\n",
    b"GET /ping HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n",
    b"GET /ping HTTP/1.1\r\nHost: x\r\n\n",
)


async def ended(client: Client) -> None:
    try:
        while await client.stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass


async def connections_that_stay(target: Target) -> str:
    began = trio.current_time()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for n in range(target.times(600, 120)):
                client = await target.connect()
                await client.send(HALVES[n % len(HALVES)])
                nursery.start_soon(ended, client)
            took, most = await target.answers(), target.descriptors()
            assert took < HELD_UP, f"the loop was held up for {took:.0f} ms"
    ended_in = trio.current_time() - began
    return f"{most} descriptors, the loop was held up for {took:.0f} ms, all ended within {ended_in:.0f} s"


async def bare_line_feeds(target: Target) -> str:
    for head in BARE:
        client = await target.connect()
        await client.send(head)
        with trio.fail_after(10):
            answer = await client.until(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        try:
            await client.ask("/ping")
            await client.until(b"\r\n\r\n")
        except (ClosedError, trio.BrokenResourceError):
            continue
        raise AssertionError("the connection goes on after a bare LF")
    return f"{len(BARE)} forms are 400, and the end"


async def limit_of_files(target: Target) -> str:
    for line in Path(f"/proc/{target.process.pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            soft, hard = line.split()[3:5]
            assert soft == hard, line
            return f"{soft} files"
    raise AssertionError("no such limit")


CASES = (
    Case("silent connections", "every connection has a deadline in every state", connections_that_stay),
    Case("bare line feeds", "a head with a bare LF is refused", bare_line_feeds),
    Case("open files", "RLIMIT_NOFILE is raised to the hard limit", limit_of_files),
)
