"""The example of the page about plugins: alone, and in a gateway that finds it as an installed package."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import structlog
import trio

from tests.gateway import GatewayProcess
from wagate.config.declared import declared_secrets
from wagate.errors import ConfigError, Reject, Retry
from wagate.hooks import Receipt
from wagate.http.errors import TimedOutError
from wagate.plugins.single_file import PluginFile
from wagate.testing import (
    SENTENCE,
    FakeHttp,
    HandlerContract,
    HandlerUnderTest,
    fake_context,
    make_delivery,
    make_event,
    make_settings,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tutorials/write-a-plugin.md").read_text("utf-8")
EXAMPLE = DOCS / "examples/alarm"


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delitem(sys.modules, "wagate_file_alarm", raising=False)
    return imported()


def imported() -> ModuleType:
    module: ModuleType = PluginFile("alarm", EXAMPLE / "wagate_alarm/__init__.py").load()
    return module


def settings(alarm: ModuleType) -> msgspec.Struct:
    room = alarm.Room(url="https://chat.example.org/", words=["Urgent", "broken"])
    made: msgspec.Struct = alarm.Settings(rooms={"support": room})
    return made


async def test_a_message_with_one_of_the_words_is_posted_to_the_room(alarm: ModuleType) -> None:
    fakes = fake_context("alarm", settings=settings(alarm))
    [handler] = alarm.register_handlers(fakes.context)
    event = make_event(content="it is URGENT", contact_name="Ana")
    [target] = handler.targets(event)
    delivery = make_delivery(event, target=target.id)
    assert await handler.handle(delivery) == Receipt(http_status=200)
    assert [each.json for each in fakes.http.sent] == [{"id": delivery.id, "text": "Ana wrote: it is URGENT"}]


class TestAlarm(HandlerContract):
    async def make(self, stack: AsyncExitStack) -> HandlerUnderTest:
        http, module = FakeHttp(200), imported()
        fakes = fake_context("alarm", settings=settings(module), http=http)
        [handler] = module.register_handlers(fakes.context)
        return HandlerUnderTest(
            handler=handler,
            event=make_event(content=f"broken: {SENTENCE}"),
            accepts=lambda: http.answer(200),
            stumbles=lambda: http.answer(503),
            refuses=lambda: http.answer(404),
        )


async def test_a_room_in_trouble_means_later_and_a_refusal_means_never(alarm: ModuleType) -> None:
    http = FakeHttp(503, TimedOutError(), 404)
    [handler] = alarm.register_handlers(fake_context("alarm", settings=settings(alarm), http=http).context)
    delivery = make_delivery(target="support")
    for error in (Retry, Retry, Reject):
        with pytest.raises(error):
            await handler.handle(delivery)


def test_other_messages_and_other_events_are_nobodys(alarm: ModuleType) -> None:
    [handler] = alarm.register_handlers(fake_context("alarm", settings=settings(alarm)).context)
    assert handler.targets(make_event(content="hello")) == []
    assert handler.targets(make_event(content="urgent", kind="message.ack")) == []


def test_what_the_page_shows_stands_in_the_example() -> None:
    sources = [EXAMPLE / "wagate_alarm/__init__.py", DOCS / "examples/log.py", Path(__file__)]
    source = "".join(each.read_text("utf-8") for each in sources)
    shown = [block.split("```", 1)[0].strip() for block in PAGE.split("```python\n")[1:]]
    assert len(shown) >= 5
    assert [each for each in shown if each not in source] == []


@asynccontextmanager
async def room() -> AsyncIterator[tuple[str, trio.MemoryReceiveChannel[bytes]]]:
    """A team's room: its URL, and what was posted there."""
    send, receive = trio.open_memory_channel[bytes](10)

    async def serve(stream: trio.SocketStream) -> None:
        data = b""
        while not data.endswith(b"}"):
            received = await stream.receive_some()
            if not received:
                return
            data += received
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await send.send(data.partition(b"\r\n\r\n")[2])
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}/room", receive
        nursery.cancel_scope.cancel()


def installed(folder: Path) -> str:
    """A folder that holds what pip would have written: the PYTHONPATH with which the plugin is found."""
    info = folder / "site/wagate_alarm-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wagate-alarm\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[wagate]\nalarm = wagate_alarm\n")
    return os.pathsep.join([str(folder / "site"), str(EXAMPLE)])


async def test_a_gateway_finds_it_and_alarms_a_room_once() -> None:
    message = {"from": "+15550000512", "message": "This is URGENT", "tenant_id": "default", "contact_name": "Ana"}
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        async with room() as (url, posted):
            tables = {"plugins.alarm.rooms.support": {"url": url, "words": ["urgent"]}}
            gateway = GatewayProcess(Path(name), tables, {"PYTHONPATH": installed(Path(name))})
            try:
                await gateway.start()
                none = await gateway.http.get("/plugins/alarm/last/support")
                assert none.json() == {"room": "support", "at": None}
                accepted = await gateway.http.post("/webhook/inbound", json=message)
                assert accepted.status_code == 202, accepted.text
                with trio.fail_after(60):
                    alarm = msgspec.json.decode(await posted.receive())
                assert alarm["text"] == "Ana wrote: This is URGENT"
                # The alarm is in the room before the handler has noted it and returned.
                with trio.fail_after(60):
                    while (await delivery(gateway, alarm["id"]))["status"] != "delivered":
                        await trio.sleep(0.02)
                last = await gateway.http.get("/plugins/alarm/last/support")
                assert last.json()["at"]
            finally:
                with trio.CancelScope(shield=True):
                    await gateway.close()


async def delivery(gateway: GatewayProcess, delivery_id: str) -> dict[str, str]:
    return (await gateway.http.get(f"/api/jobs/{delivery_id}")).json()


async def test_the_ten_lines_are_a_plugin() -> None:
    [log] = PluginFile("log", DOCS / "examples/log.py").load().register_handlers(fake_context("log").context)
    with structlog.testing.capture_logs() as lines:
        assert await log.handle(make_delivery(make_event(chat="15550000002@c.us"))) is None
    assert [(line["event"], line["chat"]) for line in lines] == [("message", "15550000002@c.us")]


def test_the_page_shows_the_table_that_switches_it_on(alarm: ModuleType) -> None:
    [shown] = [block.split("```", 1)[0] for block in PAGE.split("```toml\n")[1:] if "plugins.alarm" in block]
    table = tomllib.loads(shown)["plugins"]["alarm"]
    converted = make_settings(alarm.Settings, table, key="plugins.alarm")
    assert list(converted.rooms) == ["support", "money"]
    assert list(declared_secrets(alarm.Settings, table)) == [each["url"] for each in table["rooms"].values()]


def test_a_key_that_is_misspelt_is_named(alarm: ModuleType) -> None:
    wrong = {"rooms": {"support": {"url": "https://chat.example.org/", "words": [], "wrds": []}}}
    with pytest.raises(ConfigError, match=r"plugins\.alarm\.rooms\.support\.wrds: unknown key; did you mean"):
        make_settings(alarm.Settings, wrong, key="plugins.alarm")
