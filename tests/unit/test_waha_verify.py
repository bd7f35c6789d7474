"""Who may post as WAHA."""

from __future__ import annotations

import json

import pytest

from tests.corpus import Corpus, each_corpus
from tests.waha_site import account, posted
from wagate.errors import UnauthorizedError
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.http.signing import waha_headers
from wagate_waha.settings import verify

BODY = b'{"event": "message", "payload": {}}'


def signed(key: str, body: bytes = BODY, **more: str) -> InboundRequest:
    headers = {name.lower(): text for name, text in waha_headers(key, "r", 1, body).items()}
    return posted(body, headers | more)


def allowed(request: InboundRequest, to: ProviderAccount) -> bool:
    try:
        verify(request, to)
    except UnauthorizedError:
        return False
    return True


@each_corpus("waha")
def test_the_vector_of_wahas_documentation_holds(corpus: Corpus) -> None:
    vector = corpus.json_of("hmac_vector")
    headers = {name.lower(): text for name, text in vector["headers"].items()}
    verify(posted(vector["raw_body"].encode(), headers), account(hmac_key=vector["key"]))


def test_a_signed_body_passes_under_either_key_and_only_byte_for_byte() -> None:
    both = account(hmac_key="k1", secret="k2")
    assert allowed(signed("k1"), both)
    assert allowed(signed("k2"), both)
    assert not allowed(signed("k3"), both)
    assert allowed(signed("k2"), account(secret="k2"))
    reencoded = posted(json.dumps(json.loads(BODY), separators=(",", ":")).encode(), signed("k1").headers)
    assert not allowed(reencoded, both)


@pytest.mark.parametrize("mac", ["", "00", "é", "g" * 128])
def test_what_is_no_mac_is_refused(mac: str) -> None:
    assert not allowed(posted(BODY, {"x-webhook-hmac": mac}), account(hmac_key="k1"))


def test_another_algorithm_is_refused_and_capitals_are_not() -> None:
    request = signed("k1")
    assert not allowed(posted(BODY, {**request.headers, "x-webhook-hmac-algorithm": "sha1"}), account(hmac_key="k1"))
    loud = {**request.headers, "x-webhook-hmac": request.headers["x-webhook-hmac"].upper()}
    assert allowed(posted(BODY, loud), account(hmac_key="k1"))


def test_an_unsigned_webhook_may_carry_the_secret_unless_a_key_is_set() -> None:
    plain = account(secret="s3cret")
    for headers in ({"x-api-key": "s3cret"}, {"x-webhook-secret": "s3cret"}):
        assert allowed(posted(BODY, headers), plain)
        assert not allowed(posted(BODY, headers), account(secret="s3cret", hmac_key="k"))
    assert allowed(posted(BODY, query={"token": "s3cret"}), plain)
    assert not allowed(posted(BODY, {"x-api-key": "wrong"}), plain)
    assert not allowed(posted(BODY), plain)


def test_an_account_with_nothing_to_prove_by_refuses_all() -> None:
    assert not allowed(posted(BODY, query={"token": ""}), account())
    assert not allowed(signed(""), account())
