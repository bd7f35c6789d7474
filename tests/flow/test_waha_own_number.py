"""Every operation of WAHA's API with a number of our own behind, linked at the fake server."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
import trio
from msgspec import structs

import wagate_whatsapp.send
from tests.flow.test_waha_drop_in import BOTH, INBOX, Replay, hold
from tests.inprocess import Gateway, running_gateway
from tests.sink import authority
from tests.waha_operations import JPEG, Values
from tests.whatsapp_site import ANA, OURS, redirected
from wagate.testing.whatsapp import Running, running_whatsapp
from wagate.testing.whatsapp.profiles import Post
from wagate.testing.whatsapp.protobuf import pack
from wagate_whatsapp.send import LIMITS

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient", "hasty")
CHAT = f"{ANA}@c.us"
PATIENCE = 120.0


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many messages a second as there are, in place of one."""
    for module in (wagate_whatsapp, wagate_whatsapp.send):
        unhurried = structs.replace(LIMITS, per_second=0.0, chat_per_second=0.0)
        monkeypatch.setattr(module, "LIMITS", unhurried)


@BOTH
async def test_every_operation_is_answered_or_refused_with_the_reason(made: Replay, tmp_path: Path) -> None:
    async with running_whatsapp(tmp_path, authority()) as fake:
        fake.server.person(ANA, "Ana")
        account = {"provider": "whatsapp", "proxy": fake.proxy, "typing": False}
        with redirected(fake):
            ca_file = Path(fake.environment["SSL_CERT_FILE"])
            async with running_gateway({"accounts.main": account, **INBOX}, ca_file=ca_file) as found:
                await link(found, fake)
                values = await prepare(found, fake)
                await only_admins_end_groups(found, fake)
                await pictures_of_channels_are_jpegs(found, fake)
                await hold("whatsapp", made, found.http, values)
                with trio.fail_after(5):
                    await found.stop.wait()
                assert fake.server.groups[values.ending.removesuffix("@g.us")].members == ()
        assert fake.server.errors == []


async def link(found: Gateway, fake: Running) -> None:
    """Scan the code, and let the phone hand over what its devices share."""
    scanned = False
    with trio.fail_after(PATIENCE):
        while not (shown := (await found.ask("GET", "/api/whatsapp/session/status/main"))["data"])["isConnected"]:
            if shown["qr"] and not scanned:
                await fake.server.scan(shown["qr"], OURS)
                scanned = True
            await trio.sleep(0.05)
        await fake.world(OURS).share()
        while not fake.server.shown:
            await found.http.post("/api/main/presence", json={"presence": "online"})
            await trio.sleep(0.05)


async def prepare(found: Gateway, fake: Running) -> Values:
    """A message of each side, a group of ours, and a channel."""
    world, values = fake.world(OURS), Values(chat=CHAT, message="")
    await world.text(ANA, "hello")
    path = f"/api/main/chats/{CHAT}/messages"
    with trio.fail_after(PATIENCE):
        while not (messages := (await found.http.get(path, params={"limit": 5})).json()):
            await trio.sleep(0.05)
        poll = await world.poll(ANA, "Well?", "Yes", "No", secret=os.urandom(32))
        while all(poll not in each["id"] for each in (await found.http.get(path, params={"limit": 5})).json()):
            await trio.sleep(0.05)
    sent = await found.http.post("/api/sendText", json={"session": "main", "chatId": CHAT, "text": "ours"})
    assert sent.status_code == 201, sent.text
    group = world.group("Team", ANA)
    fake.server.groups[group].invite = values.of["code"]
    channel = fake.server.profiles.channel("News", owner=ANA)
    channel.posts.append(Post(pack({1: "Sale"}), 12, {"👍": 2}))
    return Values(
        chat=CHAT,
        message=messages[0]["id"],
        ours=sent.json()["id"],
        group=f"{group}@g.us",
        ending=f"{world.group('Over', ANA)}@g.us",
        channel=channel.id,
        poll=f"false_{CHAT}_{poll}",
    )


async def pictures_of_channels_are_jpegs(found: Gateway, fake: Running) -> None:
    """What is none is refused, and no channel is made; what nobody filled in is no picture."""
    before = set(fake.server.profiles.channels)
    for picture, field in (
        ({"data": base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode(), "mimetype": "image/png"}, "picture"),
        ({"data": "no base64!"}, "picture.data"),
        ({"url": "http://169.254.169.254/latest"}, "picture.url"),
        ("a.jpg", "picture"),
    ):
        refused = await found.http.post("/api/main/channels", json={"name": "Offers", "picture": picture})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
    assert set(fake.server.profiles.channels) == before
    for index, picture in enumerate((None, {"mimetype": "image/jpeg", "url": None, "data": ""}, {"data": JPEG})):
        made = await found.http.post("/api/main/channels", json={"name": "Offers", "picture": picture})
        assert made.status_code == 201, made.text
        channel = fake.server.profiles.channels.pop(made.json()["id"])
        assert channel.picture == (base64.b64decode(JPEG) if index == 2 else b"")


async def only_admins_end_groups(found: Gateway, fake: Running) -> None:
    """Who is none removes nobody, and stays."""
    group = fake.server.groups[fake.world(OURS).group("Theirs", ANA)]
    group.admins = {ANA}
    refused = await found.http.delete(f"/api/main/groups/{group.id}@g.us")
    assert (refused.status_code, refused.json()["message"]) == (422, "only an admin can remove everybody")
    assert group.members == (OURS, ANA)
    del fake.server.groups[group.id]
