"""One child process: started, asked, listened to, ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import structlog
import trio

from wagate.clock import Clock
from wagate_whatsapp.versions import unfit

MODULE: Final = "wagate_whatsapp_child"
START_PATIENCE: Final = 60.0
ASK_PATIENCE: Final = 50.0
"""Seconds, less than the minute that the core gives."""
LEAVE_PATIENCE: Final = 15.0
"""Seconds that it may take to write down what it holds."""
LARGEST_LOG: Final = 1_000_000
ENVIRONMENT: Final = {"NEONIZE_BOT_TAG": "off"}
"""Read by the library when the process begins: without it each message says that a business bot sent it."""

Json = dict[str, Any]

log = structlog.get_logger("wagate.plugins.whatsapp")


class EngineDiedError(Exception):
    """The process ended; of what was asked nobody knows whether it was done."""


class EngineRefusedError(EngineDiedError):
    """Its library is too old; the text says what to do."""


class NotDoneError(Exception):
    """It answered that it could not; its text is whatsmeow's."""


class Feed:
    """What is heard of one session, from the moment on that it is attached to."""

    def __init__(self) -> None:
        self._lines: list[Json] | None = None
        self._came = trio.Event()
        self._died = False

    async def lines(self, clock: Clock, seconds: float | None = None) -> list[Json]:
        """All that waits, in order, as soon as there is something; [] after ``seconds``.

        Raises:
            EngineDiedError: there will be nothing more.
        """
        deadline = None if seconds is None else clock.monotonic() + seconds
        while not self._lines:
            if self._died:
                raise EngineDiedError("the engine ended")
            if self._came.is_set():
                self._came = trio.Event()
            elif deadline is None:
                await self._came.wait()
            elif not await clock.wait(self._came, deadline - clock.monotonic()):
                return []
        await trio.lowlevel.checkpoint()
        lines, self._lines = self._lines, []
        return lines

    def put(self, line: Json) -> None:
        """A line of this session."""
        if line["event"] == "Attached":
            self._lines = []  # all that is not stored follows once more
        elif self._lines is not None:
            self._lines.append(line)
            self._came.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._died = True
        self._came.set()


