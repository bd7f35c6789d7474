"""Conversions as the gateway does them, and files that mean harm."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.sounds import pcm
from wagate.media.convert import Conversion, converted
from wagate.media.files import FileStore


async def made_of(content: bytes, what: Conversion, folder: Path) -> bytes:
    """What the gateway makes of a file; nothing else stays in ``folder``. Raises as `converted`."""
    given = folder / "given"
    given.write_bytes(content)
    try:
        async with converted(what, given, FileStore(folder / "media").writing) as made:
            return made.read_bytes()
    finally:
        given.unlink()
        assert not [each for each in folder.rglob("*") if each.is_file()]


def box(kind: str, *parts: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind.encode()) + content


def claiming(samples: int, *, content: bytes = b"", size: int = 1, sound: bool = False) -> bytes:
    """An MP4 that says it has so many samples of ``size`` bytes, one after another in ``content``."""
    words = struct.Struct(">I").pack
    head = box("ftyp", b"isom", words(512), b"isommp41")
    at = len(head) + 8
    if sound:
        entry = box("sowt", bytes(6), struct.pack(">H8xHHHHI", 1, 2, 16, 0, 0, 48_000 << 16))
        about, kind = box("smhd", bytes(8)), b"soun"
    else:
        entry = box("mp4v", bytes(6), struct.pack(">H16xHH", 1, 320, 240), bytes(50))
        about, kind = box("vmhd", bytes(12)), b"vide"
    table = box(
        "stbl",
        box("stsd", words(0), words(1), entry),
        box("stts", words(0), words(1), words(samples), words(1)),
        box("stsz", words(0), words(size), words(samples)),
        box("stsc", words(0), words(1), words(1), words(samples), words(1)),
        box("stco", words(0), words(1), words(at)),
    )
    clock = bytes(12) + words(25) + words(samples)
    media = box("mdia", box("mdhd", clock, bytes(4)), box("hdlr", bytes(8), kind, bytes(13)), box("minf", about, table))
    track = box("trak", box("tkhd", words(3), bytes(8), words(1), bytes(68)), media)
    return head + box("mdat", content) + box("moov", box("mvhd", clock, bytes(80)), track)


def slow_sound(rate: int) -> bytes:
    """A WAV file that says it has ``rate`` samples a second."""
    whole = pcm()
    return whole[:24] + struct.pack("<II", rate, rate * 4) + whole[32:]
