"""Videos, GIFs, stickers and voice messages: byte by byte, both ways, through the real engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.whatsapp_site import ANA, Site, send, site
from wagate.hooks import OutFile, OutMedia
from wagate.testing import FakeInlet
from wagate.testing.whatsapp.protobuf import unpack

LARGE = 1_200_001
"""Bytes: goes up in parts."""


async def test_what_people_send_comes_in_byte_by_byte(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        for kind, mimetype, size, type_, caption in (
            ("video", "video/mp4", LARGE, "video", "look"),
            ("gif", "video/mp4", 70_001, "video", "look"),
            ("sticker", "image/webp", 30_003, "sticker", ""),
            ("audio", "audio/ogg; codecs=opus", 9_000, "voice", ""),
        ):
            content = os.urandom(size)
            inlet.events.clear()
            await here.world.file(ANA, kind, content, mimetype, caption="look")
            assert await fetched(here, inlet) == content
            [event] = inlet.events
            assert event.media is not None
            assert (event.type, event.content, event.media.mimetype) == (type_, caption, mimetype)
            assert bool(event.extra.get("gif")) == (kind == "gif")
        assert here.fake.server.errors == []


@pytest.mark.parametrize(
    ("kind", "name", "mimetype", "size", "field"),
    [
        ("video", "film.mp4", "video/mp4", LARGE, 9),
        ("sticker", "hi.webp", "image/webp", 30_003, 26),
        ("voice", "voice.ogg", "audio/ogg", 9_001, 8),
    ],
)
async def test_what_we_send_arrives_byte_by_byte(
    tmp_path: Path, *, kind: str, name: str, mimetype: str, size: int, field: int
) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        path, content = tmp_path / name, os.urandom(size)
        path.write_bytes(content)
        file = OutFile(mimetype=mimetype, filename=name, path=path, size=size)
        await send(here, kind, file=file, media=OutMedia(media_id="1"), text="see" if kind == "video" else "")
        server = here.fake.server
        await server.until(lambda: len(server.messages) == 1)
        assert here.world.received(server.messages[0]) == content
        fields = unpack(server.messages[0].fields[field][0])
        if kind == "voice":
            assert (fields[2][0], fields[4][0], fields[6][0]) == (b"audio/ogg; codecs=opus", size, 1)
        else:
            assert mimetype.encode() in {fields[2][0], fields.get(5, [b""])[0]}
        assert server.errors == []


async def fetched(here: Site, inlet: FakeInlet) -> bytes:
    """The file of the event that comes."""
    await inlet.until(lambda: bool(inlet.events))
    got, media = bytearray(), inlet.events[0].media

    async def sink(part: bytes) -> None:
        got.extend(part)

    assert here.provider.fetch_media is not None
    assert media is not None
    await here.provider.fetch_media(media, here.account, sink)
    return bytes(got)
