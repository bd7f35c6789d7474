"""Whether a webhook is Meta's: signatures and the handshake."""

from __future__ import annotations

import pytest

from tests.meta import SETTINGS, account, request
from wagate.errors import ForbiddenError, UnauthorizedError
from wagate.testing.providers.meta import signed_webhook
from wagate_meta import challenge, verify
from wagate_meta.settings import MetaSettings

BODY, HEADERS = signed_webhook({"entry": [], "text": "café 😀"}, SETTINGS.app_secret)
GOOD = {"hub.mode": "subscribe", "hub.verify_token": "verify-me", "hub.challenge": "1158201444"}
BARE = MetaSettings(access_token="t", phone_number_id="1")


def test_a_signature_over_the_bytes_as_they_came_is_believed() -> None:
    assert b"caf\\u00e9 \\ud83d\\ude00" in BODY
    verify(request(BODY, HEADERS), account())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": HEADERS["X-Hub-Signature-256"].removeprefix("sha256=")},
        {"X-Hub-Signature-256": HEADERS["X-Hub-Signature-256"][:-1] + "é"},
        {"X-Hub-Signature": "sha1=" + 40 * "0"},
    ],
)
def test_no_signature_or_a_wrong_one_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(UnauthorizedError):
        verify(request(BODY, headers), account())


def test_one_other_byte_or_another_secret_is_refused() -> None:
    with pytest.raises(UnauthorizedError):
        verify(request(BODY + b" ", HEADERS), account())
    _, others = signed_webhook({"entry": [], "text": "café 😀"}, "another")
    with pytest.raises(UnauthorizedError):
        verify(request(BODY, others), account())


def test_without_an_app_secret_everything_is_refused_with_the_reason() -> None:
    _, unkeyed = signed_webhook({"entry": [], "text": "café 😀"}, "")
    with pytest.raises(UnauthorizedError, match="app_secret"):
        verify(request(BODY, unkeyed), account(BARE))


def test_the_handshake_gets_the_bare_challenge() -> None:
    answer = challenge(request(query=GOOD), account())
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.content_type.startswith("text/plain")


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        (GOOD | {"hub.verify_token": "wrong"}, SETTINGS),
        (GOOD | {"hub.verify_token": ""}, SETTINGS),
        (GOOD | {"hub.mode": "unsubscribe"}, SETTINGS),
        ({}, SETTINGS),
        (GOOD | {"hub.verify_token": ""}, BARE),
    ],
)
def test_a_wrong_handshake_is_refused(query: dict[str, str], settings: MetaSettings) -> None:
    with pytest.raises(ForbiddenError):
        challenge(request(query=query), account(settings))


@pytest.mark.parametrize(
    "wrong",
    [{"api_version": "23"}, {"phone_number_id": "+1 555"}, {"base_url": "graph.facebook.com"}, {"waba_id": "x"}],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, str]) -> None:
    values = {"access_token": "t", "phone_number_id": "1"} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MetaSettings(**values)
