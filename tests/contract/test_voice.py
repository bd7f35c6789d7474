"""Recordings for providers that take only OGG/Opus: real sounds, converted by PyAV."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from tests.media_site import MediaSite, media_site
from tests.sounds import LENGTH, mp3, pcm
from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks.messages import OutMedia, OutMessage
from wagate.media import convert, opus
from wagate.media.convert import OPUS
from wagate.media.decoding import UnfitError
from wagate.media.voice import Voices
from wagate.storage.database import Database
from wagate.storage.upkeep.retention import forget_media
from wagate.testing.server import Reply

CHAT = "5511999999999@c.us"


async def whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def held(site: MediaSite, content: bytes, filename: str = "memo.mp3") -> OutMedia:
    return await site.parts.store.keep(whole(content), client_id=1, filename=filename)


async def made(site: MediaSite, media: OutMedia) -> OutMessage:
    return await Voices(site.parts.store)(OutMessage(chat=CHAT, type="voice", media=media), 1)


async def content_of(site: MediaSite, message: OutMessage) -> bytes:
    file = await site.parts.store.file_of(message, 1)
    assert file is not None
    assert file.path is not None
    return file.path.read_bytes()


@pytest.mark.parametrize("kind", ["mp3", "wav"])
async def test_a_recording_becomes_opus_of_the_same_length(database: Database, tmp_path: Path, kind: str) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        message = await made(site, await held(site, mp3() if kind == "mp3" else pcm(), f"memo.{kind}"))
        assert message.type == "voice"
        assert message.media is not None
        assert (message.media.mimetype, message.media.filename) == (OPUS, "memo.ogg")
        with av.open(io.BytesIO(await content_of(site, message))) as found:
            assert (found.format.name, found.streams.audio[0].codec_context.name) == ("ogg", "opus")
            assert sum(frame.samples for frame in found.decode(audio=0)) / 48_000 == pytest.approx(LENGTH, abs=0.2)


async def test_a_recording_behind_a_link_is_fetched_and_converted_once(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        site.replies["/memo.mp3"] = Reply(body=mp3(), headers={"content-type": "audio/mpeg"})
        voices = Voices(site.parts.store)
        media = OutMedia(url=f"{site.server.url}/memo.mp3", mimetype="audio/mpeg")
        first, second = [await voices(OutMessage(chat=CHAT, type="voice", media=media), 1) for _ in range(2)]
        assert first.media is not None
        assert first.media.mimetype == OPUS
        assert first.media == second.media


async def test_a_recording_whose_converted_file_is_gone_is_converted_again(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        voices, sent = Voices(site.parts.store), []
        for _ in range(2):
            message = OutMessage(chat=CHAT, type="voice", media=await held(site, mp3()))
            sent.append(made := await voices(message, 1))
            assert made.type == "voice"
            assert (await content_of(site, made)).startswith(b"OggS")
            site.clock.shift(60)
            await database.write(forget_media, site.clock.now())
        assert sent[0].media != sent[1].media


async def test_what_is_opus_already_is_left_alone(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        told = OutMedia(url="https://cdn.example/a.ogg", mimetype="audio/ogg; codecs=opus")
        assert (await made(site, told)).media == told
        opus = await made(site, await held(site, mp3()))
        assert opus.media is not None
        again = await made(site, opus.media)
        assert again.media is not None
        assert again.media.media_id == opus.media.media_id


@pytest.mark.parametrize("trouble", ["no sound", "cut", "too large", "too slow", "no PyAV"])
async def test_what_can_not_be_converted_leaves_as_a_sound_file(
    database: Database, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"no sound": b"%PDF-1.7 " * 100, "cut": b"ID3" + bytes(200)}.get(trouble, mp3())
    if trouble == "too large":
        monkeypatch.setattr(convert, "LARGEST", 100)
    if trouble == "too slow":
        monkeypatch.setattr("wagate.media.voice.VOICE", dataclasses.replace(convert.VOICE, patience=0.0))
    if trouble == "no PyAV":
        monkeypatch.setattr(convert, "can_convert", lambda: False)
    async with media_site(database, tmp_path, fetching=False) as site:
        media = await held(site, content)
        message = await made(site, media)
        assert (message.type, message.media) == ("audio", media)


async def test_what_this_machine_can_not_convert_now_is_tried_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        media = await held(site, mp3())
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", "/nowhere/python")
            with pytest.raises(NotSentError, match="could not be started"):
                await made(site, media)
        assert (await made(site, media)).type == "voice"


def test_an_hour_is_the_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus, "LONGEST", 0.5)
    (tmp_path / "given").write_bytes(mp3())
    with pytest.raises(UnfitError, match="longer than"):
        opus.encode(tmp_path / "given", "mp3", tmp_path / "made")


async def test_a_playlist_that_leads_to_another_file_is_not_read(database: Database, tmp_path: Path) -> None:
    (tmp_path / "secret.mp3").write_bytes(mp3())
    lists = [
        f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.mp3\n",
        f"ffconcat version 1.0\nfile {tmp_path}/secret.mp3\n",
    ]
    async with media_site(database, tmp_path, fetching=False) as site:
        for content in lists:
            for start in (b"", b"ID3\x04\x00\x00\x00\x00\x00\x00"):
                media = await held(site, start + content.encode())
                assert (await made(site, media)).type == "audio"


async def test_a_file_that_is_not_there_is_refused(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        with pytest.raises(SendRefusedError):
            await made(site, OutMedia(media_id="01a1fc80-c626-70b8-bcec-6785670ae3a7"))
