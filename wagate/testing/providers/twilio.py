"""Twilio's API as a server on this machine: takes messages, lists them, gives files out, sends signed webhooks.

Shapes: Twilio's OpenAPI document twilio_api_v2010; its pages on webhooks. Faults: `FakeTwilio.server`, see
`wagate.testing.server`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from wagate.http import HttpClient
from wagate.testing.server import FakeServer, Reply, Seen, running

_TO = re.compile(r"whatsapp:\+[1-9]\d{6,14}")
_VERSION = "2010-04-01"
_MOMENT = datetime(2025, 1, 1, 10, 10, tzinfo=UTC)


class FakeTwilio:
    """``url`` is ``base_url`` and ``messaging_url`` of accounts."""

    def __init__(
        self,
        *,
        account_sid: str = "AC00000000000000000000000000000001",
        auth_token: str = "0123456789abcdef0123456789abcdef",  # noqa: S107  (a fake's)
        number: str = "14155238886",
        api_key: tuple[str, str] = ("SK00000000000000000000000000000001", "api-key-secret-of-the-fake"),
    ) -> None:
        """What an account's settings must say; ``number`` is the sender's digits."""
        self.account_sid, self.auth_token, self.number, self.api_key = account_sid, auth_token, number, api_key
        self.server = FakeServer(self._answer)
        self.account_status = "active"
        self.messages: list[dict[str, str]] = []
        """Forms that were taken, in the order they came; ``Sid`` is added."""
        self.indicators: list[dict[str, str]] = []
        self.received: list[dict[str, Any]] = []
        """Messages that came in, as the API lists them, oldest first; see `receive`."""
        self.files: dict[str, list[tuple[str, bytes, str]]] = {}
        """Files of messages that came in, by message: (media SID, content, MIME type)."""
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url

    # What it answers

    async def _answer(self, seen: Seen) -> Reply:
        if not self._allowed(seen):
            return failed(401, 20003, "Authenticate")
        if seen.path == "/v2/Indicators/Typing.json":
            self.indicators.append(seen.form)
            return Reply(json={"success": True})
        parts = seen.path.strip("/").split("/")
        if parts == [_VERSION, "Accounts", f"{self.account_sid}.json"]:
            return Reply(json={"sid": self.account_sid, "status": self.account_status, "friendly_name": "A fake"})
        if parts[:3] != [_VERSION, "Accounts", self.account_sid]:
            return failed(404, 20404, f"The requested resource {seen.path} was not found")
        return self._resource(seen, parts[3:])

    def _allowed(self, seen: Seen) -> bool:
        pairs = ((self.account_sid, self.auth_token), self.api_key)
        return seen.headers.get("authorization", "") in {by_password(*pair) for pair in pairs}

    def _resource(self, seen: Seen, parts: list[str]) -> Reply:
        match (seen.method, parts):
            case ("POST", ["Messages.json"]):
                return self._message(seen.form)
            case ("GET", ["Messages.json"]):
                return self._list(seen)
            case ("GET", ["Messages", sid, "Media.json"]):
                return self._media_list(sid)
            case ("GET", ["Messages", sid, "Media", media_sid]):
                for found, content, mimetype in self.files.get(sid, ()):
                    if found == media_sid:
                        return Reply(body=content, headers={"content-type": mimetype})
        return failed(404, 20404, f"The requested resource {seen.path} was not found")

    def _message(self, form: dict[str, str]) -> Reply:
        if not _TO.fullmatch(form.get("To", "")):
            return failed(400, 21211, f"The 'To' number {form.get('To')} is not a valid phone number.")
        if form.get("From", f"whatsapp:+{self.number}") != f"whatsapp:+{self.number}":
            return failed(400, 63007, "Twilio could not find a Channel with the specified From address")
        if len(form.get("Body", "")) > 1600:
            return failed(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if not {"Body", "MediaUrl", "ContentSid"} & set(form):
            return failed(400, 21619, "A text message body or media urls must be specified.")
        sid = self._sid("MM" if "MediaUrl" in form else "SM")
        self.messages.append({**form, "Sid": sid})
        return Reply(status=201, json=self._row(sid, form.get("From", ""), form["To"], form))

    def _row(self, sid: str, from_: str, to: str, form: Mapping[str, str]) -> dict[str, Any]:
        return {
            "account_sid": self.account_sid,
            "api_version": _VERSION,
            "body": form.get("Body", ""),
            "date_created": format_datetime(_MOMENT),
            "date_sent": None,
            "date_updated": format_datetime(_MOMENT),
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": from_ or None,
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "num_media": "1" if "MediaUrl" in form else "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": sid,
            "status": "queued",
            "subresource_uris": {"media": f"/{_VERSION}/Accounts/{self.account_sid}/Messages/{sid}/Media.json"},
            "to": to,
            "uri": f"/{_VERSION}/Accounts/{self.account_sid}/Messages/{sid}.json",
        }

    def _list(self, seen: Seen) -> Reply:
        """Newest first, filtered by recipient and day, in pages."""
        rows = [row for row in reversed(self.received) if seen.query.get("To", row["to"]) == row["to"]]
        since = seen.query.get("DateSent>", "")
        rows = [row for row in rows if row["day"] >= since]
        size, page = int(seen.query.get("PageSize", "50")), int(seen.query.get("Page", "0"))
        shown, rest = rows[page * size : (page + 1) * size], rows[(page + 1) * size :]
        following = f"{seen.path}?{urlencode({**seen.query, 'Page': page + 1})}" if rest else None
        return Reply(json={"messages": shown, "page": page, "page_size": size, "next_page_uri": following})

    def _media_list(self, sid: str) -> Reply:
        base = f"/{_VERSION}/Accounts/{self.account_sid}/Messages/{sid}/Media"
        rows = [
            {"sid": media_sid, "parent_sid": sid, "content_type": mimetype, "uri": f"{base}/{media_sid}.json"}
            for media_sid, _, mimetype in self.files.get(sid, ())
        ]
        return Reply(json={"media_list": rows, "page": 0, "next_page_uri": None})

    # What it sends

    def receive(
        self,
        body: str,
        *files: tuple[bytes, str],
        sender: str = "5511999990000",
        at: datetime = _MOMENT,
    ) -> dict[str, str]:
        """A message comes in: it is listed from now on, with files (content, MIME type); the form of its webhook."""
        sid = self._sid("MM" if files else "SM")
        from_, to = f"whatsapp:+{sender}", f"whatsapp:+{self.number}"
        self.files[sid] = [(self._sid("ME"), content, mimetype) for content, mimetype in files]
        row = self._row(sid, from_, to, {"Body": body})
        listed = {"direction": "inbound", "status": "received", "num_media": str(len(files))}
        self.received.append({**row, **listed, "date_sent": format_datetime(at), "day": at.date().isoformat()})
        form = {
            **dict.fromkeys(("SmsMessageSid", "SmsSid", "MessageSid"), sid),
            "NumMedia": str(len(files)),
            "ProfileName": "Ana",
            "MessageType": "text",
            "WaId": sender,
            "SmsStatus": "received",
            "Body": body,
            "To": to,
            "From": from_,
            "NumSegments": "1",
            "AccountSid": self.account_sid,
            "ApiVersion": _VERSION,
        }
        for n, (media_sid, _, mimetype) in enumerate(self.files[sid]):
            form[f"MediaUrl{n}"] = f"{self.url}/{_VERSION}/Accounts/{self.account_sid}/Messages/{sid}/Media/{media_sid}"
            form[f"MediaContentType{n}"] = mimetype
            form["MessageType"] = mimetype.partition("/")[0]
        return form

    def status(self, message: Mapping[str, str], status: str, *, error: int | None = None) -> dict[str, str]:
        """The form of a status callback about one of ``messages``; it goes to the message's StatusCallback."""
        told = {"ErrorCode": str(error), "ErrorMessage": "It failed, in detail"} if error else {}
        return {
            **dict.fromkeys(("SmsSid", "MessageSid"), message["Sid"]),
            **dict.fromkeys(("SmsStatus", "MessageStatus"), status),
            "To": message["To"],
            "From": message.get("From", f"whatsapp:+{self.number}"),
            "ChannelPrefix": "whatsapp",
            "ChannelToAddress": message["To"].removeprefix("whatsapp:"),
            "AccountSid": self.account_sid,
            "ApiVersion": _VERSION,
            **told,
        }

    async def post(self, url: str, form: Mapping[str, str], *, http: HttpClient, public_url: str = "") -> int:
        """Send a signed webhook there; the answer's status. ``public_url``: what Twilio calls it, behind a proxy."""
        body, headers = signed_webhook(public_url or url, form, self.auth_token)
        answer = await http.request("POST", url, headers=headers, content=body, trust="operator")
        return answer.status

    def _sid(self, kind: str) -> str:
        return f"{kind}{next(self._numbers):032x}"


def signed_webhook(url: str, form: Mapping[str, str], token: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers as Twilio sends them: signed over the public URL and all parameters, sorted by name."""
    body = urlencode(form)
    pairs = parse_qsl(body, keep_blank_values=True)
    text = url + "".join(f"{name}{value}" for name, value in sorted(dict(pairs).items()))
    digest = hmac.digest(token.encode(), text.encode(), hashlib.sha1)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
    }
    return body.encode(), headers


def by_password(user: str, password: str) -> str:
    """An Authorization header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def failed(status: int, code: int, message: str) -> Reply:
    """An error in Twilio's words."""
    told = {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    return Reply(status=status, json={**told, "status": status})


@asynccontextmanager
async def fake_twilio(fake: FakeTwilio | None = None) -> AsyncIterator[FakeTwilio]:
    """A fake that listens while the context is open."""
    fake = fake or FakeTwilio()
    async with running(fake.server):
        yield fake
