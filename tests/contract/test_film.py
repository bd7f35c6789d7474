"""Videos become MP4 with H.264 and AAC: real ones, converted by PyAV; and files that mean harm."""

from __future__ import annotations

import dataclasses
import io
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import av
import pytest

from tests.conversions import made_of
from tests.films import LENGTH, SIZE, film, turned
from tests.sounds import mp3
from wagate.media import convert, decoding, h264
from wagate.media.convert import VIDEO
from wagate.media.decoding import UnfitError
from wagate.media.failure import NotConvertedError
from wagate.media.sniff import sniff


async def as_mp4(content: bytes, folder: Path) -> bytes:
    return await made_of(content, VIDEO, folder)


def seen(mp4: bytes) -> tuple[list[str], tuple[int, int], int]:
    """Codecs, size, and how many pictures."""
    with av.open(io.BytesIO(mp4), format="mov") as found:
        names = [each.codec_context.name for each in (*found.streams.video, *found.streams.audio)]
        context = found.streams.video[0].codec_context
        size, pixels = (context.width, context.height), context.pix_fmt
        assert pixels == "yuv420p"
        return names, size, sum(1 for _ in found.decode(video=0))


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"sound": "aac"},
        {"codec": "libvpx", "form": "webm", "sound": "libopus"},
        {"codec": "libx264", "form": "matroska", "sound": "libmp3lame"},
        {"codec": "libx264", "form": "mov", "sound": "aac", "pixels": "yuv444p"},
        {"codec": "mpeg4", "form": "avi", "sound": "libmp3lame"},
    ],
    ids=lambda made: "-".join(made.values()) or "mute",
)
async def test_a_video_is_converted(made: Any, tmp_path: Path) -> None:
    mp4 = await as_mp4(film(**made), tmp_path)
    assert seen(mp4) == (["h264", "aac"] if made.get("sound") else ["h264"], SIZE, 25 * LENGTH)
    assert mp4.index(b"moov") < mp4.index(b"mdat")
    with av.open(io.BytesIO(mp4)) as found:
        assert found.duration is not None
        assert found.duration / av.time_base == pytest.approx(LENGTH, abs=0.1)


async def test_what_is_right_already_stays_as_it_is(tmp_path: Path) -> None:
    given = film("libx264", sound="aac")
    assert await as_mp4(given, tmp_path) == given


@pytest.mark.parametrize("form", ["mov", "3gp"])
async def test_other_containers_become_mp4_even_with_h264_inside(form: str, tmp_path: Path) -> None:
    assert sniff(film("libx264", form, sound="aac")) != "video/mp4"
    assert sniff(await as_mp4(film("libx264", form, sound="aac"), tmp_path)) == "video/mp4"


async def test_large_pictures_shrink_and_turned_ones_are_turned(tmp_path: Path) -> None:
    assert seen(await as_mp4(film(size=(1282, 722), seconds=0.2), tmp_path))[1] == (640, 360)
    assert seen(await as_mp4(turned(film()), tmp_path))[1] == (SIZE[1], SIZE[0])


async def test_slow_motion_keeps_its_length_with_fewer_pictures(tmp_path: Path) -> None:
    _, _, pictures = seen(await as_mp4(film(rate=120), tmp_path))
    assert 24 <= pictures <= 31


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "not a video"),
        (mp3(), "not a video"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "not a video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a video"),
        (film()[:2000], "can't be read"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(5000), "can't be read"),
        (b"\x1aE\xdf\xa3" + b"\xff" * 5000, "can't be read"),
        (film("ffv1", "matroska"), "what it is encoded with"),
    ],
    ids=["empty", "sound", "playlist", "concat", "cut", "zeros", "noise", "codec"],
)
async def test_what_is_no_video_is_refused(given: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotConvertedError, match=why):
        await as_mp4(given, tmp_path)


async def test_limits_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = film("libvpx", "webm", sound="libopus")
    with pytest.raises(NotConvertedError, match="longer than 0 s"):
        await made_of(given, dataclasses.replace(VIDEO, patience=0.0), tmp_path)
    monkeypatch.setattr(convert, "LARGEST", len(given) - 1)
    with pytest.raises(NotConvertedError, match="over 0 MiB"):
        await as_mp4(given, tmp_path)


@pytest.mark.parametrize(("most", "why"), [(320 * 240, None), (320 * 239, "320 × 240 pixels")])
def test_pictures_are_limited_while_a_file_is_opened(
    most: int, why: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "given").write_bytes(film("libvpx", "webm"))
    for module in (decoding, h264):
        monkeypatch.setattr(module, "MOST_PIXELS", most)
    with pytest.raises(UnfitError, match=why) if why else nullcontext():
        assert h264.encode(tmp_path / "given", "matroska", tmp_path / "made", largest=1024**2, may_stay=True)


def test_what_is_made_is_limited(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(film())
    with pytest.raises(UnfitError, match="becomes larger than 0 MiB"):
        h264.encode(tmp_path / "given", "mov", tmp_path / "made", largest=1000, may_stay=True)
