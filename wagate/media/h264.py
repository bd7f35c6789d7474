"""A video as MP4 with H.264 and AAC, by PyAV; only in the child process (`wagate.media.encoder`)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame

from wagate.media.decoding import MOST_PIXELS, UnfitError, frames, opened

SIDE: Final = 640
"""Pixels of the longer side at most."""
FASTEST: Final = Fraction(1, 31)
"""Seconds between two pictures at least: the others are left out."""
CLOCK: Final = Fraction(1, 90_000)
PICTURES: Final = {
    "preset": "superfast",
    "crf": "24",
    "maxrate": "1500k",
    "bufsize": "3000k",
    "threads": "1",
}
RATE: Final = 48_000
BITS: Final = 96_000
"""A second of sound."""
DECODERS: Final = frozenset(
    {
        *("h264", "hevc", "mpeg4", "msmpeg4", "msmpeg4v2", "h263", "vp8", "vp9", "av1", "libdav1d", "mjpeg"),
        *("aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "amrnb", "pcm_s16le"),
    }
)
"""What phones, cameras and browsers write: none of the hundreds of others reads what somebody sent."""
_TURNS: Final = {90: "transpose=cclock", -90: "transpose=clock", 180: "hflip,vflip", -180: "hflip,vflip"}
"""Degrees that a player would turn the picture by, against the clock → how it is turned for good."""


def encode(given: Path, demuxer: str, into: Path, *, largest: int, may_stay: bool) -> bool:
    """Write the video of a file, frame by frame; False: it is that already and may stay, and nothing was written.

    Raises:
        UnfitError: it can't be read, has no pictures, or became larger than ``largest`` bytes.
    """
    with opened(given, demuxer, codec_whitelist=",".join(sorted(DECODERS))) as source:
        _check(source)
        if may_stay and _is_right(source):
            return False
        film, sounds = source.streams.video[0], source.streams.audio[:1]
        film.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        film.codec_context.thread_count = 1
        with av.open(str(into), "w", format="mp4", options={"movflags": "faststart"}) as target:
            made = _Made(source, target)
            for frame in frames(source, film, *sounds):
                made.add(frame)
                if made.size > largest:
                    raise UnfitError(f"it becomes larger than {largest // 1024**2} MiB")
            made.end()
    if not made.pictures:
        raise UnfitError("it contains no video")
    return True


def _check(source: InputContainer) -> None:
    if not source.streams.video:
        raise UnfitError("it contains no video")
    for each in (*source.streams.video[:1], *source.streams.audio[:1]):
        if each.codec_context is None or each.codec_context.name not in DECODERS:
            raise UnfitError("what it is encoded with can't be read")
    film = source.streams.video[0].codec_context
    if film.width * film.height > MOST_PIXELS:
        raise UnfitError(f"its pictures have {film.width} × {film.height} pixels")


def _is_right(source: InputContainer) -> bool:
    film = source.streams.video[0].codec_context
    sounds = [each.codec_context.name for each in source.streams.audio]
    return (film.name, film.pix_fmt) == ("h264", "yuv420p") and sounds in ([], ["aac"])


def _turning(degrees: int, like: VideoFrame) -> Any:
    """A filter for pictures such as this one."""
    graph = av.filter.Graph()
    begin = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    steps = [graph.add(*each.split("=")) for each in _TURNS[degrees].split(",")]
    graph.link_nodes(begin, *steps, graph.add("buffersink")).configure()
    return graph


class _Made:
    """The MP4, as far as it got."""

    def __init__(self, source: InputContainer, target: OutputContainer) -> None:
        self._source = source
        self._target = target
        self.pictures = 0
        self.size = 0
        """Bytes."""
        self._last = Fraction(0)
        """Seconds, of the last picture."""
        self._heard = -1
        """Samples, to where the sound goes."""
        self._size = (0, 0)
        self._turned: Any = None
        self._film: Any = None
        self._sound: Any = None
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)

    def add(self, frame: Any) -> None:
        """A picture or a sound; what sounds before the first picture is left out."""
        if isinstance(frame, VideoFrame):
            self._picture(frame)
        elif self._sound is not None:
            if self._heard < 0:
                self._heard = max(0, int((frame.time or 0) * RATE))
            self._hear(frame)

    def _hear(self, frame: Any) -> None:
        """Sounds follow one another as they come: the times that files tell may go back."""
        for each in self._resampler.resample(frame):
            each.pts, each.time_base = self._heard, Fraction(1, RATE)
            self._heard += each.samples
            self._mux(self._sound.encode(each))

    def _picture(self, frame: VideoFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            return
        at = frame.pts * frame.time_base
        if self.pictures and at < self._last + FASTEST:
            return
        self._size = self._size if self.pictures else _fitting(frame.width, frame.height)
        small: Any = frame.reformat(*self._size, format="yuv420p")
        small.pts, small.time_base = frame.pts, frame.time_base
        if (degrees := round(frame.rotation / 90) * 90) in _TURNS:
            self._turned = self._turned or _turning(degrees, small)
            self._turned.push(small)
            small = self._turned.pull()
        if not self.pictures:
            self._begin(small)
        small.pict_type = 0
        self._last, self.pictures = at, self.pictures + 1
        self._mux(self._film.encode(small))

    def _begin(self, like: Any) -> None:
        """An MP4 begins with what it holds."""
        rate = self._source.streams.video[0].average_rate
        self._film = self._target.add_stream("libx264", rate=min(rate or 30, 30), options=dict(PICTURES))
        self._film.width, self._film.height, self._film.pix_fmt = like.width, like.height, "yuv420p"
        self._film.codec_context.time_base = CLOCK
        if self._source.streams.audio:
            self._sound = self._target.add_stream("aac", rate=RATE, layout="stereo")
            self._sound.bit_rate = BITS

    def _mux(self, packets: list[Any]) -> None:
        self.size += sum(each.size for each in packets)
        self._target.mux(packets)

    def end(self) -> None:
        """What the encoders still hold."""
        if self._film is not None:
            self._mux(self._film.encode(None))
        if self._sound is not None:
            self._hear(None)
            self._mux(self._sound.encode(None))


def _fitting(width: int, height: int) -> tuple[int, int]:
    """The size with even sides, the longer one `SIDE` at most."""
    shrunk = min(1.0, SIDE / max(width, height, 1))
    return max(2, round(width * shrunk / 2) * 2), max(2, round(height * shrunk / 2) * 2)
