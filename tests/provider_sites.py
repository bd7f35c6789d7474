"""Every provider's fake behind one account ``main`` of a gateway: how its webhooks look, what reached the phone."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from tests.corpus import corpora
from tests.infobip_document import strict_infobip
from tests.inprocess import Gateway, running_gateway
from tests.strict_fakes import strict_meta, strict_sessions, strict_twilio, strict_waha
from tests.waha_operations import CHANNEL, GROUP
from wagate.http.signing import waha_headers
from wagate.testing.providers.dialog360 import FakeDialog360
from wagate.testing.providers.infobip import by_hmac
from wagate.testing.providers.meta import FakeMeta, escaped, signature
from wagate.testing.providers.session import OURS, FakeSessions
from wagate.testing.providers.session_asks import EngineGroup
from wagate.testing.providers.twilio import FakeTwilio, signed_webhook
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.providers.waha_asks import ME, FakeGroup
from wagate.testing.server import FakeServer, running

PUBLIC = "https://gate.example"
DOOR = "/webhooks/main"
KEY = "what proves a webhook"
THEM = "15550002222"
ACCENT = "olá"
Headers = dict[str, str]


class Site(ABC):
    """One provider. A body is what a webhook carries; `proof` makes the headers that it comes with."""

    provider: str
    folder = ""
    """Of its samples."""

    def __init__(self, fake: Any, server: FakeServer) -> None:
        self.fake, self.server = fake, server

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The account's table, once the fake listens."""

    @abstractmethod
    def proof(self, body: bytes, key: str = KEY) -> Headers:
        """The headers of a webhook with this body."""

    @abstractmethod
    def text(self, text: str) -> bytes:
        """The webhook of a text from `THEM`."""

    @abstractmethod
    def sent(self) -> list[dict[str, Any]]:
        """What reached the phone."""

    @abstractmethod
    def file(self, content: bytes, mimetype: str) -> bytes:
        """The webhook of a picture that the provider holds."""

    def again(self, body: bytes) -> bytes:
        """The body as a proxy would write it anew: the same JSON in other bytes."""
        return json.dumps(json.loads(body), ensure_ascii=False, indent=1).encode()

    def samples(self) -> Iterator[tuple[str, bytes]]:
        """Name and body of every sample that is a webhook, of all that are here."""
        for corpus in corpora(self.folder):
            for name in sorted(corpus.names()):
                body = corpus.bytes_of(name)
                document = json.loads(body) if body.startswith(b"{") else dict(parse_qsl(body.decode()))
                if self.is_webhook(document):
                    yield f"{corpus.origin}/{name}", body

    def is_webhook(self, document: Any) -> bool:
        """Whether a sample is one, and no request or answer."""
        return "entry" in document


