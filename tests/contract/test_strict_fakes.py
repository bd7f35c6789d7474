"""The fakes of others refuse what their documents don't allow, and say it as the real ones do."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
import pytest

from tests.provider_sites import Dialog360, Meta, Sessions, Site, Twilio, Waha
from tests.strict_fakes import faults, faults_of_meta
from wagate.testing.server import Seen, running

WAHA = {"session": "default", "chatId": "19990000000@c.us", "text": "hi"}
SESSION = {"chatId": "19990000000@c.us", "contentType": "string", "content": "hi"}
TWILIO = {"To": "whatsapp:+19990000000", "From": "whatsapp:+14155238886", "Body": "hi"}
META = {"messaging_product": "whatsapp", "to": "19990000000", "type": "text", "text": {"body": "hi"}}
MESSAGES = "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json"


def asked(path: str, body: bytes, kind: str = "application/json") -> Seen:
    digest = hashlib.sha256(body).hexdigest()
    headers = {"content-type": kind}
    return Seen(method="POST", path=path, query={}, headers=headers, body=body, size=len(body), sha256=digest, at=0.0)


@pytest.mark.parametrize(
    ("document", "path", "body", "told"),
    [
        ("waha", "/api/sendText", WAHA, ""),
        ("waha", "/api/sendText", WAHA | {"reply_too": "x"}, "reply_too"),
        ("waha", "/api/sendText", {"session": "default", "chatId": "1@c.us"}, "text"),
        ("waha", "/api/sendText", WAHA | {"text": 1}, "text"),
        ("waha", "/api/sendImage", WAHA | {"file": {"url": "u", "mimetype": "image/png", "name": "x"}}, "file"),
        ("wwebjs-api", "/client/sendMessage/main", SESSION, ""),
        ("wwebjs-api", "/client/sendMessage/main", SESSION | {"optionss": {}}, "optionss"),
        ("wwebjs-api", "/message/react/main", {"chatId": "1", "messageId": 5, "reaction": "x"}, "messageId"),
    ],
)
def test_unknown_and_missing_fields_and_wrong_types_are_named(
    document: str, path: str, body: dict[str, Any], told: str
) -> None:
    found = faults(document, asked(path, msgspec.json.encode(body)))
    assert told in "; ".join(found) if told else found == []
    assert bool(found) == bool(told)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (TWILIO, ""),
        (TWILIO | {"MediaUrl": "https://files.example/a.png"}, ""),
        (TWILIO | {"StatusCalback": "https://x"}, "StatusCalback"),
        ({name: text for name, text in TWILIO.items() if name != "To"}, "To"),
        (TWILIO | {"SmartEncoded": "perhaps"}, "SmartEncoded"),
    ],
)
def test_a_form_of_twilios_is_judged_by_its_fields(form: dict[str, str], told: str) -> None:
    found = faults("twilio", asked(MESSAGES, urlencode(form).encode(), "application/x-www-form-urlencoded"))
    assert told in "; ".join(found)
    assert bool(found) == bool(told)


def test_a_message_to_meta_is_judged_by_its_type() -> None:
    assert faults_of_meta(META) == []
    assert faults_of_meta(META | {"text": {"boddy": "hi"}})
    assert faults_of_meta(META | {"type": "txt"})


@pytest.mark.parametrize(
    ("make", "path", "body"),
    [
        (Waha, "/api/sendText", WAHA | {"reply_too": "x"}),
        (Sessions, "/client/sendMessage/main", SESSION | {"optionss": {}}),
        (Meta, "/{version}/{number}/messages", META | {"type": "txt"}),
        (Dialog360, "/messages", META | {"type": "txt"}),
        (Twilio, MESSAGES, TWILIO | {"StatusCalback": "x"}),
    ],
    ids=["waha", "session", "meta", "dialog360", "twilio"],
)
async def test_the_fakes_answer_400_and_take_nothing(make: type[Site], path: str, body: dict[str, Any]) -> None:
    site = make()  # type: ignore[call-arg]
    async with (
        running(site.server),
        httpx2.AsyncClient(base_url=site.server.url, timeout=60, trust_env=False, verify=False) as http,
    ):
        where = path.format(version=getattr(site.fake, "version", ""), number=getattr(site.fake, "phone_number_id", ""))
        form = {"data": body} if make is Twilio else {"json": body}
        answer = await http.post(where, **form)  # type: ignore[arg-type]
        assert answer.status_code == 400, answer.text
    assert site.sent() == []
