"""One embedded Valkey: start it, take over a survivor, wait for its end, stop it. Never two on one folder."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import hiredis
import msgspec
import structlog
import trio

from wagate.errors import QueueError
from wagate.queue.valkey.folder import Place, is_locked, lock, turn_log, valkey_binary, write_config

log = structlog.get_logger(__name__)

START_LIMIT = 30.0
"""Seconds until a started server must answer; it reads its append-only file before it does."""
SURVIVOR_LIMIT = 2.0
"""Seconds without an answer after which a survivor is stopped instead of taken over."""
STOP_LIMITS = (5.0, 2.0, 5.0)
"""Seconds given to SHUTDOWN, to SIGTERM, to SIGKILL."""
CORRUPT = re.compile(r"append[- ]only file|manifest|RDB|loading DB|AOF", re.IGNORECASE)
NOT_CORRUPT = re.compile(r"No space left|Permission denied|Read-only file system|Too many open files", re.IGNORECASE)


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server that runs (or ran)."""

    place: Place
    pid: int
    process: trio.Process | None
    """None for a survivor of a process that was killed: not our child."""

    async def gone(self) -> None:
        """Wait until it has ended."""
        if self.process is not None:
            await self.process.wait()
            return
        while is_locked(self.place.server_lock):  # noqa: ASYNC110  (another process's end can only be looked at)
            await trio.sleep(0.25)


async def start_or_adopt(place: Place, *, maxmemory: str) -> Server:
    """The folder's one server: a survivor that answers, else a new one.

    Raises:
        QueueError: it can't be started, or a survivor can't be stopped; the message has the end of its log.
    """
    held = lock(place.server_lock)
    if held is None:
        survivor = await _adopt(place, maxmemory)
        if survivor is not None:
            return survivor
        held = await _lock_after_stopping(place)
    try:
        try:
            return await _start(place, held, maxmemory)
        except _CorruptError as error:
            aside = place.aof.with_name(f"{place.aof.name}.corrupt-{time.time_ns()}")
            place.aof.rename(aside)
            log.warning("embedded_valkey_corrupt", moved_to=str(aside), reason=str(error))
            return await _start(place, held, maxmemory)
    finally:
        os.close(held)  # the server has its own copy


async def stop(server: Server) -> None:
    """Stop it: SHUTDOWN, then SIGTERM, then SIGKILL. Not cancellable; at most 12 s."""
    with trio.CancelScope(shield=True):
        place = server.place
        if is_locked(place.server_lock):
            with contextlib.suppress(NoAnswerError):  # it closes instead of answering
                await ask(place.socket, "SHUTDOWN", "NOSAVE", seconds=STOP_LIMITS[0])
            if not await _unlocked(place, STOP_LIMITS[0]):
                await _kill(place, server.pid)
        if server.process is not None:
            await server.process.wait()
        place.socket.unlink(missing_ok=True)


def kill(server: Server) -> None:
    """End one that does not answer, at once: it may be stopped, or wait for a disk that never comes back."""
    if server.process is not None:
        server.process.kill()
    elif _pid_of_ours(server.place) == server.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGKILL)


async def _adopt(place: Place, maxmemory: str) -> Server | None:
    """The survivor, when it answers and is ours."""
    deadline = trio.current_time() + SURVIVOR_LIMIT
    while trio.current_time() < deadline:
        try:
            if await answers(place.socket):
                return await _identify(place, maxmemory)
            deadline = trio.current_time() + SURVIVOR_LIMIT  # it loads
        except NoAnswerError:
            pass  # just begun, or hung: the deadline tells
        await trio.sleep(0.01)
    return None


async def _identify(place: Place, maxmemory: str) -> Server | None:
    if await ask(place.socket, "CONFIG", "GET", "dir") != ["dir", str(place.folder)]:
        return None
    await ask(place.socket, "CONFIG", "SET", "maxmemory", maxmemory)
    info = str(await ask(place.socket, "INFO", "server"))
    pid = int(info.partition("process_id:")[2].split(maxsplit=1)[0])
    log.info("embedded_valkey_taken_over", pid=pid)
    return Server(place=place, pid=pid, process=None)


