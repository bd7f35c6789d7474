"""Real videos, made here."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import av

from tests.sounds import pcm

LENGTH = 1.0
"""Seconds."""
SIZE = (320, 240)
FAST = {"libvpx": {"deadline": "realtime", "cpu-used": "8"}}
"""Of an encoder that takes ten seconds for one large picture otherwise."""


@cache
def film(
    codec: str = "mpeg4",
    form: str = "mp4",
    *,
    sound: str = "",
    seconds: float = LENGTH,
    size: tuple[int, int] = SIZE,
    rate: int = 25,
    pixels: str = "yuv420p",
) -> bytes:
    """Moving stripes; with a tone, where ``sound`` names its codec."""
    into = io.BytesIO()
    with av.open(into, "w", format=form) as target:
        pictures = target.add_stream(codec, rate=rate, options=FAST.get(codec))
        pictures.width, pictures.height, pictures.pix_fmt = *size, pixels
        tone = target.add_stream(sound, rate=48_000, layout="stereo") if sound else None
        for number in range(round(seconds * rate)):
            target.mux(pictures.encode(_stripes(number, size, pixels, rate)))
        target.mux(pictures.encode(None))
        if tone is not None:
            resampler = av.AudioResampler(format=tone.codec_context.format, layout="stereo", rate=48_000)
            with av.open(io.BytesIO(pcm(seconds)), format="wav") as source:
                for frame in [*source.decode(audio=0), None]:
                    for each in resampler.resample(frame):
                        target.mux(tone.encode(each))
            target.mux(tone.encode(None))
    return into.getvalue()


def turned(mp4: bytes) -> bytes:
    """The same, to be shown turned by 90 degrees with the clock: the matrix of the first track."""
    at = mp4.index(b"tkhd") + 4 + 40
    one, full = (1 << 16).to_bytes(4, "big"), (1 << 30).to_bytes(4, "big")
    minus, none = (-(1 << 16) & 0xFFFFFFFF).to_bytes(4, "big"), bytes(4)
    matrix = none + one + none + minus + none + none + (240 << 16).to_bytes(4, "big") + none + full
    return mp4[:at] + matrix + mp4[at + 36 :]


def _stripes(number: int, size: tuple[int, int], pixels: str, rate: int) -> av.VideoFrame:
    frame = av.VideoFrame(*size, "yuv420p")
    for plane in frame.planes:
        row = bytes((x * 3 + number * 7) % 256 for x in range(plane.line_size))
        plane.update(row * (plane.buffer_size // plane.line_size))
    frame.pts, frame.time_base = number, Fraction(1, rate)
    return frame if pixels == "yuv420p" else frame.reformat(format=pixels)
