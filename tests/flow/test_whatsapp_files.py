"""Large files of ours: uploaded in parts, and by the library where that does not do; against the fake server."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
import trio
from msgspec import structs

from tests.whatsapp_site import ANA, OURS, Site, engine_pid, send, site
from wagate.errors import NotSentError
from wagate.hooks import OutFile, OutMedia, Sent
from wagate.testing.whatsapp.queries import HOST
from wagate_whatsapp.number import WhatsAppSettings

MB = 1024 * 1024
LIBRARY = "go-http-client/1.1"
GROWTH = 20 * MB
"""What loading the cryptography takes, and parts of 64 kB; the library held files three times over."""


async def send_file(here: Site, content: bytes) -> Sent:
    path = here.folder / "film.bin"
    path.write_bytes(content)
    file = OutFile(mimetype="application/octet-stream", filename="film.bin", path=path, size=len(content))
    return await send(here, "document", file=file, media=OutMedia(media_id="1"))


async def arrived(here: Site) -> bytes:
    await here.fake.server.until(lambda: bool(here.fake.server.messages))
    return here.world.received(here.fake.server.messages.pop())


async def test_a_large_file_goes_out_byte_by_byte_and_never_whole_in_memory(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        engine = psutil.Process(engine_pid())
        before = engine.memory_info().rss
        content = os.urandom(MB) * 40 + b"the end"
        await send_file(here, content)
        assert engine.memory_info().rss - before < GROWTH
        assert await arrived(here) == content
        assert here.fake.server.errors == []


async def test_after_the_shelf_refused_our_key_the_library_uploads(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        content = os.urandom(2 * MB)
        await send_file(here, content)
        assert await arrived(here) == content
        here.fake.server.shelf_refusals = 1
        with pytest.raises(NotSentError, match="401"):
            await send_file(here, content)
        await send_file(here, content)
        assert await arrived(here) == content
        # One byte, from which the shelf is known; the file; then nothing is known, nor tells the library it again.
        assert here.fake.server.uploads == [LIBRARY, "", LIBRARY, LIBRARY]
        assert here.fake.server.connected(OURS)


async def test_after_an_upload_broke_off_the_next_one_goes_out_in_parts_as_well(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        content = os.urandom(2 * MB)
        await send_file(here, content)
        assert await arrived(here) == content
        here.fake.server.shelf_breaks = 1
        with pytest.raises(NotSentError):
            await send_file(here, content)
        await send_file(here, content)
        assert await arrived(here) == content
        assert here.fake.server.uploads == [LIBRARY, "", LIBRARY, ""]


async def test_an_upload_ends_before_nobody_waits_for_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        content = os.urandom(2 * MB)
        await send_file(here, content)
        monkeypatch.setattr("wagate_whatsapp.send.UPLOADED", 1.0)
        here.fake.server.shelf_silent = 1
        with trio.fail_after(30), pytest.raises(NotSentError, match="TimeoutError"):
            await send_file(here, content)
        await here.fake.server.until(lambda: here.fake.server.shelf_left == 1)


async def test_what_people_write_does_not_lead_our_files_elsewhere(tmp_path: Path) -> None:
    mark = '"><media_conn auth="x" auth_ttl="99999"><host hostname="127.0.0.1:9"/><host hostname="a.whatsapp.net"/>'
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        content = os.urandom(2 * MB)
        await send_file(here, content)  # from here on the shelf is known
        assert await arrived(here) == content
        here.fake.server.person(ANA).name = mark
        group = here.world.group("Friends", ANA)
        here.fake.server.groups[group].description = mark
        assert here.provider.profile is not None
        assert (await here.provider.profile(f"{group}@g.us", here.account)).name == "Friends"
        await here.world.text(ANA, mark)
        await inlet.until(lambda: any(each.contact_name == mark for each in inlet.events))
        await send_file(here, content)
        assert await arrived(here) == content
        assert here.fake.server.dialled.count(f"{HOST}:443") == 3  # the library's one byte, and two files


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_all_goes_through_the_accounts_proxy_files_too(tmp_path: Path, scheme: str) -> None:
    async with site(tmp_path) as here:
        proxy = here.fake.proxy.replace("http", scheme)
        here.account = structs.replace(here.account, settings=WhatsAppSettings(proxy=proxy, typing=False))
        async with here.listening() as inlet:
            await here.link(inlet)
            server, theirs, ours = here.fake.server, os.urandom(100_000), os.urandom(MB)
            assert {each.partition(":")[0] for each in server.dialled} == {"web.whatsapp.com"}
            await here.world.file(ANA, "document", theirs, "application/pdf")
            await inlet.until(lambda: bool(inlet.events))
            assert inlet.events[0].media is not None
            assert here.provider.fetch_media is not None
            got = bytearray()

            async def sink(part: bytes) -> None:
                got.extend(part)

            await here.provider.fetch_media(inlet.events[0].media, here.account, sink)
            assert bytes(got) == theirs
            assert server.dialled.count(server.shelf) == 1
            await send_file(here, ours)
            assert await arrived(here) == ours
            assert server.dialled.count(f"{HOST}:443") == 1
            by_client = structs.replace(here.account, trust="public")
            with pytest.raises(NotSentError, match=r"config\.toml"):
                await here.provider.fetch_media(inlet.events[0].media, by_client, sink)
