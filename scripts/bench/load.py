"""A small HTTP/1.1 load generator on bare trio sockets, cheap enough to share a core with what it measures."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator
from itertools import count

import msgspec
import trio

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    statuses: list[int]
    """One status for each request, in the order of the answers; 0 when the server closed the connection instead."""
    latencies: list[float]
    """Seconds from the first byte sent to the last byte received, in the same order."""
    seconds: float
    """From the first request to the last answer."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.statuses) / self.seconds

    def latency(self, percentile: int) -> float:
        """Seconds that ``percentile`` of 100 answers did not exceed."""
        if len(self.latencies) < 2:
            return self.latencies[0] if self.latencies else 0.0
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percentile - 1]


async def fire(
    address: tuple[str, int] | str,
    make_request: Callable[[int], bytes],
    *,
    connections: int,
    requests: int | None = None,
    seconds: float = 60.0,
) -> Load:
    """Send requests over keep-alive connections, one in flight on each, until ``requests`` are sent or time is up.

    ``make_request(n)`` returns the whole n-th request, from 0. ``address`` is (host, port) or a unix socket's path.
    A closed connection is opened again.
    """
    numbers = iter(range(requests)) if requests is not None else count()
    statuses: list[int] = []
    latencies: list[float] = []
    start = trio.current_time()

    async def one_connection() -> None:
        stream = await connect(address)
        for number in _until(numbers, start + seconds):
            sent = trio.current_time()
            status = await ask(stream, make_request(number))
            latencies.append(trio.current_time() - sent)
            statuses.append(status)
            if status == 0:
                await stream.aclose()
                stream = await connect(address)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        for _ in range(connections):
            nursery.start_soon(one_connection)
    return Load(statuses=statuses, latencies=latencies, seconds=trio.current_time() - start)


async def pace(
    address: tuple[str, int] | str,
    make_request: Callable[[int], bytes],
    *,
    rate: float,
    requests: int,
    connections: int,
) -> Load:
    """Send so many requests a second, whatever the answers take; latencies count from when each was due."""
    numbers = iter(range(requests))
    statuses: list[int] = []
    latencies: list[float] = []
    start = trio.current_time()

    async def one_connection() -> None:
        stream = await connect(address)
        for number in numbers:
            due = start + number / rate
            await trio.sleep_until(due)
            statuses.append(await ask(stream, make_request(number)))
            latencies.append(trio.current_time() - due)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        for _ in range(connections):
            nursery.start_soon(one_connection)
    return Load(statuses=statuses, latencies=latencies, seconds=trio.current_time() - start)


def _until(numbers: Iterator[int], deadline: float) -> Iterator[int]:
    """The numbers that are left, shared by all connections, while there is time."""
    while trio.current_time() < deadline:
        number = next(numbers, None)
        if number is None:
            return
        yield number


async def connect(address: tuple[str, int] | str) -> trio.SocketStream:
    """A connection to (host, port), or to a unix socket by its path. OSError."""
    if isinstance(address, str):
        return await trio.open_unix_socket(address)
    return await trio.open_tcp_stream(*address)


async def ask(stream: trio.SocketStream, request: bytes) -> int:
    """Send one request and read one whole answer; its status, or 0 when the connection ended first."""
    try:
        await stream.send_all(request)
        answer = bytearray()
        while not _complete(answer):
            chunk = await stream.receive_some(65536)
            if not chunk:
                return 0
            answer += chunk
    except trio.BrokenResourceError:
        return 0
    return int(answer[9:12])


def _complete(answer: bytearray) -> bool:
    """Whether the answer is all there (no HEAD, no 1xx; without length or chunks it has no body)."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    if length := _LENGTH.search(answer, 0, end):
        return len(answer) >= end + 4 + int(length[1])
    return not _CHUNKED.search(answer, 0, end) or answer.endswith(b"\r\n0\r\n\r\n")
