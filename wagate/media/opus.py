"""A sound as OGG with Opus, by PyAV; only in the child process (`wagate.media.encoder`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import av

from wagate.media.decoding import UnfitError, frames, opened

RATE: Final = 48_000
BITS: Final = 32_000
"""A second; what WhatsApp's own recordings have, about."""
LONGEST: Final = 3600.0
"""Seconds of sound; at this rate 14 MB, under the 16 MB that Meta takes."""


def encode(given: Path, demuxer: str, into: Path) -> None:
    """Write the sound of a file, frame by frame. UnfitError: it can't be read, has none, or more than `LONGEST`."""
    with opened(given, demuxer) as source, av.open(str(into), "w", format="ogg") as target:
        if not source.streams.audio:
            raise UnfitError("it contains no audio")
        voice = target.add_stream("libopus", rate=RATE, layout="mono", options={"application": "voip"})
        voice.bit_rate = BITS
        resampler, samples = av.AudioResampler(format="s16", layout="mono", rate=RATE), 0
        for frame in frames(source, source.streams.audio[0]):
            for each in resampler.resample(frame):
                samples += each.samples
                target.mux(voice.encode(each))
            if samples > LONGEST * RATE:
                raise UnfitError(f"it is longer than {LONGEST / 60:g} minutes")
        for each in resampler.resample(None):
            target.mux(voice.encode(each))
        target.mux(voice.encode(None))
    if not samples:
        raise UnfitError("it contains no audio")
