"""A receiver in a process of its own: answers 200 at once, notes how old each message is when it comes."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

import trio

T = TypeVar("T")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MADE = re.compile(rb"t=(\d+\.\d+)")
_PLACE = re.compile(rb"place=(\d+):(\d+)")


def age(request: bytes) -> float:
    """Seconds since the message was made, as it says."""
    made = _MADE.search(request)
    return time.time() - float(made[1]) if made else 0.0


def place(request: bytes) -> tuple[int, int]:
    """The message's chat and its number there, as it says."""
    found = _PLACE.search(request)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


def serve(pipe: Connection, refuse: bool, note: Callable[[bytes], T]) -> None:
    """Answer until killed; on each word from the pipe, send what was noted since the last."""
    noted: list[T] = []
    answer = BUSY if refuse else OK

    async def handle(stream: trio.SocketStream) -> None:
        data = b""
        while chunk := await stream.receive_some(65536):
            data += chunk
            while (end := data.find(b"\r\n\r\n")) >= 0:
                length = _LENGTH.search(data, 0, end)
                whole = end + 4 + int(length[1] if length else 0)
                if len(data) < whole:
                    break
                noted.append(note(data[end:whole]))
                data = data[whole:]
                await stream.send_all(answer)

    async def report() -> None:
        while True:
            await trio.lowlevel.wait_readable(pipe.fileno())
            pipe.recv()
            pipe.send(noted[:])
            noted.clear()

    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        pipe.send(listener.socket.getsockname()[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(report)
            nursery.start_soon(trio.serve_listeners, handle, [listener])

    trio.run(main)


@contextmanager
def receiver(
    *,
    refuse: bool = False,
    note: Callable[[bytes], T] = age,  # type: ignore[assignment]
) -> Iterator[tuple[str, Callable[[], list[T]]]]:
    """Its URL, and a function that gives what was noted of all messages so far. ``refuse``: answer 503."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, refuse, note), daemon=True)
    process.start()
    seen: list[T] = []

    def look() -> list[T]:
        here.send("?")
        seen.extend(here.recv())
        return seen

    try:
        yield f"http://127.0.0.1:{here.recv()}/hook", look
    finally:
        process.kill()
        process.join()
