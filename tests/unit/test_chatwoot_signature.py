"""Whose webhook it is."""

from __future__ import annotations

import pytest

from tests.chatwoot_agents import SECRET, inbox, signed
from wagate.errors import UnauthorizedError
from wagate_chatwoot.to_whatsapp.webhook import signature, verify

BODY = b'{"event":"message_created"}'
NOW = 1_781_700_001.0


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_the_published_vector_holds() -> None:
    given = signature("whsecEXAMPLE24charsLong0", "1781700001", b'{"event":"message_created","id":1001}')
    assert given == "sha256=c0094f9085da7c213193b0dc936c34053179842f9d5c9322497372786d68ad7e"


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_a_signature_within_five_minutes_holds(seconds: int) -> None:
    verify(inbox(), lower(signed(BODY, at=NOW)), "", BODY, now=NOW + seconds)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_an_older_or_later_one_does_not(seconds: int) -> None:
    with pytest.raises(UnauthorizedError, match="Timestamp"):
        verify(inbox(), lower(signed(BODY, at=NOW)), "", BODY, now=NOW + seconds)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-chatwoot-timestamp": str(int(NOW))},
        {**lower(signed(BODY, at=NOW)), "x-chatwoot-timestamp": str(int(NOW) + 1)},
        {**lower(signed(BODY, at=NOW)), "x-chatwoot-signature": "sha256=00"},
        {**lower(signed(BODY, at=NOW)), "x-chatwoot-signature": "é\ud800"},
        lower(signed(BODY, at=NOW, secret="another secret")),
        lower(signed(BODY + b" ", at=NOW)),
    ],
)
def test_forged_altered_and_unsigned_ones_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(UnauthorizedError):
        verify(inbox(), headers, SECRET, BODY, now=NOW)


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "٣", "9" * 40])
def test_a_timestamp_that_is_none_is_refused_even_when_it_is_signed(timestamp: str) -> None:
    headers = {"x-chatwoot-timestamp": timestamp, "x-chatwoot-signature": signature(SECRET, timestamp, BODY)}
    with pytest.raises(UnauthorizedError):
        verify(inbox(), headers, "", BODY, now=NOW)


def test_servers_that_do_not_sign_are_known_by_a_token_in_the_url() -> None:
    old = inbox(secret="", webhook_token="from-the-url")
    verify(old, {}, "from-the-url", BODY, now=NOW)
    for token in ("", "From-the-url", "from-the-url "):
        with pytest.raises(UnauthorizedError):
            verify(old, {}, token, BODY, now=NOW)


def test_a_token_does_not_stand_in_for_a_signature() -> None:
    both = inbox(webhook_token="from-the-url")
    with pytest.raises(UnauthorizedError):
        verify(both, {}, "from-the-url", BODY, now=NOW)


def test_an_inbox_with_neither_takes_nothing() -> None:
    bare = inbox(secret="", webhook_token="")
    for headers in ({}, lower(signed(BODY, at=NOW, secret=""))):
        with pytest.raises(UnauthorizedError, match="neither"):
            verify(bare, headers, "", BODY, now=NOW)
