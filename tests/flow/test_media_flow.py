"""A picture from WhatsApp to a receiver, in whole gateways: fast and slow, through kills, full disks, and large."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import trio

from tests.gateway import GatewayProcess, gateway, register
from tests.inprocess import CHAT, OURS, running_gateway
from wagate.testing.rest import at_rest
from wagate.testing.server import FakeServer, Fault, Reply, Seen, running

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400
TABLES = {"delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}, "limits": {"api": "off"}}
MiB = 1024 * 1024
VIDEO = 60 * MiB
MOST_GROWTH = 20 * MiB
FORM = "multipart/form-data; boundary=b"


@dataclass
class World:
    """The media host of the provider, and the receiver of webhooks, as one server."""

    server: FakeServer
    files: dict[str, Reply]
    hooks: list[dict[str, Any]] = field(default_factory=list)
    gives: trio.Event = field(default_factory=trio.Event)
    """Once it is set, the media host answers."""

    def message(self, name: str, **image: Any) -> dict[str, Any]:
        """A message with a picture at this name, in the engine's own format."""
        sent = {"image": {"url": f"{self.server.url}/files/{name}", "mime_type": "image/jpeg", "caption": name} | image}
        return {"from": CHAT, "to": OURS, "message": sent, "message_id": name, "tenant_id": "default"}

    async def hook(self, name: str) -> dict[str, Any]:
        """The webhook that told of it."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [each for each in self.hooks if each["message_id"] == name]
            return bool(found)

        await self.server.until(there)
        return found[0]

    @property
    def asked(self) -> int:
        """How often the media host was asked for a file."""
        return sum(seen.path.startswith("/files") for seen in self.server.seen)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async def answer(seen: Seen) -> Reply:
        if seen.path == "/hook":
            made.hooks.append(seen.json)
            return Reply()
        await made.gives.wait()
        return made.files.get(seen.path.removeprefix("/files/"), Reply(status=404))

    made = World(FakeServer(answer), {"a.jpg": Reply(body=JPEG, headers={"Content-Type": "image/jpeg"})})
    made.gives.set()
    async with running(made.server):
        yield made


async def test_a_receiver_fetches_the_picture_of_a_message_through_its_link() -> None:
    async with world() as outside, running_gateway(TABLES) as server:
        await server.register(f"{outside.server.url}/hook")
        await server.ask("POST", "/webhook/inbound", 202, json=outside.message("a.jpg"))
        media = (await outside.hook("a.jpg"))["media"]
        assert (media["mimetype"], media["caption"]) == ("image/jpeg", "a.jpg")
        assert media["url"].startswith("/media/")
        got = await server.http.get(media["url"], headers={"Authorization": ""})
        assert (got.status_code, got.content) == (200, JPEG)
        assert got.headers["etag"] == f'"{sha256(JPEG).hexdigest()}"'


async def test_the_link_is_the_same_in_every_attempt_and_in_the_list_of_events() -> None:
    async with world() as outside, running_gateway(TABLES) as server:
        hook = await server.register(f"{outside.server.url}/hook")
        outside.server.fail(Fault(path="/hook", accept=True, reply=Reply(status=503)))
        await server.ask("POST", "/webhook/inbound", 202, json=outside.message("a.jpg"))
        first = await outside.hook("a.jpg")
        # On a slow machine its retry is due, and done, before we look.
        await server.event(hook, "a.jpg", "pending", "delivered", attempts=1)
        await server.passes(7)
        event = await server.event(hook, "a.jpg", "delivered")
        assert [each["media"]["url"] for each in outside.hooks] == [first["media"]["url"]] * 2
        assert event["payload"]["media"] == first["media"]


async def test_a_webhook_does_not_wait_for_a_slow_file_and_the_receiver_gets_it_when_it_asks() -> None:
    async with world() as outside, running_gateway(TABLES) as server:
        await server.register(f"{outside.server.url}/hook")
        outside.gives = trio.Event()
        await server.ask("POST", "/webhook/inbound", 202, json=outside.message("a.jpg"))
        url = (await outside.hook("a.jpg"))["media"]["url"]
        got: list[bytes] = []

        async def ask() -> None:
            got.append((await server.http.get(url)).content)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await outside.server.until(lambda: outside.asked >= 1)
            await at_rest()
            assert got == []
            outside.gives.set()
        assert got == [JPEG]


async def test_a_file_that_is_not_there_yet_is_fetched_again_while_the_receiver_waits() -> None:
    async with world() as outside, running_gateway(TABLES) as server:
        await server.register(f"{outside.server.url}/hook")
        picture = outside.files.pop("a.jpg")
        await server.ask("POST", "/webhook/inbound", 202, json=outside.message("a.jpg"))
        url = (await outside.hook("a.jpg"))["media"]["url"]
        await server.until(tried(server, url))
        outside.files["a.jpg"] = picture
        answers: list[int] = []

        async def ask() -> None:
            answers.append((await server.http.get(url)).status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            # 6 s bring the second try. A machine so slow that it was made before the picture was there needs the third.
            await server.passes_until(lambda: bool(answers), step=6, most=60)
        assert answers == [200]


def tried(server: Any, url: str) -> Any:
    async def there() -> bool:
        row = await server.ask("GET", f"/api/media/{url.split('/')[2]}")
        return row["error"] is not None and not row["error"].startswith("interrupted")

    return there


async def test_a_refused_file_says_why() -> None:
    tables = TABLES | {"media": {"max_size": "1KiB"}}
    async with world() as outside, running_gateway(tables) as server:
        await server.register(f"{outside.server.url}/hook")
        await server.ask("POST", "/webhook/inbound", 202, json=outside.message("a.jpg"))
        url = (await outside.hook("a.jpg"))["media"]["url"]
        gone = await server.http.get(url)
        assert gone.status_code == 404
        assert "the file is over 1024 bytes" in gone.json()["detail"]


@pytest.mark.slow
async def test_a_gateway_killed_while_it_fetches_goes_on_when_it_is_back() -> None:
    async with world() as outside, gateway(TABLES) as server:
        await register(server, f"{outside.server.url}/hook")
        outside.server.fail(Fault(path="/files", wait=60.0))
        await post(server, outside.message("a.jpg"))
        url = (await outside.hook("a.jpg"))["media"]["url"]
        await outside.server.until(lambda: outside.asked >= 1)
        server.kill()
        await server.start()
        await outside.server.until(lambda: outside.asked >= 2)
        got = await server.http.get(url)
        assert (got.status_code, got.content) == (200, JPEG)


@pytest.mark.slow
async def test_a_full_disk_costs_no_file_and_leaves_no_rest() -> None:
    big = JPEG[:4] + bytes(3 * MiB)
    async with world() as outside, gateway(TABLES) as server:
        await register(server, f"{outside.server.url}/hook")
        outside.files["big.jpg"] = Reply(body=big)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (2 * MiB, resource.RLIM_INFINITY))
        refused = await server.http.post("/api/media", content=big)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        await post(server, outside.message("big.jpg"))
        url = (await outside.hook("big.jpg"))["media"]["url"]
        with trio.fail_after(60):
            while not any("is full" in str(line["outcome"]) for line in server.logged("media fetched")):
                await trio.sleep(0.05)
        incoming = server.folder / "data" / "media" / "incoming"
        assert list(incoming.iterdir()) == []
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        got = await server.http.get(url)
        assert (got.status_code, len(got.content)) == (200, len(big))
        assert (await server.http.post("/api/media", content=big)).status_code == 201


@pytest.mark.slow
async def test_a_video_of_sixty_megabytes_goes_both_ways_in_little_memory() -> None:
    async with world() as outside, gateway(TABLES) as server:
        await register(server, f"{outside.server.url}/hook")
        outside.files["v.mp4"] = Reply(chunks=list(video()), headers={"Content-Type": "video/mp4"})
        await post(server, outside.message("a.jpg"))
        await fetched(server, (await outside.hook("a.jpg"))["media"]["url"])
        await upload(server, [JPEG])
        async with watched(server) as memory:
            await post(server, outside.message("v.mp4", mime_type="video/mp4"))
            url = (await outside.hook("v.mp4"))["media"]["url"]
            await here(server, url)
            size, digest = await fetched(server, url)
            assert (size, digest) == (VIDEO, sha256_of(video()))
            made = await upload(server, video())
            assert (made["size"], made["mimetype"]) == (VIDEO, "video/mp4")
            assert await fetched(server, made["url"]) == (VIDEO, digest)
            assert (await upload(server, form(video()), FORM))["size"] == VIDEO
        assert memory.growth < MOST_GROWTH, f"{memory.growth / MiB:.1f} MiB more"
        on_disk = [path for path in (server.folder / "data" / "media").rglob("*") if path.stat().st_size == VIDEO]
        assert len(on_disk) == 1, "equal files are kept once"


@pytest.mark.slow
async def test_a_file_is_read_no_further_for_somebody_who_is_gone() -> None:
    async with gateway(TABLES) as server:
        url = (await upload(server, video()))["url"]
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await stream.send_all(f"GET {url} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 200")
        await trio.aclose_forcefully(stream)
        with trio.fail_after(60):
            while not (lines := [line for line in server.logged("media") if line["method"] == "GET"]):
                await trio.sleep(0.02)
        assert lines[0]["status"] == 499


def video() -> Iterator[bytes]:
    yield (b"\x00\x00\x00\x18ftypmp42" + bytes(64 * 1024))[: 64 * 1024]
    for number in range(VIDEO // (64 * 1024) - 1):
        yield number.to_bytes(4, "big") * (16 * 1024)


def sha256_of(chunks: Iterator[bytes]) -> str:
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


async def post(server: GatewayProcess, message: dict[str, Any]) -> None:
    answer = await server.http.post("/webhook/inbound", json=message)
    assert answer.status_code == 202, answer.text


async def here(server: GatewayProcess, url: str) -> None:
    """Wait until the gateway has the file: who asks before waits 30 s at most, which a slow machine may need for it."""
    with trio.fail_after(120):
        while (await server.http.get(f"/api/media/{url.split('/')[2]}")).json()["status"] != "stored":
            await trio.sleep(0.05)


async def fetched(server: GatewayProcess, url: str) -> tuple[int, str]:
    size, digest = 0, sha256()
    async with server.http.stream("GET", url) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def form(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks as the file of a form."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n'
    yield from chunks
    yield b"\r\n--b--\r\n"


async def upload(server: GatewayProcess, chunks: Any, kind: str = "video/mp4") -> dict[str, Any]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    headers = {"Content-Type": kind}
    answer = await server.http.post("/api/media", content=body(), headers=headers, params={"filename": "v.mp4"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@dataclass
class Memory:
    """Resident memory of the gateway over what it was."""

    growth: int = 0


@asynccontextmanager
async def watched(server: GatewayProcess) -> AsyncIterator[Memory]:
    process, memory = psutil.Process(server.pid), Memory()
    before = process.memory_info().rss

    async def watch() -> None:
        while True:
            memory.growth = max(memory.growth, process.memory_info().rss - before)
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        yield memory
        nursery.cancel_scope.cancel()
