"""Which webhooks count as Infobip's: the ways that are set, and no other."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from tests.infobip_accounts import URL, account, request
from wagate.errors import UnauthorizedError
from wagate.testing.providers.infobip import by_hmac, by_password
from wagate_infobip.settings import InfobipSettings
from wagate_infobip.webhook import verify

BODY = '{"results":[],"ü":1}'.encode()
BASIC = {"webhook_username": "infobip", "webhook_password": "sésame"}
HEADER = {"webhook_header": "X-Gate", "webhook_header_value": "open"}
HMAC = {"hmac_secret": "s3cret", "hmac_header": "X-Signature"}
ALGORITHMS = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]


def accepted(headers: dict[str, str], *, url: str = URL, secret: str = "", **settings: Any) -> bool:
    try:
        verify(request(BODY, headers, url=url), account(secret=secret, **settings))
    except UnauthorizedError:
        return False
    return True


def test_nothing_is_accepted_when_nothing_is_set() -> None:
    tries: list[dict[str, str]] = [
        {},
        by_password("", ""),
        {"Authorization": "Basic"},
        {"Authorization": "Bearer "},
        {"X-Webhook-Secret": ""},
        by_hmac("X-Signature", "", BODY),
        {"": ""},
    ]
    assert not [headers for headers in tries if accepted(headers, url=URL + "?token=")]


@pytest.mark.parametrize(
    ("headers", "settings", "right"),
    [
        (by_password("infobip", "sésame"), BASIC, True),
        (by_password("infobip", "sesame"), BASIC, False),
        (by_password("infobi", "psésame"), BASIC, False),
        ({"Authorization": "Basic !!!"}, BASIC, False),
        ({"Authorization": "Bearer infobip:sésame"}, BASIC, False),
        ({"X-GATE": "open"}, HEADER, True),
        ({"X-Gate": "Open"}, HEADER, False),
        ({}, HEADER, False),
        (by_hmac("X-Signature", "s3cret", BODY), HMAC, True),
        ({"X-Signature": "sha256=" + by_hmac("x", "s3cret", BODY)["x"].upper()}, HMAC, True),
        (by_hmac("X-Signature", "s3cret", BODY + b" "), HMAC, False),
        (by_hmac("X-Signature", "other", BODY), HMAC, False),
        (by_hmac("X-Signature", "s3cret", BODY, encoding="base64"), HMAC, False),
        (by_hmac("X-Signature", "s3cret", BODY, encoding="base64"), {**HMAC, "hmac_encoding": "base64"}, True),
        ({"X-Signature": "é"}, HMAC, False),
    ],
)
def test_each_way_is_accepted_when_it_is_set_and_fits(
    headers: dict[str, str], settings: dict[str, str], right: bool
) -> None:
    assert accepted(headers, **settings) is right


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_that_infobip_offers_can_sign(algorithm: str) -> None:
    headers = by_hmac("X-Signature", "s3cret", BODY, algorithm=algorithm)
    assert len(headers["X-Signature"]) == hashlib.new(algorithm).digest_size * 2
    assert accepted(headers, **HMAC, hmac_algorithm=algorithm)


@pytest.mark.parametrize("place", ["query", "bearer", "header"])
@pytest.mark.parametrize("kind", ["secret", "webhook_token"])
def test_a_token_counts_wherever_infobip_can_put_it(place: str, kind: str) -> None:
    def shown(token: str) -> bool:
        headers = {"query": {}, "bearer": {"Authorization": f"Bearer {token}"}, "header": {"X-Webhook-Secret": token}}
        url = f"{URL}?token={token}" if place == "query" else URL
        return accepted(headers[place], url=url, **{kind: "tok3n"})

    assert shown("tok3n")
    assert not shown("tok3")
    assert not shown("")


def test_any_of_several_ways_is_enough() -> None:
    assert accepted(by_password("infobip", "sésame"), secret="x", **BASIC, **HMAC)
    assert accepted({"X-Webhook-Secret": "x"}, secret="x", **BASIC, **HMAC)
    assert not accepted({"X-Webhook-Secret": "sésame"}, secret="x", **BASIC, **HMAC)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"api_key": " "}, "api_key is empty"),
        ({"api_key": "k", "webhook_username": "u"}, "webhook_username and webhook_password go together"),
        ({"api_key": "k", "webhook_header": "u"}, "webhook_header and webhook_header_value go together"),
        ({"api_key": "k", "hmac_secret": "hush"}, "hmac_secret and hmac_header go together"),
        ({"api_key": "k", "hmac_algorithm": "crc32"}, "Invalid enum value"),
        ({"api_key": "k", "apikey": "k"}, None),
    ],
)
def test_settings_that_could_never_work_are_refused(given: dict[str, str], complaint: str | None) -> None:
    if complaint is None:
        with pytest.raises(TypeError):
            InfobipSettings(**given)  # type: ignore[arg-type]
        return
    with pytest.raises(msgspec.ValidationError, match=complaint) as refused:
        msgspec.convert(given, InfobipSettings)
    assert "hush" not in str(refused.value)


def test_the_repr_shows_no_secret() -> None:
    assert "k3y" not in repr(account(api_key="k3y"))
    assert "k3y" not in repr(account(api_key="k3y").settings)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", "https://api.infobip.com"),
        ("abcd.api.infobip.com", "https://abcd.api.infobip.com"),
        ("https://abcd.api.infobip.com/", "https://abcd.api.infobip.com"),
    ],
)
def test_the_base_url_may_be_written_as_the_portal_shows_it(given: str, url: str) -> None:
    assert InfobipSettings(api_key="k", base_url=given).api == url


def test_a_key_may_name_its_own_scheme() -> None:
    assert InfobipSettings(api_key="k").authorization == "App k"
    assert InfobipSettings(api_key="IBSSO k").authorization == "IBSSO k"
