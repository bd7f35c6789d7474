"""A file without a byte is refused, however it comes and whoever would send it, and the answer names the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.flow.test_waha_own_number import link
from tests.inprocess import Gateway, running_gateway
from tests.provider_sites import SITES, THEM, Sessions, Site, Waha, gateway
from tests.sink import authority
from tests.whatsapp_site import ANA, redirected
from wagate.testing.server import FakeServer, Reply, Seen, running
from wagate.testing.whatsapp import running_whatsapp

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")
OPEN = {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}
NOTHING = "data:image/jpeg;base64,"


async def nothing(_seen: Seen) -> Reply:
    """200 without a byte."""
    return Reply()


async def refused(found: Gateway, method: str, path: str, field: str, **given: Any) -> str:
    answer = await found.http.request(method, path, **given)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert [each["field"] for each in told["errors"]] == [field], told
    return str(told["detail"])


async def all_forms(found: Gateway, chat: str) -> None:
    to, waha = {"to": f"+{chat}", "account": "main"}, {"session": "main", "chatId": f"{chat}@c.us"}
    for kind in ("image", "video", "audio", "voice", "document", "sticker"):
        message = {"type": kind, kind: {"data": NOTHING}}
        await refused(found, "POST", "/messages/send", f"message.{kind}.data", json=to | {"message": message})
    for verb in ("sendImage", "sendFile", "sendVoice", "sendVideo"):
        await refused(found, "POST", f"/api/{verb}", "file.data", json=waha | {"file": {"data": NOTHING}})
    upload = {"params": {"tenant_id": "default"}}
    await refused(found, "POST", "/api/media", "file", headers={"Content-Type": "image/jpeg"}, **upload)
    await refused(found, "POST", "/api/media", "file", files={"file": ("a.jpg", b"", "image/jpeg")}, **upload)


async def links(found: Gateway, chat: str, url: str) -> None:
    image = {"to": f"+{chat}", "account": "main", "message": {"type": "image", "image": {"link": url}}}
    detail = await refused(found, "POST", "/messages/send", "message.image.link", json=image)
    assert detail == "the message's file: its link leads to an empty file"
    voice = {"session": "main", "chatId": f"{chat}@c.us", "file": {"url": url}}
    await refused(found, "POST", "/api/sendVoice", "file.url", json=voice)


async def pictures(found: Gateway, url: str) -> None:
    for path in ("profile/picture", "groups/1203630@g.us/picture"):
        await refused(found, "PUT", f"/api/main/{path}", "file.url", json={"file": {"url": url}})
        await refused(found, "PUT", f"/api/main/{path}", "file.data", json={"file": {"data": NOTHING}})


@pytest.mark.parametrize("kind", SITES, ids=lambda kind: kind.provider)
async def test_an_empty_file_in_a_body_is_refused(kind: type[Site]) -> None:
    site = kind()
    async with gateway(site) as found:
        await all_forms(found, THEM)
        assert site.sent() == []


@pytest.mark.parametrize("kind", [Waha, Sessions], ids=lambda kind: kind.provider)
async def test_an_empty_file_behind_a_link_is_refused_where_wagate_fetches_it(kind: type[Site]) -> None:
    site, server = kind(), FakeServer(nothing)
    async with running(server), gateway(site, delivery=OPEN) as found:
        await links(found, THEM, f"{server.url}/a.jpg")
        if kind is Waha:
            await pictures(found, f"{server.url}/a.jpg")
        assert site.sent() == []


async def test_an_empty_file_is_not_forwarded_to_waha_either() -> None:
    async with gateway(Waha()) as found:
        body = {"session": "main", "chatId": f"{THEM}@c.us", "body": "Well?", "buttons": []}
        await refused(found, "POST", "/api/sendButtons", "headerImage.data", json=body | {"headerImage": {"data": ""}})
        news = {"name": "News", "picture": {"data": NOTHING}}
        await refused(found, "POST", "/api/main/channels", "picture.data", json=news)
        await refused(found, "POST", "/api/main/media/convert/video", "data", json={"data": ""})


async def test_a_linked_number_sends_no_empty_file(tmp_path: Path) -> None:
    server = FakeServer(nothing)
    async with running(server), running_whatsapp(tmp_path, authority()) as fake:
        fake.server.person(ANA, "Ana")
        account = {"provider": "whatsapp", "proxy": fake.proxy, "typing": False}
        with redirected(fake):
            ca_file = Path(fake.environment["SSL_CERT_FILE"])
            async with running_gateway({"accounts.main": account, "delivery": OPEN}, ca_file=ca_file) as found:
                await link(found, fake)
                await all_forms(found, ANA)
                await links(found, ANA, f"{server.url}/a.jpg")
                await pictures(found, f"{server.url}/a.jpg")
                assert fake.server.messages == []
