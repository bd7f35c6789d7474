"""Files made into what WhatsApp shows: recordings OGG with Opus, videos MP4 with H.264 and AAC.

A child process does it (`wagate.media.encoder`) with PyAV, if that is installed; this one never loads it.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
import trio

from wagate.media.failure import NoConverterError, NotConvertedError
from wagate.media.files import Writing
from wagate.media.sniff import HEAD, sniff

OPUS: Final = "audio/ogg; codecs=opus"
MP4: Final = "video/mp4"
LARGEST: Final = 64 * 1024**2
"""Bytes of a file that is converted, and of what a video becomes."""
MODULE: Final = "wagate.media.encoder"
ANSWER: Final = 4096
"""Bytes of the child's answer at most."""
_KEPT: Final = ("HOME", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE")
"""Of the environment: what Python needs to find its packages. The rest may hold secrets."""

log = structlog.get_logger("wagate.media")

Room = Callable[[], AbstractAsyncContextManager[Writing]]
"""`wagate.media.files.FileStore.writing`: a file in the data folder that is gone afterwards, or at the next start."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What is made of files."""

    mimetype: str
    """Of what is made."""
    encoder: str
    """`wagate.media.encoder.Ask`'s."""
    noun: str
    """What a file must be."""
    demuxers: Mapping[str, str]
    """By the type that the file's first bytes tell."""
    patience: float
    """Seconds for one."""


VOICE: Final = Conversion(
    mimetype=OPUS,
    encoder="opus",
    noun="audio",
    demuxers={
        "audio/mpeg": "mp3",
        "audio/wav": "wav",
        "audio/aac": "aac",
        "audio/amr": "amr",
        "audio/mp4": "mov",
        "video/mp4": "mov",
        "video/3gpp": "mov",
        "video/webm": "matroska",
        "audio/ogg": "ogg",
    },
    patience=20.0,
)
VIDEO: Final = Conversion(
    mimetype=MP4,
    encoder="h264",
    noun="a video",
    demuxers={
        "video/mp4": "mov",
        "video/quicktime": "mov",
        "video/3gpp": "mov",
        "video/webm": "matroska",
        "video/x-msvideo": "avi",
    },
    patience=25.0,
)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says."""

    made: bool = False
    """False: the file is right already."""
    why: str = ""
    """Why it can't be converted."""


def can_convert() -> bool:
    """Whether PyAV is installed (``pip install 'wagate[voice]'``)."""
    return importlib.util.find_spec("av") is not None


def is_opus(head: bytes) -> bool:
    """Whether a file with these first bytes is OGG with Opus."""
    return head.startswith(b"OggS") and b"OpusHead" in head[:512]


@asynccontextmanager
async def converted(what: Conversion, given: Path, room: Room) -> AsyncIterator[Path]:
    """The file made into that, for as long as the block runs; ``given`` itself when it is that already.

    Raises:
        NotConvertedError: PyAV is not installed, it is no such file, or over a limit. NoConverterError.
        FileNotFoundError: it is gone. StorageError: the data folder takes no file.
    """
    size, head = await trio.to_thread.run_sync(_looked_at, given)
    if size > LARGEST:
        raise NotConvertedError(f"it is over {LARGEST // 1024**2} MiB")
    if what.mimetype == OPUS and is_opus(head):
        yield given
        return
    if not can_convert():
        raise NotConvertedError("PyAV is not installed: wagate[voice]")
    kind = sniff(head)
    if (demuxer := what.demuxers.get(kind)) is None:
        raise NotConvertedError(f"it is not {what.noun} that can be converted")
    async with room() as into:
        ask = {
            "encoder": what.encoder,
            "demuxer": demuxer,
            "given": str(given),
            "into": str(into.path),
            "largest": LARGEST,
            "may_stay": kind == what.mimetype,
            "cpu": math.ceil(what.patience) + 1,
        }
        answer = await _asked(ask, what.patience)
        if answer.why:
            raise NotConvertedError(answer.why)
        yield into.path if answer.made else given


def _looked_at(given: Path) -> tuple[int, bytes]:
    with given.open("rb") as file:
        return os.fstat(file.fileno()).st_size, file.read(HEAD)


async def _asked(ask: Mapping[str, Any], patience: float) -> _Answer:
    """What a child process answers; it is gone then, also when the asker goes away. NotConvertedError: nothing."""
    process: trio.Process | None = None
    said = b""
    try:
        with trio.move_on_after(patience) as scope:
            process = await _started(ask)
            assert process.stdout is not None
            said = bytes(await process.stdout.receive_some(ANSWER))
            await process.wait()
    except OSError as error:
        raise NoConverterError(f"the converter could not be started: {error.strerror}") from error
    finally:
        if process is not None:
            await _ended(process)
    if scope.cancelled_caught or process is None:
        raise NotConvertedError(f"it took longer than {patience:g} s")
    try:
        return msgspec.json.decode(said, type=_Answer)
    except msgspec.DecodeError as error:
        log.warning("converter died", code=process.returncode, encoder=ask["encoder"], demuxer=ask["demuxer"])
        raise NotConvertedError(f"the converter died of it ({_cause(process.returncode)})") from error


async def _started(ask: Mapping[str, Any]) -> trio.Process:
    return await trio.lowlevel.open_process(
        [sys.executable, "-P", "-m", MODULE, json.dumps(ask)],
        stdin=subprocess.PIPE,  # nothing is written: its end tells the child that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        start_new_session=True,  # a Ctrl-C in the terminal is for us
    )


async def _ended(process: trio.Process) -> None:
    """Nothing of it is left: its turn is free for the next."""
    with trio.CancelScope(shield=True):
        process.kill()
        await process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                await pipe.aclose()


def _cause(code: int | None) -> str:
    """``-9`` → ``SIGKILL``, ``1`` → ``exit code 1``."""
    if code is None or code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name
