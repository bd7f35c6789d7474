"""Videos become MP4 with H.264 and AAC: real ones, converted by PyAV; and files that mean harm."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import pytest

from tests.films import LENGTH, SIZE, film, turned
from tests.sounds import mp3
from wagate.media import film as films
from wagate.media import h264
from wagate.media.failure import NotConvertedError
from wagate.media.film import as_mp4


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
def test_a_video_is_converted(made: Any, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(film(**made))
    for source in (given, io.BytesIO(given.read_bytes())):
        mp4 = as_mp4(source)
        assert seen(mp4) == (["h264", "aac"] if made.get("sound") else ["h264"], SIZE, 25 * LENGTH)
        assert mp4.index(b"moov") < mp4.index(b"mdat")
        with av.open(io.BytesIO(mp4)) as found:
            assert found.duration is not None
            assert found.duration / av.time_base == pytest.approx(LENGTH, abs=0.1)


def test_what_is_right_already_stays_as_it_is() -> None:
    given = film("libx264", sound="aac")
    assert as_mp4(io.BytesIO(given)) == given


def test_large_pictures_shrink_and_turned_ones_are_turned() -> None:
    assert seen(as_mp4(io.BytesIO(film(size=(1282, 722), seconds=0.2))))[1] == (640, 360)
    assert seen(as_mp4(io.BytesIO(turned(film()))))[1] == (SIZE[1], SIZE[0])


def test_slow_motion_keeps_its_length_with_fewer_pictures() -> None:
    _, _, pictures = seen(as_mp4(io.BytesIO(film(rate=120))))
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
def test_what_is_no_video_is_refused(given: bytes, why: str) -> None:
    with pytest.raises(NotConvertedError, match=why):
        as_mp4(io.BytesIO(given))


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    given = film("libvpx", "webm", sound="libopus")
    with monkeypatch.context() as patched:
        patched.setattr(h264, "MOST_PIXELS", 320 * 239)
        with pytest.raises(NotConvertedError):
            as_mp4(io.BytesIO(given))
    with monkeypatch.context() as patched:
        patched.setattr(films, "PATIENCE", 0.0)
        with pytest.raises(NotConvertedError, match="longer than 0 s"):
            as_mp4(io.BytesIO(given))
    for most in (len(given) - 1, len(given)):  # of what is given; of what is made
        with monkeypatch.context() as patched:
            patched.setattr(films, "LARGEST", most)
            patched.setattr(h264, "PICTURES", {**h264.PICTURES, "crf": "0"})
            with pytest.raises(NotConvertedError, match="MiB"):
                as_mp4(io.BytesIO(given))
