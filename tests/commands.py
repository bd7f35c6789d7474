"""Commands as a person runs them, each in a process of its own, which has loaded everything already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

import msgspec
import trio

from tests.forked import fork
from tests.inprocess import PATIENCE


class Result(msgspec.Struct, frozen=True):
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str


async def wagate(*arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Result:
    """Run it beside what this process does, here and with our environment or elsewhere; it has nothing to read."""
    with TemporaryFile() as output, TemporaryFile() as errors, Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), output.fileno(), errors.fileno())
        process = fork(arguments, environment or os.environ, folder or Path.cwd(), streams, kind="command")
        with trio.fail_after(PATIENCE):
            code = await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
        for file in (output, errors):
            file.seek(0)
        return Result(code, output.read().decode(), errors.read().decode())
