"""Which webhooks count as Twilio's: its own validator is the judge."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from tests.corpus import Corpus, each_corpus
from tests.twilio_accounts import OURS, TOKEN, URL, account, request
from wagate.errors import UnauthorizedError
from wagate.testing.providers.twilio import FakeTwilio, signed_webhook
from wagate_twilio.settings import TwilioSettings
from wagate_twilio.webhook import HEADER, signature, verify

FORM = {"MessageSid": "SM1", "Body": "", "From": "whatsapp:+5511", "Ünïcode": "olá 👍 +&="}
JUDGE = RequestValidator(TOKEN)


def accepted(body: bytes, shown: str | None, *, url: str = URL, **settings: Any) -> bool:
    headers = {} if shown is None else {HEADER: shown}
    try:
        verify(request(body, headers, url=url), account(**settings))
    except UnauthorizedError:
        return False
    return True


@pytest.mark.parametrize("n", range(3))
@each_corpus("twilio")
def test_the_published_vectors_are_accepted(corpus: Corpus, n: int) -> None:
    vector = corpus.json_of("signature_vectors")[n]
    body, shown = vector["form"].encode(), vector["X-Twilio-Signature"]
    assert accepted(body, shown, url=vector["url"], auth_token=vector["auth_token"])
    assert not accepted(body + b"&More=1", shown, url=vector["url"], auth_token=vector["auth_token"])
    assert not accepted(body, shown, url=vector["url"] + "x", auth_token=vector["auth_token"])
    assert not accepted(body, shown, url=vector["url"], auth_token="another")


@given(st.dictionaries(st.text(max_size=6), st.text(max_size=6), min_size=1, max_size=6))
def test_what_twilios_validator_computes_is_accepted_and_what_our_fake_signs_it_accepts(form: dict[str, str]) -> None:
    body = urlencode(form).encode()
    read = dict(parse_qsl(body.decode(), keep_blank_values=True))
    assert accepted(body, JUDGE.compute_signature(URL, read))
    signed, headers = signed_webhook(URL, form, TOKEN)
    assert signed == body
    assert JUDGE.validate(URL, read, headers["X-Twilio-Signature"])


class Repeated(dict[str, Any]):
    """Parameters with several values of one name, as web frameworks hold them."""

    def getall(self, name: str) -> list[str]:
        found: list[str] = self[name]
        return found


def test_repeated_parameters_are_signed_once_each_in_order() -> None:
    body = b"Media=b&Media=a&Media=b&Body="
    judged = JUDGE.compute_signature(URL, Repeated(Media=["b", "a", "b"], Body=[""]))
    assert accepted(body, judged)
    assert signature(TOKEN, URL, parse_qsl(body.decode(), keep_blank_values=True)) == judged


@pytest.mark.parametrize(
    ("signed", "asked"),
    [
        ("https://gate.example/w", "https://gate.example/w"),
        ("https://gate.example:443/w?a=1", "https://gate.example/w?a=1"),
        ("https://gate.example/w", "https://gate.example:443/w"),
        ("http://gate.example:80/w", "http://gate.example/w"),
        ("https://gate.example/w", "https://gate.example:8443/w"),
        ("https://gate.example:8443/w", "https://gate.example:8443/w"),
        ("https://[2001:db8::1]:443/w", "https://[2001:db8::1]/w"),
    ],
)
def test_the_url_fits_with_and_without_its_port(signed: str, asked: str) -> None:
    assert accepted(urlencode(FORM).encode(), JUDGE.compute_signature(signed, FORM), url=asked)


@pytest.mark.parametrize(
    "asked",
    [
        "http://gate.example/w?a=1",
        "https://gate.example/W?a=1",
        "https://gate.example/w?a=2",
        "https://gate.example/w",
        "https://gate.example/w?a=1&",
        "https://other.example/w?a=1",
    ],
)
def test_any_other_url_is_refused(asked: str) -> None:
    assert not accepted(
        urlencode(FORM).encode(), JUDGE.compute_signature("https://gate.example/w?a=1", FORM), url=asked
    )


def test_a_json_body_is_signed_by_its_hash_in_the_url() -> None:
    body = b'{"a": "ol\xc3\xa1"}'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    shown = JUDGE.compute_signature(url, {})
    assert JUDGE.validate(url, body.decode(), shown)
    assert accepted(body, shown, url=url)
    assert not accepted(body + b" ", shown, url=url)
    assert not accepted(body, JUDGE.compute_signature(URL, {}), url=url)


@pytest.mark.parametrize("shown", [None, "", "x", "é", JUDGE.compute_signature(URL, {})])
def test_a_request_without_a_right_signature_is_refused(shown: str | None) -> None:
    assert not accepted(urlencode(FORM).encode(), shown)


def test_a_fragment_is_never_signed() -> None:
    assert accepted(urlencode(FORM).encode(), JUDGE.compute_signature(URL, FORM), url=URL + "#rc=5")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"account_sid": "SK" + "0" * 32}, "account_sid must be AC"),
        ({"auth_token": ""}, "auth_token is empty"),
        ({"api_key_sid": "SK1"}, "api_key_sid and api_key_secret go together"),
    ],
)
def test_settings_that_could_never_work_are_refused(given: dict[str, str], complaint: str) -> None:
    whole = {"account_sid": "AC" + "0" * 32, "auth_token": "hush", **given}
    with pytest.raises(msgspec.ValidationError, match=complaint) as refused:
        msgspec.convert(whole, TwilioSettings)
    assert "hush" not in str(refused.value)


def test_the_repr_shows_no_secret() -> None:
    assert TOKEN not in repr(account().settings) + repr(account())


def test_the_fake_signs_with_its_own_token() -> None:
    fake = FakeTwilio(auth_token="other")
    body, headers = signed_webhook(URL, fake.receive("Hi"), fake.auth_token)
    assert accepted(body, headers["X-Twilio-Signature"], auth_token="other")
    assert not accepted(body, headers["X-Twilio-Signature"])
    assert fake.number == OURS
