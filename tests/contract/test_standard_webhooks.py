"""Our signatures, judged by the published vectors and by the library that receivers use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from wagate.http.errors import BadSecretError
from wagate.http.signing import new_secret, parse_secret, sign, standard_headers, waha_headers

BODY = '{"text":"Olá, 世界 👋","n":1}'.encode()


def test_the_vector_of_the_specification_comes_out() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_receivers_library_accepts_what_we_sign() -> None:
    secret = new_secret()
    headers = standard_headers([secret], "0199a3c4-7d6e-7c3a-b0a1-0123456789ab", int(time.time()), BODY)
    assert Webhook(secret).verify(BODY, headers) == {"text": "Olá, 世界 👋", "n": 1}


def test_during_a_rotation_the_old_and_the_new_secret_both_verify() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    headers = standard_headers([new, old], "msg_1", int(time.time()), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    Webhook(old).verify(BODY, headers)
    Webhook(new).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(other).verify(BODY, headers)


@pytest.mark.parametrize("change", ["id", "time", "body"])
def test_nothing_signed_can_be_changed(change: str) -> None:
    secret, now = new_secret(), int(time.time())
    headers = standard_headers([secret], "msg_1", now, BODY)
    if change == "id":
        headers["webhook-id"] = "msg_2"
    if change == "time":
        headers["webhook-timestamp"] = str(now + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" " if change == "body" else BODY, headers)


def test_an_old_attempt_can_not_be_replayed() -> None:
    secret = new_secret()
    headers = standard_headers([secret], "msg_1", int(time.time()) - 301, BODY)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.integers(0, 2**40))
def test_signing_is_hmac_sha256_over_id_time_and_body(key: bytes, body: bytes, timestamp: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    expected = hmac.new(key, b"msg_1." + str(timestamp).encode() + b"." + body, hashlib.sha256).digest()
    assert sign([secret], "msg_1", timestamp, body) == "v1," + base64.b64encode(expected).decode()


def test_a_new_secret_has_32_random_bytes() -> None:
    assert len(parse_secret(new_secret())) == 32
    assert new_secret() != new_secret()


def test_a_secret_without_padding_is_the_same_secret() -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(25))).decode()
    assert secret.endswith("==")
    assert parse_secret(secret.rstrip("=")) == bytes(range(25))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "just a password of enough length",
        "whsec_not base64 at all, but long enough",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsk_" + base64.b64encode(b"x" * 32).decode(),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "whsec_é" + base64.b64encode(b"x" * 32).decode(),
    ],
)
def test_a_weak_or_malformed_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(BadSecretError, match="whsec_ followed by base64 of 24 to 64 random bytes") as caught:
        parse_secret(secret)
    assert len(secret) < 10 or secret not in str(caught.value)


def test_an_id_with_a_dot_is_refused_since_it_could_move_bytes_into_the_time() -> None:
    with pytest.raises(ValueError, match="must not hold a dot"):
        sign([new_secret()], "msg.1614265330", 1, b"")


def test_signing_without_a_secret_is_an_error_and_not_an_empty_header() -> None:
    with pytest.raises(BadSecretError, match="at least one"):
        sign([], "msg_1", 1, b"")


def test_wahas_headers_carry_the_hex_hmac_sha512_of_the_raw_body() -> None:
    # The example of WAHA's documentation.
    body = b'{"event":"message","session":"default","engine":"WEBJS"}'
    headers = waha_headers("my-secret-key", "0199a3c4", 1741249702485, body)
    assert headers == {
        "X-Webhook-Request-Id": "0199a3c4",
        "X-Webhook-Timestamp": "1741249702485",
        "X-Webhook-Hmac": "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
        "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89",
        "X-Webhook-Hmac-Algorithm": "sha512",
    }
