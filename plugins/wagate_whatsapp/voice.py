"""What a phone draws of a voice message: its length and its waveform, from OGG's pages, without decoding any sound.

A packet of Opus at a variable rate is the larger the more there is to hear, so that the sizes of packets follow the
loudness well enough for a picture of 64 bars. Sources: RFC 3533 (pages, lacing), RFC 7845 (48 kHz granules, pre-skip).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

BARS: Final = 64
HIGHEST: Final = 100
LARGEST: Final = 16 * 1024 * 1024
"""Bytes that are looked at: an hour of speech has less."""
_HEAD: Final = 27


def drawn(path: Path) -> tuple[int, bytes]:
    """Seconds, and the height of each bar (0 to 100); (0, b"") when it is no Opus in OGG."""
    with path.open("rb") as file:
        raw = file.read(LARGEST)
    sizes, granule, skip = list[int](), 0, 0
    open_packet = 0
    for position, lacing, body in _pages(raw):
        if not sizes and body.startswith(b"OpusHead") and len(body) >= 12:
            skip = int.from_bytes(body[10:12], "little")
        granule = max(granule, position)
        for each in lacing:
            open_packet += each
            if each < 255:
                sizes.append(open_packet)
                open_packet = 0
    if skip == 0 and b"OpusHead" not in raw[:64]:
        return 0, b""
    return max(round((granule - skip) / 48_000), 1), _bars(sizes[2:])  # after the two headers


def _pages(raw: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(granule position, lacing values, body) of each page."""
    at = 0
    while raw[at : at + 4] == b"OggS" and at + _HEAD <= len(raw):
        count = raw[at + 26]
        lacing = raw[at + _HEAD : at + _HEAD + count]
        start = at + _HEAD + count
        position = int.from_bytes(raw[at + 6 : at + 14], "little", signed=True)
        yield position, lacing, raw[start : start + sum(lacing)]
        at = start + sum(lacing)


def _bars(sizes: list[int]) -> bytes:
    if not sizes:
        return b""
    edges = [len(sizes) * bar // BARS for bar in range(BARS + 1)]
    parts = [sizes[begin : max(end, begin + 1)] for begin, end in pairwise(edges)]
    heights = [sum(part) / len(part) for part in parts]
    low, high = min(heights), max(heights)
    if high == low:
        return bytes([HIGHEST // 2] * BARS)
    return bytes(round(HIGHEST * (each - low) / (high - low)) for each in heights)
