"""What is read of files that somebody sent, by PyAV; only in the child process (`wagate.media.encoder`).

The demuxer is named, never guessed: formats that lead to other files (playlists, concatenations) are not read at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError

MOST_PIXELS: Final = 4096 * 2304
"""Of a picture: decoding takes memory by these."""
RATES: Final = range(4_000, 192_001)
"""Samples a second. One packet at rate 1 would become gigabytes at 48,000."""


class UnfitError(Exception):
    """The file can't be converted; its text says why, plainly."""


@contextmanager
def opened(given: Path, demuxer: str, **options: str) -> Iterator[InputContainer]:
    """The file, read as what ``demuxer`` names; what is wrong with it meanwhile is an UnfitError.

    OSError: what the disk said, also of the file that is written meanwhile.
    """
    only = {"max_pixels": str(MOST_PIXELS), **options}
    try:
        with given.open("rb") as file, av.open(file, "r", format=demuxer, options=only) as source:
            yield source
    except MemoryError as error:
        raise UnfitError("it takes more memory than a conversion may have") from error
    except (FFmpegError, ValueError, IndexError, ArithmeticError) as error:
        if isinstance(error, OSError) and error.filename not in {None, str(given)}:
            raise  # of the file that is written: PyAV names it
        raise UnfitError(f"it can't be read as {demuxer}: {type(error).__name__}") from error


def frames(source: InputContainer, *streams: Any) -> Iterator[Any]:
    """Pictures and sounds that can be read, as they come; a broken packet is left out, as players do."""
    for packet in source.demux(*streams):
        try:
            found = packet.decode()
        except InvalidDataError:
            continue
        for frame in found:
            if (rate := getattr(frame, "sample_rate", None)) is not None and rate not in RATES:
                raise UnfitError(f"its sound has {rate} samples a second")
            yield frame
