"""Meta's Cloud API as a server on this machine: takes messages and files, gives files out, sends webhooks.

Shapes: Meta's OpenAPI v23.0 (github.com/facebook/openapi). Faults: `FakeMeta.server`, see `wagate.testing.server`.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from wagate.http import HttpClient
from wagate.testing.server import FakeServer, Reply, Seen, running

SENT_AT = 1_750_000_000
"""Unix seconds of the first message; each one after is a second later."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that was posted."""

    mimetype: str
    filename: str
    size: int
    """Bytes of the whole request."""
    content: bytes
    """The file, as far as the server kept it."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file that came with a message, to be fetched."""

    content: bytes
    mimetype: str


class FakeMeta:
    """``url`` is the ``base_url`` of accounts. What was sent is in ``messages``, marks and typing in ``signals``."""

    def __init__(
        self,
        *,
        token: str = "EAAtest0000000001",  # noqa: S107  (a fake's)
        app_secret: str = "app-secret-of-the-fake",  # noqa: S107
        app_id: str = "4200000000001",
        phone_number_id: str = "100000000000001",
        phone: str = "15550001111",
        version: str = "v23.0",
    ) -> None:
        """All are what an account's settings must say; ``phone`` is the number's digits."""
        self.token, self.app_secret, self.app_id, self.version = token, app_secret, app_id, version
        self.phone_number_id, self.phone = phone_number_id, phone
        self.server = FakeServer(self._answer)
        self.messages: list[dict[str, Any]] = []
        """Bodies of messages, in the order they came; ``id`` of the answer is added as ``wamid``."""
        self.signals: list[dict[str, Any]] = []
        self.uploads: dict[str, Upload] = {}
        self.held: dict[str, Held] = {}
        """Files by media id; take one out and it is gone."""
        self._versions: dict[str, int] = {}
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url

    def hold(self, content: bytes, mimetype: str) -> str:
        """Keep a file as one that came in; its media id."""
        media_id = str(7_000_000_000 + next(self._numbers))
        self.held[media_id] = Held(content=content, mimetype=mimetype)
        return media_id

    def file_url(self, media_id: str) -> str:
        """Where the file itself is given out."""
        return f"{self.url}/files/{media_id}?v={self._versions.get(media_id, 0)}"

    def lapse(self, media_id: str) -> None:
        """The addresses of a file that were given so far are dead, as after five minutes; its id gives a new one."""
        self._versions[media_id] = self._versions.get(media_id, 0) + 1

    # What it answers

    async def _answer(self, seen: Seen) -> Reply:
        parts = self.path_of(seen)
        if parts is None:
            return failed(404, 2500, "Unknown path components")
        if parts == ["debug_token"]:
            return self._debug_token(seen)
        if not self.allowed(seen):
            return failed(401, 190, f"Malformed access token {seen.headers.get('authorization', '')[7:]}")
        if seen.query.get("appsecret_proof", proof := self._proof()) != proof:
            return failed(400, 100, "Invalid appsecret_proof provided in the API argument")
        return self._post(parts, seen) if seen.method == "POST" else self._get(parts, seen)

    def _proof(self) -> str:
        return hmac.digest(self.app_secret.encode(), self.token.encode(), hashlib.sha256).hex()

    def _post(self, parts: list[str], seen: Seen) -> Reply:
        match parts:
            case ["messages"]:
                return self._message(msgspec.json.decode(seen.body))
            case ["media"]:
                return self._upload(seen)
        return failed(400, 100, "Unsupported post request.", subcode=33)

    def _get(self, parts: list[str], seen: Seen) -> Reply:
        match parts:
            case ["files", media_id]:
                held = self.held.get(media_id)
                if held is None or seen.query.get("v") != str(self._versions.get(media_id, 0)):
                    return Reply(status=404)
                return Reply(body=held.content, headers={"content-type": held.mimetype})
            case [self.phone_number_id]:
                number = {"display_phone_number": f"+{self.phone}", "verified_name": "Shop", "quality_rating": "GREEN"}
                return Reply(json={"id": self.phone_number_id, "code_verification_status": "VERIFIED", **number})
            case [_, "subscribed_apps"]:
                return Reply(json={"data": [{"whatsapp_business_api_data": {"id": self.app_id}}]})
        return self._media(parts[0])

    def path_of(self, seen: Seen) -> list[str] | None:
        """The path's parts behind version and number; None when the version is not ours."""
        parts = seen.path.strip("/").split("/")
        if parts[0] == "files":
            return parts
        if parts[0] != self.version or len(parts) < 2:
            return None
        return parts[2:] if len(parts) > 2 and parts[1] == self.phone_number_id else parts[1:]

    def allowed(self, seen: Seen) -> bool:
        """Whether the request carries the token."""
        return seen.headers.get("authorization") == f"Bearer {self.token}"

    def _message(self, body: dict[str, Any]) -> Reply:
        if body.get("status") == "read":
            self.signals.append(body)
            return Reply(json={"success": True})
        wamid = f"wamid.FAKE{next(self._numbers):08}"
        self.messages.append({**body, "wamid": wamid})
        to = body.get("to") or body.get("recipient")
        contact = {"input": to, "wa_id": to} if "to" in body else {"input": to, "user_id": to}
        return Reply(json={"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid}]})

    def _upload(self, seen: Seen) -> Reply:
        parts = multipart(seen)
        head, content = parts["file"]
        media_id = str(8_000_000_000 + next(self._numbers))
        mimetype = re.search(r"content-type: *([^\r\n]+)", head, re.IGNORECASE)
        filename = re.search(r'filename="([^"]*)"', head)
        if parts["messaging_product"][1] != b"whatsapp" or mimetype is None:
            return failed(400, 100, "(#100) Invalid parameter")
        self.uploads[media_id] = Upload(
            mimetype=mimetype[1], filename=filename[1] if filename else "", size=seen.size, content=content
        )
        return Reply(json={"id": media_id})

    def _media(self, media_id: str) -> Reply:
        held = self.held.get(media_id)
        if held is None:
            return failed(400, 100, "Unsupported get request. Object does not exist", subcode=33)
        digest = hashlib.sha256(held.content).hexdigest()
        return Reply(
            json={
                "messaging_product": "whatsapp",
                "url": self.media_url(media_id),
                "mime_type": held.mimetype,
                "sha256": digest,
                "file_size": str(len(held.content)),
                "id": media_id,
            }
        )

    def media_url(self, media_id: str) -> str:
        """The address that a look-up answers."""
        return self.file_url(media_id)

    def _debug_token(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {self.app_id}|{self.app_secret}":
            return failed(400, 190, "Invalid OAuth access token signature.")
        valid = seen.query.get("input_token") == self.token
        return Reply(json={"data": {"app_id": self.app_id, "is_valid": valid, "type": "SYSTEM_USER", "expires_at": 0}})

    # What it sends

    def incoming(self, *messages: dict[str, Any], name: str = "Ana", user_id: str = "") -> dict[str, Any]:
        """The webhook of messages from one person; see `text`."""
        phone = messages[0].get("from", "")
        who = {"wa_id": phone} if phone else {}
        contact = {"profile": {"name": name}, **who, **({"user_id": user_id} if user_id else {})}
        return self.webhook({"contacts": [contact], "messages": list(messages)})

    def text(self, body: str, *, sender: str = "15550002222", **more: Any) -> dict[str, Any]:
        """A text message as webhooks carry it, with an id of its own."""
        number = next(self._numbers)
        head = {"from": sender, "id": f"wamid.IN{number:08}", "timestamp": str(SENT_AT + number)}
        return {**head, "type": "text", "text": {"body": body}, **more}

    def statuses(self, message: Mapping[str, Any], *words: str, error: int | None = None) -> dict[str, Any]:
        """The webhook of statuses of a message of ``messages``: sent, delivered, read, played, failed (``error``)."""
        return self.webhook({"statuses": list(self._statuses(message, words, error))})

    def _statuses(
        self, message: Mapping[str, Any], words: Iterable[str], error: int | None
    ) -> Iterable[dict[str, Any]]:
        for word in words:
            status = {"id": message["wamid"], "status": word, "timestamp": str(SENT_AT + next(self._numbers))}
            status["recipient_id"] = message.get("to", "")
            if "biz_opaque_callback_data" in message:
                status["biz_opaque_callback_data"] = message["biz_opaque_callback_data"]
            told = {"code": error, "title": "It failed", "error_data": {"details": "It failed, in detail"}}
            yield {**status, "errors": [told]} if word == "failed" else status

    def webhook(self, value: dict[str, Any], *, field: str = "messages") -> dict[str, Any]:
        """The envelope around one change."""
        metadata = {"display_phone_number": self.phone, "phone_number_id": self.phone_number_id}
        change = {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        return {"object": "whatsapp_business_account", "entry": [{"id": "300000000000001", "changes": [change]}]}

    def signed(self, document: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a webhook."""
        return signed_webhook(document, self.app_secret)

    def signed_bytes(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        """Likewise, for a body that is there already."""
        return body, signature(body, self.app_secret)

    async def post(self, url: str, document: Mapping[str, Any], *, http: HttpClient) -> int:
        """Send a webhook there; the answer's status."""
        body, headers = self.signed(document)
        answer = await http.request("POST", url, headers=headers, content=body, trust="operator")
        return answer.status


def signed_webhook(document: Mapping[str, Any], secret: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers as Meta sends them: all but ASCII escaped, signed over those bytes."""
    body = escaped(msgspec.json.encode(document).decode())
    return body, signature(body, secret)


def signature(body: bytes, secret: str) -> dict[str, str]:
    """The headers of a webhook with this body."""
    digest = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


def escaped(text: str) -> bytes:
    r"""JSON text with escapes like ``\u00e9`` (lower case, surrogate pairs) for all that is not ASCII."""
    units = re.sub(r"[^\x00-\x7f]", lambda found: _units(found[0]), text)
    return units.encode("ascii")


def _units(character: str) -> str:
    raw = character.encode("utf-16-be")
    return "".join(f"\\u{raw[i : i + 2].hex()}" for i in range(0, len(raw), 2))


def failed(status: int, code: int, message: str, *, subcode: int | None = None, **more: Any) -> Reply:
    """An error as the Graph API words it."""
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Afake", **more}
    return Reply(status=status, json={"error": error | ({"error_subcode": subcode} if subcode else {})})


def multipart(seen: Seen) -> dict[str, tuple[str, bytes]]:
    """The parts of a form by name: (headers, content)."""
    boundary = re.search(r"boundary=([^;]+)", seen.headers["content-type"])
    assert boundary is not None
    found = {}
    for part in seen.body.split(b"--" + boundary[1].encode())[1:]:
        head, parted, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if parted and name is not None:
            found[name[1].decode()] = (head.decode(), content.removesuffix(b"\r\n"))
    return found


@asynccontextmanager
async def fake_meta(fake: FakeMeta | None = None) -> AsyncIterator[FakeMeta]:
    """A fake that listens while the context is open."""
    fake = fake or FakeMeta()
    async with running(fake.server):
        yield fake
