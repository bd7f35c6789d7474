"""What may be registered: every wrong field is named, with its cure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webhook_api import BODY, Api
from wagate.http import AddressNotAllowedError, NameNotFoundError


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        ("phone_number", "abc", "country code"),
        ("phone_number", "", "country code"),
        ("phone_number", "123", "country code"),
        ("phone_number", "1" * 16, "country code"),
        ("phone_number", "acme-main", "account's name"),
        ("webhook_url", "ftp://hooks.example/", "https://"),
        ("webhook_url", "http://hooks.example/", "https://"),
        ("webhook_url", "https://me:pw@hooks.example/", "Authorization header"),
        ("webhook_url", "not a url", "spaces"),
        ("webhook_url", "https://", "no host"),
        ("name", "a\nb", "printable"),
        ("events", [], "1 to 100"),
        ("events", ["mesage"], "did you mean message?"),
        ("events", ["message.acks"], "did you mean message.ack?"),
        ("events", ["group.JOIN"], "group.*"),
        ("events", ["webhook.test"], "no event"),
        ("format", "flatt", "did you mean flat?"),
        ("format", "xml", "flat, waha, standard"),
        ("timeout", 0.5, "1 to 60 seconds"),
        ("timeout", 61, "null for delivery.timeout"),
        ("rate", 0, "0.01 to 1000"),
        ("rate", 1001, "null for no limit"),
        ("burst", 0, "1 to 1000"),
        ("headers", {"Host": "x"}, "set by the gateway"),
        ("headers", {"Webhook-Signature": "x"}, "set by the gateway"),
        ("headers", {"X-Webhook-Hmac": "x"}, "set by the gateway"),
        ("headers", {"User-Agent": "x"}, "set by the gateway"),
        ("headers", {"Content-Type": "x"}, "set by the gateway"),
        ("headers", {"X-A": "a\r\nb"}, "printable"),
        ("headers", {"X-A": "é"}, "printable"),
        ("headers", {"X-A": "a", "x-a": "b"}, "twice"),
        ("headers", {"X A": "a"}, "not a header name"),
        ("headers", {f"X-{n}": "a" for n in range(21)}, "at most 20"),
        ("metadata", {"a": "x" * 16384}, "16 KiB"),
        ("secret", "hush", "whsec_"),
        ("secret", "whsec_c2hvcnQ=", "24 to 64"),
    ],
)
async def test_a_wrong_field_is_named_with_its_cure(api: Api, field: str, value: Any, cure: str) -> None:
    said = await api.wrong(**{field: value})
    assert list(said) == [field]
    assert cure in said[field]
    assert not api.fakes.endpoints.rows


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone_number", 5511),
        ("phone_number", None),
        ("webhook_url", 1),
        ("name", "x" * 101),
        ("max_retries", 0),
        ("max_retries", 101),
        ("max_retries", "3"),
        ("events", "message"),
        ("headers", {"X-A": 1}),
        ("timeout", "20s"),
        ("rate", True),
        ("burst", 1.5),
        ("metadata", [1]),
    ],
)
async def test_a_value_of_the_wrong_type_or_size_is_named(api: Api, field: str, value: Any) -> None:
    [named] = await api.wrong(**{field: value})
    assert named.startswith(field)


async def test_all_that_is_wrong_is_said_at_once(api: Api) -> None:
    said = await api.wrong(phone_number="abc", webhook_url="ftp://x", events=["x"], secret="hush")
    assert set(said) == {"phone_number", "webhook_url", "events", "secret"}


async def test_what_is_missing_or_not_known_is_named(api: Api) -> None:
    answer = await api.ask("POST", "/register", 422, phone_number="*")
    assert answer["errors"] == [{"field": "webhook_url", "detail": "Object missing required field `webhook_url`"}]
    assert list(await api.wrong(event="message")) == ["event"]


async def test_a_url_that_leads_inside_or_nowhere_is_refused_at_once(api: Api) -> None:
    url = BODY["webhook_url"]
    for error in (AddressNotAllowedError("Address not allowed: 10.0.0.1"), NameNotFoundError("ENOTFOUND: no address")):
        api.fakes.http.refused[url] = error
        assert await api.wrong() == {"webhook_url": error.reason}


async def test_a_credential_is_not_repeated_when_it_is_wrong(api: Api) -> None:
    answer = await api.register(422, headers={"Authorization": "Bearer h\u00fcsh"}, secret="hush")
    assert "h\u00fcsh" not in str(answer)
    assert "hush" not in str(answer)
