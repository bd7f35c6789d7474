"""Real sounds, made here."""

from __future__ import annotations

import io
import wave

import av

LENGTH = 2.0
"""Seconds."""


def pcm(seconds: float = LENGTH) -> bytes:
    """A WAV file with a tone."""
    into = io.BytesIO()
    with wave.open(into, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x00\x10\x00\x10\x00\xf0\x00\xf0" * int(8_000 * seconds))
    return into.getvalue()


def mp3(seconds: float = LENGTH) -> bytes:
    """What Chatwoot's recorder makes."""
    into = io.BytesIO()
    with av.open(io.BytesIO(pcm(seconds)), format="wav") as source, av.open(into, "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=44_100, layout="mono")
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return into.getvalue()
