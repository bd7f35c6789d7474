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
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
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
TOLD: Final = 500
"""Bytes of what it said at last, in the log."""
_OF_OTHERS: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
"""Memory is short, or the machine stops. What a file does is SIGSEGV, SIGABRT, SIGXCPU and the like."""
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
    fault: str = ""
    """What failed of this machine; the file may be right."""


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
        NotConvertedError: PyAV is not installed, it is no such file, or over a limit.
        NoConverterError: this machine had no process, memory or disk for it; it may succeed later.
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


async def check() -> None:
    """Start a converter, with nothing to convert. NotConvertedError: none starts."""
    nothing = {"encoder": "opus", "demuxer": "ogg", "given": os.devnull, "into": os.devnull, "cpu": 10}
    await _asked(nothing, 10.0)


def _looked_at(given: Path) -> tuple[int, bytes]:
    try:
        with given.open("rb") as file:
            return os.fstat(file.fileno()).st_size, file.read(HEAD)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NoConverterError(f"the file could not be read: {error.strerror}") from error


async def _asked(ask: Mapping[str, Any], patience: float) -> _Answer:
    """What a child process answers; it is gone then, also when the asker goes away.

    Raises:
        NotConvertedError: it died, or took too long. NoConverterError: that was no fault of the file.
    """
    process: trio.Process | None = None
    said = b""
    try:
        with trio.move_on_after(patience) as scope:
            process = await _started(ask)
            assert process.stdout is not None
            async for chunk in process.stdout:
                said = (said + chunk)[-ANSWER:]
            await process.wait()
    except OSError as error:
        raise NoConverterError(f"the converter could not be started: {error.strerror}") from error
    finally:
        if process is not None:
            await _ended(process)
    if scope.cancelled_caught or process is None:
        raise NotConvertedError(f"it took longer than {patience:g} s")
    answer, code = _read(said), process.returncode
    if code != 0 or answer is None:
        told = said[-TOLD:].decode(errors="replace")
        log.warning("converter died", code=code, encoder=ask["encoder"], demuxer=ask["demuxer"], said=told)
        raise _death(code or 0)
    if answer.fault:
        raise NoConverterError(f"this machine failed: {answer.fault}")
    return answer


def _read(said: bytes) -> _Answer | None:
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(said.rpartition(b"\n")[2], type=_Answer)
    return None


async def _started(ask: Mapping[str, Any]) -> trio.Process:
    return await trio.lowlevel.open_process(
        [sys.executable, "-P", "-m", MODULE, json.dumps(ask)],
        stdin=subprocess.PIPE,  # nothing is written: its end tells the child that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # why it died; the answer is the last line
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


def _death(code: int) -> NotConvertedError:
    """Whose fault it is: 1 comes of Python, which could not import what it needs; -9 is the signal SIGKILL."""
    if code > 0:
        return NoConverterError(f"the converter could not be started (exit code {code})")
    name = signal.Signals(-code).name if code else "exit code 0"
    if -code in _OF_OTHERS:
        return NoConverterError(f"the converter was ended from outside ({name})")
    return NotConvertedError(f"the converter died of it ({name})")
