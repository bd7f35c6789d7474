"""What each provider is asked when a message goes out: golden files outgoing_<provider>."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.golden_files import check
from tests.provider_sites import SITES, Site
from wagate.config import convert_settings
from wagate.errors import SendError
from wagate.hooks import (
    OutFile,
    Outgoing,
    OutLocation,
    OutMessage,
    OutPoll,
    OutPreview,
    OutReaction,
    Provider,
    ProviderAccount,
    Signal,
)
from wagate.hooks.messages import MESSAGE_TYPES
from wagate.http import HttpClient
from wagate.testing import fake_context
from wagate.testing.server import Seen, running
from wagate_dialog360 import plugin as dialog360_plugin
from wagate_infobip import plugin as infobip_plugin
from wagate_meta import plugin as meta_plugin
from wagate_session import plugin as session_plugin
from wagate_twilio import plugin as twilio_plugin
from wagate_waha import plugin as waha_plugin

PLUGINS: dict[str, Any] = {
    "meta": meta_plugin,
    "dialog360": dialog360_plugin,
    "infobip": infobip_plugin,
    "twilio": twilio_plugin,
    "waha": waha_plugin,
    "session": session_plugin,
}
THEM = "15550000201@c.us"
ID = "0193a5b0-0000-7000-8000-000000000001"
CARD = {
    "name": {"formatted_name": "Jan Visser", "first_name": "Jan", "last_name": "Visser"},
    "phones": [{"phone": "+15550000204", "type": "CELL", "wa_id": "15550000204"}],
}
TEMPLATE = {
    "name": "parcel_sent",
    "language": {"code": "en"},
    "components": [{"type": "body", "parameters": [{"type": "text", "text": "Jan"}]}],
}
CONTENT = {"name": "HX" + "0" * 32, "content_variables": {"1": "Jan"}}
"""Twilio knows templates by ids of its own."""
BUTTONS = {
    "type": "button",
    "body": {"text": "Shall we bring it?"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
}
LIST = {
    "type": "list",
    "header": {"type": "text", "text": "Parcel 204"},
    "body": {"text": "When shall we come?"},
    "footer": {"text": "The garden shop"},
    "action": {"button": "Days", "sections": [{"title": "This week", "rows": [{"id": "mo", "title": "Monday"}]}]},
}
FILES = {
    "image": ("image/jpeg", "pot.jpg"),
    "video": ("video/mp4", "pot.mp4"),
    "audio": ("audio/mpeg", "song.mp3"),
    "voice": ("audio/ogg; codecs=opus", "memo.ogg"),
    "document": ("application/pdf", "receipt.pdf"),
    "sticker": ("image/webp", "tulip.webp"),
}
MESSAGES: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": "Your parcel is on its way: https://shop.example/204"},
    "text with a preview": {
        "type": "text",
        "text": "See https://shop.example/204",
        "preview": OutPreview(url="https://shop.example/204", title="Parcel 204", description="On its way"),
    },
    "text without a preview": {"type": "text", "text": "https://shop.example/204", "preview_url": False},
    "reply": {"type": "text", "text": "Yes, it is", "reply_to": f"false_{THEM}_3EB0IN01"},
    **{kind: {"type": kind, "text": "Look" if kind in {"image", "video", "document"} else ""} for kind in FILES},
    "location": {
        "type": "location",
        "location": OutLocation(latitude=52.5163, longitude=13.3777, name="Garden shop", address="12 Quay Street"),
    },
    "contacts": {"type": "contacts", "contacts": (CARD,)},
    "poll": {"type": "poll", "poll": OutPoll(name="When?", options=("Monday", "Tuesday"), multiple=True)},
    "reaction": {"type": "reaction", "reaction": OutReaction(message_id=f"false_{THEM}_3EB0IN01", emoji="🌷")},
    "template": {"type": "template", "template": TEMPLATE},
    "interactive buttons": {"type": "interactive", "interactive": BUTTONS},
    "interactive list": {"type": "interactive", "interactive": LIST},
}


@asynccontextmanager
async def opened(site: Site) -> AsyncIterator[tuple[Provider, ProviderAccount]]:
    """The site's provider with a real client, and an account there."""
    http = HttpClient(allow_http=True)
    async with running(site.server):
        [provider] = PLUGINS[site.provider].register_providers(context=replace(fake_context("x").context, http=http))
        given = {name: value for name, value in site.settings().items() if name not in {"phone", "webhook_secret"}}
        account = ProviderAccount(
            name="main",
            phone="15550000100",
            settings=convert_settings(provider.settings_type, given, key="accounts.shop"),
            webhook_secret="",
            webhook_url="https://gate.example/webhooks/main",
            trust="operator",
        )
        try:
            yield provider, account
        finally:
            await http.aclose()


