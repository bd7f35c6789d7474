"""WAHA's conversions of recordings and videos, by wagate itself, whatever provider is behind."""

from __future__ import annotations

import base64
import io
import shutil
import sys

import av
import pytest
import trio

from tests.conversions import claiming
from tests.films import film
from tests.provider_sites import Meta, gateway
from tests.sounds import LENGTH, mp3
from wagate.media import convert
from wagate.testing.server import FakeServer, Reply, Seen, running

PATH = "/api/main/media/convert/voice"
VIDEO = "/api/main/media/convert/video"
SOUND = base64.b64encode(mp3()).decode()


async def test_a_recording_is_converted_or_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(Meta()) as found:
        file = await found.http.post(PATH, json={"data": SOUND})
        assert (file.status_code, file.headers["content-type"]) == (200, convert.OPUS), file.text
        with av.open(io.BytesIO(file.content)) as opened:
            assert (opened.format.name, opened.streams.audio[0].codec_context.name) == ("ogg", "opus")
            assert sum(frame.samples for frame in opened.decode(audio=0)) / 48_000 == pytest.approx(LENGTH, abs=0.2)
        asked = await found.http.post(PATH, json={"data": SOUND}, headers={"Accept": "application/json"})
        assert asked.json()["mimetype"] == convert.OPUS
        assert base64.b64decode(asked.json()["data"]).startswith(b"OggS")
        opus = base64.b64encode(file.content).decode()
        assert (await found.http.post(PATH, json={"data": opus})).content == file.content

        for body, field in (
            ({}, "url"),
            ({"url": "https://e.example/a", "data": SOUND}, "url"),
            ({"url": "file:///etc/passwd"}, "url"),
            ({"url": "http://169.254.169.254/latest"}, "url"),
            ({"url": "http://[::1/"}, "url"),
            ({"data": "no base64!"}, "data"),
            ({"data": base64.b64encode(b"%PDF-1.7 " * 100).decode()}, "data"),
            ({"data": base64.b64encode(b"ID3" + bytes(200)).decode()}, "data"),
        ):
            refused = await found.http.post(PATH, json=body)
            assert (refused.status_code, field in refused.text) == (422, True), (body, refused.text)

        monkeypatch.setattr(convert, "can_convert", lambda: False)
        missing = await found.http.post(PATH, json={"data": SOUND})
        assert (missing.status_code, "wagate[voice]" in missing.json()["message"]) == (501, True)


async def test_a_video_is_converted_or_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    given = base64.b64encode(film("libvpx", "webm", sound="libopus")).decode()
    async with gateway(Meta()) as found:
        # The node sends url, too, which nobody can take away.
        file = await found.http.post(VIDEO, json={"url": "", "data": given})
        assert (file.status_code, file.headers["content-type"]) == (200, "video/mp4"), file.text
        with av.open(io.BytesIO(file.content)) as opened:
            assert [each.codec_context.name for each in opened.streams] == ["h264", "aac"]
        asked = await found.http.post(VIDEO, json={"data": given}, headers={"Accept": "application/json"})
        assert asked.json()["mimetype"] == "video/mp4"
        assert base64.b64decode(asked.json()["data"])[4:8] == b"ftyp"

        for body, field in (
            ({}, "url"),
            ({"url": None, "data": None}, "url"),
            ({"url": "", "data": ""}, "url"),
            ({"url": "https://e.example/a", "data": given}, "url"),
            ({"url": "file:///etc/passwd"}, "url"),
            ({"url": "http://169.254.169.254/latest"}, "url"),
            ({"data": "no base64!"}, "data"),
            ({"data": SOUND}, "data"),
            ({"data": given[:2000]}, "data"),
            ({"data": 7}, "data"),
        ):
            refused = await found.http.post(VIDEO, json=body)
            assert (refused.status_code, field in refused.text) == (422, True), (body, refused.text)
        huge = await found.http.post(VIDEO, content=b'{"data":"' + b"A" * 200_000_000 + b'"}')
        assert huge.status_code == 413
        theirs = await found.client("theirs")
        other = {"Authorization": f"Bearer {theirs['token']}"}
        assert (await found.http.post(VIDEO, json={"data": given}, headers=other)).status_code == 404

        monkeypatch.setattr(convert, "can_convert", lambda: False)
        missing = await found.http.post(VIDEO, json={"data": given})
        assert (missing.status_code, "wagate[voice]" in missing.json()["message"]) == (501, True)


async def test_a_file_behind_a_link_is_fetched_through_the_guard() -> None:
    async def answer(seen: Seen) -> Reply:
        bodies = {"/memo.mp3": mp3(), "/film.mp4": film()}
        return Reply(body=bodies[seen.path]) if seen.path in bodies else Reply(status=404)

    open_here = {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}
    server = FakeServer(answer)
    async with running(server), gateway(Meta(), delivery=open_here) as found:
        file = await found.http.post(PATH, json={"url": f"{server.url}/memo.mp3"})
        assert (file.status_code, file.content[:4]) == (200, b"OggS"), file.text
        made = await found.http.post(VIDEO, json={"url": f"{server.url}/film.mp4"})
        assert (made.status_code, made.content[4:8]) == (200, b"ftyp"), made.text
        gone = await found.http.post(PATH, json={"url": f"{server.url}/gone.mp3"})
        assert (gone.status_code, "404" in gone.json()["message"]) == (502, True)


async def test_a_client_that_leaves_frees_the_turn() -> None:
    endless = base64.b64encode(claiming(12_000_000, content=bytes(12_000_000))).decode()
    async with gateway(Meta()) as found:
        with trio.move_on_after(2):
            await found.http.post(VIDEO, json={"data": endless})
        with trio.fail_after(10):
            file = await found.http.post(PATH, json={"data": SOUND})
        assert (file.status_code, file.content[:4]) == (200, b"OggS"), file.text


async def test_a_process_that_can_not_be_started_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(Meta()) as found:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        refused = await found.http.post(PATH, json={"data": SOUND})
        assert (refused.status_code, "could not be started" in refused.text) == (503, True), refused.text
        monkeypatch.undo()
        monkeypatch.setattr(convert, "MODULE", "wagate.nothing")
        refused = await found.http.post(PATH, json={"data": SOUND})
        assert (refused.status_code, "could not be started" in refused.text) == (503, True), refused.text


async def test_a_data_folder_that_takes_no_file_is_no_fault_of_the_file() -> None:
    async with gateway(Meta()) as found:
        shutil.rmtree(found.folder / "data" / "media", ignore_errors=True)
        (found.folder / "data" / "media").write_bytes(b"no folder")
        refused = await found.http.post(PATH, json={"data": SOUND})
        assert (refused.status_code, "the data folder takes no file" in refused.text) == (503, True), refused.text
