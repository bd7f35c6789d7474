"""One question to a server on a unix socket, without a client: is it there, is it ours, stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hiredis
import trio


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