async def _lock_after_stopping(place: Place) -> int:
    """Stop a survivor that does not answer, and hold its lock."""
    pid = _pid_of_ours(place)
    if pid is not None:
        log.warning("embedded_valkey_hung", pid=pid)
        await _kill(place, pid)
    await _unlocked(place, STOP_LIMITS[2])
    held = lock(place.server_lock)
    if held is None:
        raise QueueError(
            f"Another server holds {place.server_lock}, does not answer on {place.socket} and can't be identified by "
            f"{place.pidfile}: find it with `fuser {place.server_lock}` and stop it"
        )
    return held


def _pid_of_ours(place: Place) -> int | None:
    """The process of the pidfile, when its command line says that it is this folder's server."""
    try:
        pid = int(place.pidfile.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return pid if place.config_argument in _command_line(pid) else None


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        pass  # ended, or a system without /proc
    shown = subprocess.run(  # noqa: S603
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=5,
    )
    return shown.stdout


async def _kill(place: Place, pid: int) -> None:
    for number, limit in ((signal.SIGTERM, STOP_LIMITS[1]), (signal.SIGKILL, STOP_LIMITS[2])):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if await _unlocked(place, limit):
            return


async def _unlocked(place: Place, seconds: float) -> bool:
    """Wait for the server's end; False when it still lives after ``seconds``."""
    with trio.move_on_after(seconds):
        while is_locked(place.server_lock):  # noqa: ASYNC110  (another process's end can only be looked at)
            await trio.sleep(0.005)
        return True
    return False


class _CorruptError(QueueError):
    """The server can't read its append-only file."""


async def _start(place: Place, held: int, maxmemory: str) -> Server:
    log_begin = turn_log(place)
    write_config(place, maxmemory=maxmemory)
    place.socket.unlink(missing_ok=True)
    with place.log.open("ab") as output:
        process = await trio.lowlevel.open_process(
            [str(valkey_binary()), place.config_argument],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=place.folder,
            start_new_session=True,  # a Ctrl-C in the terminal is for us; we stop it last
            pass_fds=(held,),
        )
    try:
        await _until_it_answers(place, process, log_begin)
    except BaseException:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        raise
    return Server(place=place, pid=process.pid, process=process)


async def _until_it_answers(place: Place, process: trio.Process, log_begin: int) -> None:
    with trio.move_on_after(START_LIMIT):
        while process.poll() is None:
            try:
                if await answers(place.socket):
                    return
            except NoAnswerError:
                pass  # not yet listening
            await trio.sleep(0.005)
    said = place.log.read_bytes()[log_begin:].decode(errors="replace")
    end = "\n".join(said.splitlines()[-8:])
    if process.returncode is None:
        raise QueueError(f"The embedded Valkey did not answer within {START_LIMIT:g} s. The end of {place.log}:\n{end}")
    message = f"The embedded Valkey ended with code {process.returncode}. The end of {place.log}:\n{end}"
    if place.aof.exists() and CORRUPT.search(_fatal(said)) and not NOT_CORRUPT.search(end):
        raise _CorruptError(message)
    raise QueueError(message)


def _fatal(said: str) -> str:
    """The warnings: Valkey marks them with ``#``."""
    return "\n".join(line for line in said.splitlines() if " # " in line)


class NoAnswerError(Exception):
    """Nobody listens, or no answer came in time."""


async def ask(socket: Path, *words: str, seconds: float = 2.0) -> Any:
    """Send one command, return its answer; an error reply is returned as a `hiredis.ReplyError`.

    Raises:
        NoAnswerError: nobody listens, the connection broke, or ``seconds`` passed.
    """
    try:
        with trio.fail_after(seconds):
            async with await trio.open_unix_socket(str(socket)) as stream:
                await stream.send_all(hiredis.pack_command(words))  # type: ignore[arg-type]  # typed as a pair
                return await _read(stream)
    except (OSError, RuntimeError, trio.BrokenResourceError, trio.TooSlowError) as error:
        raise NoAnswerError(f"{socket}: {error}") from error


async def _read(stream: trio.SocketStream) -> Any:
    reader = hiredis.Reader(encoding="utf-8", errors="replace")
    while (answer := reader.gets()) is False:
        received = await stream.receive_some()
        if not received:
            raise OSError("closed without an answer")
        reader.feed(received)
    return answer


async def answers(socket: Path, *, seconds: float = 2.0) -> bool:
    """Whether the server is up and has loaded its data. Raises NoAnswerError."""
    return bool(await ask(socket, "PING", seconds=seconds) == "PONG")