class ChildProcess:
    """A running child."""

    def __init__(self, process: trio.Process, stream: trio.SocketStream, log: Path) -> None:
        self._process = process
        self._stream = stream
        self._log = log
        self._sending = trio.Lock()
        self._unsent = b""
        self._asked: dict[int, tuple[trio.Event, list[Json]]] = {}
        self._count = 0
        self._feeds: dict[str, Feed] = {}
        self.hello = trio.Event()
        self.ended = trio.Event()
        self.retired = False
        """We had it end."""
        self.version: str | None = None
        """The library's, once it has said hello."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self.ended.is_set()

    @property
    def said(self) -> str:
        """The end of what it printed: a panic's first lines stand there."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        panic = next((at for at, line in enumerate(lines) if line.startswith(("panic:", "fatal error:", "SIG"))), None)
        return "\n".join(lines[-8:] if panic is None else lines[panic : panic + 8])[:2000]

    async def ask(self, do: str, *, patience: float = ASK_PATIENCE, **fields: Any) -> Any:
        """Have something done. NotDoneError, EngineDiedError; TooSlowError: no answer in time."""
        if self.over:
            raise EngineDiedError("the engine ended")
        self._count += 1
        number, event, answer = self._count, trio.Event(), list[Json]()
        self._asked[number] = (event, answer)
        try:
            with trio.fail_after(patience):
                await self._send({"ask": number, "do": do, **fields})
                await event.wait()
        finally:
            self._asked.pop(number, None)
        if not answer:
            raise EngineDiedError("the engine ended")
        if "error" in answer[0]:
            raise NotDoneError(answer[0]["error"])
        return answer[0]["ok"]

    async def seen(self, session: str, number: int) -> None:
        """All up to this event are stored."""
        await self._send({"seen": number, "session": session})

    def note(self, session: str, event: str) -> None:
        """Put a line of our own among what is heard of a session."""
        self._take({"session": session, "event": event})

    @contextmanager
    def feed(self, session: str) -> Iterator[Feed]:
        """Hear of a session, once it was started (again)."""
        feed = self._feeds[session] = Feed()
        if self.over:
            feed.end()
        try:
            yield feed
        finally:
            if self._feeds.get(session) is feed:
                del self._feeds[session]

    async def read(self) -> int:
        """Read what it says until it ends; its exit code."""
        rest = b""
        try:
            async for data in self._stream:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._read(line)
        except trio.BrokenResourceError:
            pass
        finally:
            self._end()
        return await self._process.wait()

    def retire(self) -> None:
        """Let it write down what it holds, and end."""
        self.retired = True
        # Not by the stream: that raises while another task is in the middle of a line. Who waits there hears of the end
        # when the process has gone.
        with contextlib.suppress(OSError):
            self._stream.socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        """The same, and wait for it. Not cancellable; at most 15 s."""
        with trio.CancelScope(shield=True):
            self.retire()
            with trio.move_on_after(LEAVE_PATIENCE):
                await self._process.wait()
            if self._process.poll() is None:
                self._process.kill()
                await self._process.wait()

    def free(self) -> None:
        """Give the socket back, once nobody reads any more."""
        self._stream.socket.close()

    def kill(self) -> None:
        """At once; what it was told is in its spools."""
        self._process.kill()

    async def _send(self, line: Json) -> None:
        async with self._sending:
            own = msgspec.json.encode(line) + b"\n"
            self._unsent += own
            try:
                while self._unsent:
                    # Who is out of patience goes; the next one sends the rest of the line first: half a line would end
                    # the process, and with it the connections of all numbers.
                    self._unsent = self._unsent[await self._stream.socket.send(self._unsent) :]
            except (OSError, trio.ClosedResourceError) as error:
                raise EngineDiedError("the engine ended") from error
            except trio.Cancelled:
                if len(self._unsent) >= len(own):  # nothing of it has left: nothing of it is to be done
                    self._unsent = self._unsent[: -len(own)]
                raise

    def _read(self, raw: bytes) -> None:
        try:
            line = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError as error:
            log.error("the engine said what is no JSON", error=str(error), bytes=len(raw))  # noqa: TRY400
        else:
            if "ask" in line or isinstance(line.get("event"), str):
                self._take(line)
            else:
                log.error("the engine said what is no event", bytes=len(raw))

    def _take(self, line: Json) -> None:
        if "ask" in line:
            event, answer = self._asked.get(line["ask"], (None, None))
            if event is not None and answer is not None:
                answer.append(line)
                event.set()
        elif line["event"] == "Hello":
            self.version = line.get("version") or ""
            self.hello.set()
        elif (feed := self._feeds.get(line.get("session", ""))) is not None:
            feed.put(line)

    def _end(self) -> None:
        self.ended.set()
        self.hello.set()
        for event, _ in self._asked.values():
            event.set()
        for feed in self._feeds.values():
            feed.end()


@asynccontextmanager
async def child_process(log: Path) -> AsyncIterator[ChildProcess]:
    """A child for as long as the block runs; what it prints goes to ``log``. It has said hello when the block begins.

    Raises:
        EngineRefusedError: it is of another version than we were written for.
        EngineDiedError: it did not come up; the message has the end of what it printed.
    """
    process = await _spawn(log)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.read)
            try:
                with trio.move_on_after(START_PATIENCE):
                    await process.hello.wait()
                if process.version is None:
                    raise EngineDiedError(f"the engine did not start: {process.said}")
                if why := unfit(process.version):
                    raise EngineRefusedError(why)
                yield process
            finally:
                await process.close()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # Who is stopped meanwhile has a Cancelled beside it, and gets another at his next wait.
        error = group.split(trio.Cancelled)[1] or group
        if len(error.exceptions) == 1:  # the block's own, as if there were no nursery
            raise error.exceptions[0] from None
        raise
    finally:
        process.free()


def _opened(log: Path) -> IO[bytes]:
    """To be appended to, so that it can be cut while the child writes."""
    cut(log)
    log.touch(mode=0o600)
    return log.open("ab")


def cut(log: Path) -> None:
    """Empty it, if it has grown large."""
    if log.exists() and log.stat().st_size >= LARGEST_LOG:
        os.truncate(log, 0)


async def _spawn(log: Path) -> ChildProcess:
    ours, theirs = socket.socketpair()
    try:
        os.set_inheritable(theirs.fileno(), True)
        with _opened(log) as output:
            process = await trio.lowlevel.open_process(
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C in the terminal is for us; we stop it last
            )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ChildProcess(process, trio.SocketStream(trio.socket.from_stdlib_socket(ours)), log)