class Meta(Site):
    provider = folder = "meta"

    def __init__(self) -> None:
        fake = strict_meta(FakeMeta(app_secret=KEY, phone="15550001111"))
        super().__init__(fake, fake.server)

    def settings(self) -> dict[str, Any]:
        fake = self.fake
        known = {"access_token": fake.token, "phone_number_id": fake.phone_number_id, "verify_token": "let me in"}
        return {"phone": fake.phone, "app_secret": KEY, "base_url": fake.url, **known}

    def proof(self, body: bytes, key: str = KEY) -> Headers:
        return signature(body, key)

    def text(self, text: str) -> bytes:
        return escaped(msgspec.json.encode(self.fake.incoming(self.fake.text(text, sender=THEM))).decode())

    def file(self, content: bytes, mimetype: str) -> bytes:
        image = {"id": self.fake.hold(content, mimetype), "mime_type": mimetype}
        message = self.fake.text("", sender=THEM) | {"type": "image", "image": image}
        return msgspec.json.encode(self.fake.incoming(message))

    def sent(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.fake.messages
        return found


class Dialog360(Meta):
    provider = folder = "dialog360"

    def __init__(self) -> None:
        fake = FakeDialog360(webhook_secret=KEY)
        strict_meta(fake)
        Site.__init__(self, fake, fake.server)

    def settings(self) -> dict[str, Any]:
        fake = self.fake
        return {"phone": fake.phone, "api_key": fake.token, "base_url": fake.url, "webhook_secret": KEY}

    def proof(self, body: bytes, key: str = KEY) -> Headers:
        return {"Content-Type": "application/json", "X-Webhook-Secret": key}


class Infobip(Site):
    provider = folder = "infobip"

    def __init__(self) -> None:
        fake = strict_infobip()
        super().__init__(fake, fake.server)

    def settings(self) -> dict[str, Any]:
        fake = self.fake
        known = {"api_key": fake.api_key, "base_url": fake.url, "sender": fake.sender}
        return {**known, "hmac_secret": KEY, "hmac_header": "X-Signature", "webhook_token": "for reports"}

    def proof(self, body: bytes, key: str = KEY) -> Headers:
        return {"Content-Type": "application/json", **by_hmac("X-Signature", key, body)}

    def text(self, text: str) -> bytes:
        return escaped(json.dumps(self.fake.incoming({"type": "TEXT", "text": text}, sender=THEM)))

    def file(self, content: bytes, mimetype: str) -> bytes:
        image = {"type": "IMAGE", "url": self.fake.hold(content, mimetype)}
        return msgspec.json.encode(self.fake.incoming(image, sender=THEM))

    def sent(self) -> list[dict[str, Any]]:
        return list(self.fake.messages.values())

    def is_webhook(self, document: Any) -> bool:
        rows = document.get("results")
        if rows is not None:
            return True
        return ("content" in document and "createdAt" in document) or "messageTemplateId" in document


class Twilio(Site):
    provider = folder = "twilio"

    def __init__(self) -> None:
        fake = strict_twilio(FakeTwilio(auth_token=KEY))
        super().__init__(fake, fake.server)

    def settings(self) -> dict[str, Any]:
        fake = self.fake
        known = {"account_sid": fake.account_sid, "auth_token": KEY, "from_number": f"+{fake.number}"}
        return {**known, "base_url": fake.url, "messaging_url": fake.url}

    def proof(self, body: bytes, key: str = KEY) -> Headers:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        return signed_webhook(PUBLIC + DOOR, form, key)[1]

    def text(self, text: str) -> bytes:
        return urlencode(self.fake.receive(text, sender=THEM)).encode()

    def file(self, content: bytes, mimetype: str) -> bytes:
        return urlencode(self.fake.receive("", (content, mimetype), sender=THEM)).encode()

    def again(self, body: bytes) -> bytes:
        """Decoded and encoded by somebody who drops what is blank and trims."""
        return urlencode([(name, value.replace("á", "a")) for name, value in parse_qsl(body.decode())]).encode()

    def sent(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.fake.messages
        return found

    def is_webhook(self, document: Any) -> bool:
        return "MessageSid" in document


class Waha(Site):
    provider = folder = "waha"

    def __init__(self) -> None:
        fake = strict_waha(FakeWaha(api_key="k"))
        phone = fake.phone
        phone.known.add(THEM)
        phone.groups[GROUP] = FakeGroup(subject="Group", people={ME: "superadmin", f"{THEM}@c.us": ""})
        phone.channels[CHANNEL] = "Channel"
        phone.labels["1"] = {"id": "1", "name": "New", "color": 0, "colorHex": "#ff9485"}
        super().__init__(fake, fake)

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.fake.url, "api_key": "k", "hmac_key": KEY}

    def proof(self, body: bytes, key: str = KEY) -> Headers:
        return {"Content-Type": "application/json", **waha_headers(key, "r1", 1_795_225_481, body)}

    def text(self, text: str) -> bytes:
        body: bytes = self.fake.webhook("message", self.fake.incoming(text, sender=f"{THEM}@c.us"))[0]
        return body

    def file(self, content: bytes, mimetype: str) -> bytes:
        self.fake.files["picture.png"] = content
        media = {"url": f"{self.fake.url}/api/files/picture.png", "mimetype": mimetype, "filename": None}
        payload = self.fake.incoming("", sender=f"{THEM}@c.us") | {"hasMedia": True, "media": media}
        body: bytes = self.fake.webhook("message", payload)[0]
        return body

    def sent(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.fake.sent
        return found

    def is_webhook(self, document: Any) -> bool:
        return "event" in document and "payload" in document


class Sessions(Site):
    provider, folder = "session", "wwebjs"

    def __init__(self) -> None:
        fake = strict_sessions(FakeSessions(api_key="k"))
        fake.phone.registered.add(THEM)
        fake.phone.groups[GROUP] = EngineGroup(subject="Group", people={OURS: "superadmin", f"{THEM}@c.us": ""})
        super().__init__(fake, fake)

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.fake.url, "api_key": "k", "webhook_secret": KEY}

    def proof(self, body: bytes, key: str = KEY) -> Headers:
        return {"Content-Type": "application/json", "X-Api-Key": key}

    def text(self, text: str) -> bytes:
        return self._message(body=text)

    def file(self, content: bytes, mimetype: str) -> bytes:
        raise NotImplementedError("engines post files themselves, in base64")

    def _message(self, **fields: Any) -> bytes:
        chat = f"{THEM}@c.us"
        bare = f"3EB0IN{len(self.server.seen)}{fields['body']}"
        number = {"fromMe": False, "remote": chat, "id": bare, "_serialized": f"false_{chat}_{bare}"}
        message = {"id": number, "type": "chat", "from": chat, "to": "15550000001@c.us", "fromMe": False}
        body: bytes = self.fake.webhook("message", {"message": {**message, "timestamp": 1_795_225_481, **fields}})
        return body

    def sent(self) -> list[dict[str, Any]]:
        return [*self.fake.sent, *self.fake.reactions]

    def is_webhook(self, document: Any) -> bool:
        return "dataType" in document or "event" in document


SITES = [Meta, Dialog360, Infobip, Twilio, Waha, Sessions]


@asynccontextmanager
async def gateway(site: Site, *, ca_file: Path | None = None, **tables: Any) -> AsyncIterator[Gateway]:
    """A gateway whose account ``main`` is the site's."""
    async with running(site.server):
        account = {"provider": site.provider, **site.settings()}
        given = {"server": {"public_url": PUBLIC}, "accounts.main": account, "plugins.n8n": {}, "plugins.webhook": {}}
        async with running_gateway({**given, **tables}, ca_file=ca_file) as found:
            yield found


async def post(found: Gateway, body: bytes, headers: Headers, expected: int = 200) -> Any:
    """Post a webhook as the provider would, with no token of ours."""
    answer = await found.http.post(DOOR, content=body, headers={"Authorization": "", **headers})
    assert answer.status_code == expected, answer.text
    return answer


def rows(found: Gateway) -> list[tuple[str, str, str, str]]:
    """(kind, type, content, chat) of every event that is stored, oldest first, but what a session's state is."""
    with sqlite3.connect(f"file:{found.folder / 'data' / 'wagate.db'}?mode=ro", uri=True) as database:
        query = "SELECT kind, type, content, chat FROM events WHERE kind <> 'session.status' ORDER BY id"
        return list(database.execute(query))
