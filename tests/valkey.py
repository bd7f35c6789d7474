"""Real Valkey servers for tests: embedded as the product runs it, and external over TCP as an operator's own.

Use with ``pytest_plugins = ("tests.valkey",)``. It asserts nothing itself: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import pytest
import trio
from outcome import Outcome

from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.redis import RedisThread, Run
from wagate.queue.valkey.folder import valkey_binary
from wagate.queue.valkey.supervise import EmbeddedValkey, embedded_valkey

WORKERS = 16
"""As many workers of pytest-xdist have ports of their own, so that none takes what another just found free."""
T = TypeVar("T")


class LosesAnswers(RedisThread):
    """A connection that breaks after the server has done the work."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.lose = False

    async def run_together(self, *runs: Run) -> list[Outcome[Any]]:
        answers = await super().run_together(*runs)
        if self.lose:
            self.lose = False
            raise QueueError("the connection broke")
        return answers


def free_port() -> int:
    """A port on which nobody listens, of those of this worker.

    None that the system gives to outgoing connections: one could take it at once.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.randrange(10_000, 32_000) // WORKERS * WORKERS + worker % WORKERS
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


@contextmanager
def external_valkey(*settings: str, port: int | None = None) -> Iterator[str]:
    """A server of its own on a TCP port, without persistence; its URL. Settings as on the command line."""
    folder = tempfile.mkdtemp(prefix="wgx-")
    process, port = start_external(folder, settings, port)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def start_external(folder: str, settings: tuple[str, ...], port: int | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server; on another port when somebody was faster and no port was asked for."""
    for tries_left in (4, 3, 2, 1, 0):
        chosen = port or free_port()
        where = ["--port", str(chosen), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(
            [str(valkey_binary()), *where, *settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_it_listens(process, chosen)
        except RuntimeError:
            process.kill()
            process.wait()
            if port or not tries_left:
                raise
        else:
            return process, chosen
    raise AssertionError("not reached")


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith((b"+PONG", b"-NOAUTH")):
                    return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"valkey did not start on port {port}")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="wgt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def embedded(short_folder: Path) -> AsyncIterator[EmbeddedValkey]:
    """The embedded server in a folder of its own."""
    async with embedded_valkey(short_folder) as server:
        yield server


@pytest.fixture(scope="session")
def external_url() -> Iterator[str]:
    """One external server for the whole run."""
    with external_valkey() as url:
        yield url


@pytest.fixture(params=["embedded", "external"])
def any_url(request: pytest.FixtureRequest) -> str:
    """The embedded and the external server, one after the other."""
    if request.param == "external":
        return str(request.getfixturevalue("external_url"))
    return str(request.getfixturevalue("embedded_url"))


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    """One embedded server for the whole run."""
    folder = Path(tempfile.mkdtemp(prefix="wgt-"))
    with embedded_in_a_thread(folder) as server:
        yield server.url
    shutil.rmtree(folder, ignore_errors=True)


class RunsInTrio(Protocol):
    """Runs async work from code that is not async."""

    def __call__(self, work: Callable[[], Awaitable[T]]) -> T: ...


@contextmanager
def trio_in_a_thread() -> Iterator[RunsInTrio]:
    """A trio of its own in a thread, for fixtures and state machines that are not async."""
    started: SimpleQueue[tuple[trio.Event, trio.lowlevel.TrioToken]] = SimpleQueue()

    async def live() -> None:
        over = trio.Event()
        started.put((over, trio.lowlevel.current_trio_token()))
        await over.wait()

    thread = threading.Thread(target=trio.run, args=(live,))
    thread.start()
    over, token = started.get(timeout=60)

    def run(work: Callable[[], Awaitable[T]]) -> T:
        return trio.from_thread.run(work, trio_token=token)

    try:
        yield run
    finally:
        token.run_sync_soon(over.set)
        thread.join(timeout=60)


@contextmanager
def embedded_in_a_thread(data: Path) -> Iterator[EmbeddedValkey]:
    """Run the embedded server for code that is not async."""
    started: SimpleQueue[tuple[EmbeddedValkey, trio.Event, trio.lowlevel.TrioToken]] = SimpleQueue()

    async def live() -> None:
        async with embedded_valkey(data) as server:
            over = trio.Event()
            started.put((server, over, trio.lowlevel.current_trio_token()))
            await over.wait()

    thread = threading.Thread(target=trio.run, args=(live,))
    thread.start()
    server, over, token = started.get(timeout=60)
    try:
        yield server
    finally:
        token.run_sync_soon(over.set)
        thread.join(timeout=60)


@pytest.fixture
async def redis(any_url: str) -> AsyncIterator[RedisThread]:
    """A connection to it."""
    thread = RedisThread(any_url)
    yield thread
    await thread.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(redis: RedisThread, clock: Clock) -> Queue:
    """A queue with a name of its own."""
    return Queue(redis, f"test-{uuid.uuid4().hex}", clock=clock)
