"""Files both ways through a whole gateway: voice notes, redirects, several of them, and those that are gone."""

from __future__ import annotations

import hashlib
from base64 import b64decode

from tests.chatwoot_office import ANA, KEY, Office, office
from wagate.testing.chatwoot import Upload
from wagate.testing.server import FakeServer, Reply, Seen, running

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
OGG = b"OggS" + b"\x00" * 24 + b"OpusHead" + bytes(2000)
PDF = b"%PDF-1.7\n" + b"x" * 5000


async def file_comes(here: Office, content: bytes, mimetype: str, name: str, **payload: object) -> str:
    """A customer sends a file; WAHA keeps it."""
    here.waha.files[name] = content
    url = f"{here.waha.url}/api/files/{name}"
    media = {"url": url, "mimetype": mimetype, "filename": None, "s3": None, "error": None}
    return await here.comes("", hasMedia=True, media=media, **payload)


async def test_a_picture_with_its_caption_arrives_whole() -> None:
    async with office() as here:
        message_id = await file_comes(here, PNG, "image/png", "a.png", body="my bill")
        await here.chatwoot.until_posted(1)
        [message] = here.posts()
        assert (message.content, message.source_id) == ("my bill", message_id)
        [file] = message.attachments
        assert (file.file_type, file.size, file.sha256) == ("image", len(PNG), hashlib.sha256(PNG).hexdigest())


async def test_an_album_of_thirty_arrives_whole_in_its_order_and_once_however_its_webhooks_come() -> None:
    async with office() as here:
        bodies = []
        for number in range(30):
            name = f"{number}.png"
            here.waha.files[name] = PNG + bytes([number])
            media = {"url": f"{here.waha.url}/api/files/{name}", "mimetype": "image/png", "filename": name}
            payload = here.waha.incoming("", sender=ANA) | {"timestamp": here.now(), "hasMedia": True, "media": media}
            bodies.append(here.waha.webhook("message", payload, key=KEY))
        for webhook in bodies:
            await here.waha_says(webhook)
        for webhook in reversed(bodies):
            await here.waha_says(webhook)
        await here.chatwoot.until_posted(30)
        sizes = [[file.sha256 for file in message.attachments] for message in here.posts()]
        assert sizes == [[hashlib.sha256(PNG + bytes([number])).hexdigest()] for number in range(30)]


async def test_a_voice_note_is_one_in_chatwoot() -> None:
    async with office() as here:
        voice = {"_data": {"Info": {"Type": "media", "MediaType": "ptt"}, "Message": {"audioMessage": {"PTT": True}}}}
        await file_comes(here, OGG, "audio/ogg; codecs=opus", "v.oga", **voice)
        await here.chatwoot.until_posted(1)
        [file] = here.posts()[0].attachments
        assert (file.file_type, file.content_type) == ("audio", "audio/ogg")
        assert file.voice


async def test_a_file_of_many_megabytes_is_streamed() -> None:
    async with office() as here:
        big = PDF + bytes(9_000_000)
        await file_comes(here, big, "application/pdf", "b.pdf")
        await here.chatwoot.until_posted(1)
        [file] = here.posts()[0].attachments
        assert (file.size, file.sha256) == (len(big), hashlib.sha256(big).hexdigest())


async def test_a_file_that_is_gone_is_told_of_and_holds_nothing_up() -> None:
    async with office() as here:
        media = {"url": f"{here.waha.url}/api/files/gone.png", "mimetype": "image/png", "filename": None}
        await here.comes("", hasMedia=True, media=media, body="look")
        await here.comes("next")
        await here.gateway.passes_until(lambda: len(here.posts()) == 2, step=30, most=3600)
        first, second = here.posts()
        assert first.content
        assert "look" in first.content
        assert (second.content or "").endswith("next")


async def sent_files(here: Office) -> list[tuple[str, str]]:
    """(path, caption) of the files that WAHA took."""
    return [(each["_path"], each.get("caption") or "") for each in here.waha.sent if "file" in each]


async def test_one_file_carries_the_text_and_several_follow_it_each_once() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.habits.twice = True
        image = Upload(filename="bill.png", content_type="image/png", content=PNG)
        paper = Upload(filename="terms.pdf", content_type="application/pdf", content=PDF)
        here.chatwoot.agent.writes(talk, "**your** bill", image)
        await here.until_sent(1)
        here.chatwoot.agent.writes(talk, "both", image, paper)
        await here.until_sent(4)
        here.chatwoot.agent.writes(talk, None, paper)
        await here.until_sent(5)
        await here.gateway.passes(60, step=30)
        assert [(each["_path"], each.get("caption") or each.get("text") or "") for each in here.waha.sent] == [
            ("/api/sendImage", "*your* bill"),
            ("/api/sendText", "both"),
            ("/api/sendImage", ""),
            ("/api/sendFile", ""),
            ("/api/sendFile", ""),
        ]
        assert {each["chatId"] for each in here.waha.sent} == {ANA}


async def test_a_file_behind_a_redirect_to_another_server_leaves_whole() -> None:
    async with office(delivery={"allow_http": True}) as here:
        talk = await here.talk()

        async def disk(seen: Seen) -> Reply:
            row = here.chatwoot.state.attachment(seen.path.split("/")[2])
            return Reply(body=row.content, headers={"content-type": row.content_type})

        store = FakeServer(disk)
        async with running(store):
            here.chatwoot.file_host = store.url
            here.chatwoot.agent.writes(talk, "see", Upload(filename="a.png", content_type="image/png", content=PNG))
            await here.until_sent(1)
            [sent] = here.waha.sent
            assert sent["_path"] == "/api/sendImage"
            assert await whole(here, sent["file"]) == PNG
            # Chatwoot's token is for Chatwoot only.
            assert all("api_access_token" not in seen.headers for seen in store.seen)


async def whole(here: Office, file: dict[str, str]) -> bytes:
    """The bytes of a file in a request to WAHA, wherever they are."""
    if "data" in file:
        return b64decode(file["data"])
    answer = await here.gateway.http.get(file["url"], follow_redirects=True)
    assert answer.status_code == 200, file["url"]
    return answer.content
