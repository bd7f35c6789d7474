"""Twilio's error codes have words."""

from __future__ import annotations

import pytest

from wagate_twilio.errors import plain_reason
from wagate_twilio.words import WORDS, words_of


@pytest.mark.parametrize("code", WORDS)
def test_a_code_alone_says_what_it_means(code: str) -> None:
    assert plain_reason(code, "").startswith(f"{code}: {WORDS[code]}")
    assert len(code) == 5
    assert code.isdigit()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("63998", "WhatsApp, or Twilio's way to it, refused the message"),
        ("30998", "the message could not be delivered"),
        ("21998", "Twilio refused the message or one of its numbers"),
        ("30884", "the campaign was not accepted by the carriers"),
        ("30472", "the toll-free number was not verified"),
        ("99998", "Twilio refused it"),
    ],
)
def test_a_code_that_is_not_listed_says_its_family_and_where_it_is_explained(code: str, words: str) -> None:
    assert words_of(code) == f"{words}; see https://www.twilio.com/docs/api/errors/{code}"


def test_every_code_of_whatsapp_has_words_of_its_own() -> None:
    """Of twilio-error-codes.json, February 2025, and of pages of single codes since then."""
    of_messages = {*range(63001, 63053), 63062} - {63048, 63050}
    of_senders = {63100, *range(63101, 63113)}
    assert sorted(each for each in of_messages | of_senders if str(each) not in WORDS) == []


def test_twilios_own_message_is_shown_where_there_is_one() -> None:
    assert plain_reason("63024", "Invalid recipient") == "63024: Invalid recipient"
    assert plain_reason("", "No") == "No"
    assert plain_reason("", "") == ""
