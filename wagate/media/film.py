"""Videos as WhatsApp shows them: MP4 with H.264 and AAC. What is something else is converted, if PyAV is installed."""

from __future__ import annotations

import importlib
from io import SEEK_END
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from wagate.media import voice
from wagate.media.failure import NotConvertedError
from wagate.media.sniff import HEAD, sniff
from wagate.media.voice import LARGEST

MP4: Final = "video/mp4"
PATIENCE: Final = 25.0
"""Seconds for one."""
_DEMUXERS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
}
"""By the file's first bytes."""


def as_mp4(given: Path | IO[bytes]) -> bytes:
    """The video of a file as MP4 with H.264; what is that already, as it is. For a thread.

    Raises:
        NotConvertedError: PyAV is not installed, or it is no video, or over a limit. FileNotFoundError: it is gone.
    """
    with given.open("rb") if isinstance(given, Path) else given as file:
        if file.seek(0, SEEK_END) > LARGEST:
            raise NotConvertedError(f"it is over {LARGEST // 1024**2} MiB")
        file.seek(0)
        demuxer = _demuxer(file.read(HEAD))
        file.seek(0)
        h264 = importlib.import_module("wagate.media.h264")  # here, because PyAV is 100 MB that many never need
        # A player that fetches it begins at once: for that, what an MP4 holds is moved to its front, in a file.
        with TemporaryDirectory(prefix="wagate-film-") as folder:
            into = Path(folder) / "made.mp4"
            if h264.encode(file, demuxer, into, patience=PATIENCE, largest=LARGEST):
                return into.read_bytes()
        file.seek(0)
        return file.read()


def _demuxer(head: bytes) -> str:
    if not voice.can_convert():
        raise NotConvertedError("PyAV is not installed: wagate[voice]")
    demuxer = _DEMUXERS.get(sniff(head))
    if demuxer is None:
        raise NotConvertedError("it is not a video that can be converted")
    return demuxer
