"""A process of its own that converts one file and ends: ``python -m wagate.media.encoder`` with an `Ask` as JSON.

FFmpeg reads what strangers made. Here a file can take only so much memory and time, and nothing of the gateway's.
The last line of standard output is the answer, as JSON. The process ends with its parent: with its standard input.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypedDict

from wagate.media import h264, opus
from wagate.media.decoding import UnfitError

MEMORY: Final = 1024**3
"""Bytes of address space. 4096 × 2304 in H.264 takes 320 MB of it."""

FAULTS: Final = frozenset(
    {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EROFS, errno.ESTALE}
)
"""Errors of this machine. Others may be the file's fault: it can make FFmpeg seek to where no file begins (EINVAL)."""


class Ask(TypedDict):
    """What is to be done."""

    encoder: str
    """``opus`` or ``h264``."""
    demuxer: str
    given: str
    """The file to read."""
    into: str
    """The file to write."""
    largest: int
    """Bytes of what is made."""
    may_stay: bool
    """Whether what is H.264 already may stay as it is."""
    cpu: int
    """Seconds of a core."""


def main() -> None:
    """Do it and say how it ended.

    ``{"made": …}``, false when the file is right already, ``{"why": …}``, or ``{"fault": …}``: this machine's.
    """
    ask: Ask = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit(ask["cpu"])
    said = json.dumps(answer(ask)).encode()
    os.write(1, b"\n" + said)  # a line of its own, whatever a library said before
    os._exit(0)  # nothing is left to do, and nothing can go wrong any more


def answer(ask: Ask) -> dict[str, Any]:
    """What is said."""
    given, into = Path(ask["given"]), Path(ask["into"])
    try:
        if ask["encoder"] == "opus":
            opus.encode(given, ask["demuxer"], into)
            return {"made": True}
        return {"made": h264.encode(given, ask["demuxer"], into, largest=ask["largest"], may_stay=ask["may_stay"])}
    except UnfitError as error:
        return {"why": str(error)}
    except OSError as error:
        if error.errno in FAULTS:
            return {"fault": os.strerror(error.errno)}
        return {"why": f"the conversion failed: {type(error).__name__}"}
    except Exception as error:  # noqa: BLE001  (the process's edge: who asked must learn it)
        return {"why": f"the conversion failed: {type(error).__name__}"}


def _limit(cpu: int) -> None:
    """Whatever a file makes FFmpeg do, it takes no more than this; when memory is short, this process goes first."""
    # A second more of the core to the hard limit: too much of it is SIGXCPU, and SIGKILL always from elsewhere.
    for kind, most, hard in (
        (resource.RLIMIT_AS, MEMORY, MEMORY),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with suppress(ValueError, OSError):  # macOS knows no limit of memory
            resource.setrlimit(kind, (most, hard))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def _end_with_parent() -> None:
    """The parent never writes: what is read is the end of its side, even when it was killed."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
