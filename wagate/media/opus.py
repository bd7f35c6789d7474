"""A sound as OGG with Opus, by PyAV (the extra ``voice``); import it only where that is installed.

The demuxer is named, never guessed: formats that lead to other files (playlists, concatenations) are not read at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError

from wagate.media.failure import NotConvertedError

RATE: Final = 48_000
BITS: Final = 32_000
"""A second; what WhatsApp's own recordings have, about."""
LONGEST: Final = 3600.0
"""Seconds of sound; at this rate 14 MB, under the 16 MB that Meta takes."""


def encode(given: Path | IO[bytes], demuxer: str, into: IO[bytes], *, patience: float) -> None:
    """Write the sound of a file, frame by frame; for a thread.

    Raises:
        NotConvertedError: it can't be read, has no sound, is longer than `LONGEST`, or took ``patience`` seconds.
    """
    until = time.monotonic() + patience
    try:
        named = str(given) if isinstance(given, Path) else given
        with av.open(named, "r", format=demuxer) as source, av.open(into, "w", format="ogg") as target:
            if not source.streams.audio:
                raise NotConvertedError("it contains no audio")
            voice = target.add_stream("libopus", rate=RATE, layout="mono", options={"application": "voip"})
            voice.bit_rate = BITS
            resampler, samples = av.AudioResampler(format="s16", layout="mono", rate=RATE), 0
            for frame in _frames(source):
                if time.monotonic() > until:
                    raise NotConvertedError(f"it took longer than {patience:g} s")
                for each in resampler.resample(frame):
                    samples += each.samples
                    target.mux(voice.encode(each))
                if samples > LONGEST * RATE:
                    raise NotConvertedError(f"it is longer than {LONGEST / 60:g} minutes")
            for each in resampler.resample(None):
                target.mux(voice.encode(each))
            target.mux(voice.encode(None))
    except (FFmpegError, ValueError, IndexError) as error:
        raise NotConvertedError(f"it can't be read as {demuxer}: {type(error).__name__}") from error
    if not samples:
        raise NotConvertedError("it contains no audio")


def _frames(source: InputContainer) -> Iterator[av.AudioFrame]:
    """What can be read; a broken packet is left out, as players do."""
    for packet in source.demux(source.streams.audio[0]):
        try:
            yield from packet.decode()
        except InvalidDataError:
            continue