def request_of(seen: Seen) -> dict[str, Any]:
    """A request as the golden file shows it."""
    body: Any = seen.body.decode("latin-1")
    kind = seen.headers.get("content-type", "")
    if seen.parts:
        body = [{"name": part.name, "filename": part.filename, "type": part.content_type} for part in seen.parts]
    elif kind.startswith("application/json"):
        body = seen.json
    elif kind.startswith("application/x-www-form-urlencoded"):
        body = seen.form
    headers = dict(sorted(seen.headers.items()))
    if "boundary=" in kind:
        headers["content-type"] = kind.partition("boundary=")[0] + "boundary=<boundary>"
    query = {"query": seen.query} if seen.query else {}
    return {"request": f"{seen.method} {seen.path}", **query, "headers": headers, "body": body}


def hoisted(made: dict[str, Any]) -> dict[str, Any]:
    """The same with the headers that all requests have shown once."""
    requests = [one for found in made.values() if isinstance(found, list) for one in found]
    common = dict.fromkeys(name for name in requests[0]["headers"] if all(name in one["headers"] for one in requests))
    for name in list(common):
        values = {one["headers"][name] for one in requests} if name != "content-length" else {"<content-length>"}
        common[name] = values.pop()
        if values:
            del common[name]
    for one in requests:
        one["headers"] = {name: value for name, value in one["headers"].items() if name not in common}
    return {"headers of every request": common, **made}


class Wire:
    """Makes the provider do something, and notes the requests that it makes of it."""

    def __init__(self, site: Site, provider: Provider, account: ProviderAccount) -> None:
        self._server, self._provider, self._account = site.server, provider, account
        self.made: dict[str, Any] = {}

    async def send(self, case: str, fields: dict[str, Any], file: OutFile | None) -> None:
        assert self._provider.send is not None
        if fields["type"] not in self._provider.abilities:
            self.made[case] = "not offered"
            return
        if fields["type"] == "template" and self._provider.name == "twilio":
            fields = fields | {"template": CONTENT}
        start, message = len(self._server.seen), OutMessage(chat=THEM, **fields)
        try:
            await self._provider.send(Outgoing(id=ID, message=message, account=self._account, file=file))
        except SendError as error:
            self.made[case] = f"refused: {error}"
        else:
            self.made[case] = [request_of(seen) for seen in self._server.seen[start:]]

    async def signal(self, kind: str) -> None:
        start = len(self._server.seen)
        if self._provider.signal is None or kind not in self._provider.abilities | {"paused"}:
            self.made[kind] = "not offered"
            return
        await self._provider.signal(Signal(kind=kind, chat=THEM, message_ids=("wamid.1",)), self._account)
        self.made[kind] = [request_of(seen) for seen in self._server.seen[start:]]

    async def look(self) -> None:
        """What is asked to see whether the account works."""
        start = len(self._server.seen)
        if self._provider.check is not None:
            await self._provider.check(self._account)
        self.made["check"] = [request_of(seen) for seen in self._server.seen[start:]]


@pytest.mark.parametrize("make", SITES, ids=lambda make: make.provider)
async def test_what_a_provider_is_asked_is_in_its_golden_file(make: type[Site], tmp_path: Path) -> None:
    assert {fields["type"] for fields in MESSAGES.values()} == set(MESSAGE_TYPES)
    site = make()
    async with opened(site) as (provider, account):
        wire = Wire(site, provider, account)
        for case, fields in MESSAGES.items():
            await wire.send(case, fields, linked(fields["type"]))
        for kind in ("image", "document"):
            await wire.send(f"{kind} that we hold", MESSAGES[kind], held(kind, tmp_path))
        for kind in ("seen", "typing", "recording", "paused"):
            await wire.signal(kind)
        await wire.look()
    check(f"outgoing_{site.provider}", hoisted(msgspec.to_builtins(wire.made)))


def linked(kind: str) -> OutFile | None:
    if kind not in FILES:
        return None
    mimetype, filename = FILES[kind]
    return OutFile(mimetype=mimetype, filename=filename, url=f"https://gate.example/media/{filename}", size=5)


def held(kind: str, folder: Path) -> OutFile:
    """A file of which we have the bytes, and a link."""
    mimetype, filename = FILES[kind]
    path = folder / filename
    path.write_bytes(b"bytes")
    url = f"https://gate.example/media/{filename}"
    return OutFile(mimetype=mimetype, filename=filename, path=path, url=url, size=5)
