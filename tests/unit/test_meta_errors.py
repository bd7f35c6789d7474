"""What each of Meta's answers means: every class of codes, and answers without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.testing import answered
from wagate_meta.errors import failure


def judged(code: int | None, status: int = 400, headers: Mapping[str, str] | None = None, **error: Any) -> SendError:
    body = msgspec.json.encode(
        {"error": {"message": f"(#{code}) no", "code": code, **error}} if code is not None else {}
    )
    return failure(answered(status, body, headers), body.decode())


@pytest.mark.parametrize("code", [1, 2, 131000, 131016, 131057, 133004])
def test_troubles_of_metas_are_tried_again_and_slow_nothing(code: int) -> None:
    error = judged(code, 500)
    assert isinstance(error, NotSentError)
    assert (error.slow, error.code) == ("", str(code))


@pytest.mark.parametrize("code", [4, 80007, 130429, 133016])
def test_limits_of_the_number_slow_the_account(code: int) -> None:
    error = judged(code)
    assert isinstance(error, NotSentError)
    assert error.slow == "account"
    assert error.after is not None
    assert error.after >= 5


def test_the_limit_of_a_pair_slows_only_its_chat_for_six_seconds() -> None:
    error = judged(131056)
    assert isinstance(error, NotSentError)
    assert (error.slow, error.after) == ("chat", 6.0)


def test_a_closed_window_is_said_plainly() -> None:
    error = judged(131047)
    assert isinstance(error, SendRefusedError)
    assert error.window
    assert "24 hours" in error.reason
    assert "template" in error.reason


@pytest.mark.parametrize(
    "code",
    [
        *(33, 100, 130472, 130497, 131008, 131009, 131021, 131026, 131030, 131031, 131037, 131049, 131050, 131051),
        *(131052, 131053, 131062, 132000, 132001, 132015, 132016, 137000),
    ],
)
def test_what_can_never_be_sent_is_refused(code: int) -> None:
    error = judged(code)
    assert isinstance(error, SendRefusedError)
    assert not error.window
    assert str(code) in error.reason


@pytest.mark.parametrize("code", [0, 3, 10, 190, 200, 250, 299, 368, 131042, 131048, 131064])
def test_what_somebody_must_mend_stops_the_account(code: int) -> None:
    assert isinstance(judged(code), AccountStoppedError)


def test_a_number_that_is_not_there_stops_the_account() -> None:
    assert isinstance(judged(100, error_subcode=33), AccountStoppedError)


def test_the_code_decides_whatever_the_status_says() -> None:
    assert isinstance(judged(131026, 500), SendRefusedError)
    assert isinstance(judged(131000, 400), NotSentError)


def test_a_code_not_known_here_is_judged_by_is_transient_and_then_by_the_status() -> None:
    assert isinstance(judged(999999, is_transient=True), NotSentError)
    assert isinstance(judged(999999), SendRefusedError)
    assert isinstance(judged(999999, 503), NotSentError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, AccountStoppedError),
        (400, SendRefusedError),
        (401, AccountStoppedError),
        (403, AccountStoppedError),
        (404, SendRefusedError),
        (408, NotSentError),
        (429, NotSentError),
        (500, NotSentError),
        (502, NotSentError),
        (503, NotSentError),
        (504, OutcomeUnknownError),
    ],
)
def test_without_a_code_the_status_decides(status: int, kind: type[SendError]) -> None:
    assert type(judged(None, status)) is kind
    assert type(failure(answered(status, b"<html>"), "")) is kind


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "999999999"}, 86_400.0),
        ({"x-business-use-case-usage": '{"3":[{"estimated_time_to_regain_access":2},{}],"4":7}'}, 120.0),
        ({"x-business-use-case-usage": '{"3":[{"estimated_time_to_regain_access":0}]}'}, None),
        ({"x-business-use-case-usage": "no json"}, None),
    ],
)
def test_a_429_waits_as_long_as_it_asks_for(headers: dict[str, str], after: float | None) -> None:
    error = judged(None, 429, headers)
    assert isinstance(error, NotSentError)
    assert (error.after, error.slow) == (after, "account")


@pytest.mark.parametrize("data", ["in words", {"details": "in words", "messaging_product": "whatsapp"}])
def test_details_may_be_an_object_or_text(data: Any) -> None:
    assert judged(131026, error_data=data).reason == "in words (131026)"


def test_a_token_that_meta_repeats_is_not_kept() -> None:
    error = judged(190, message="Malformed access token EAAsecret")
    assert "EAA" not in f"{error.reason}{error.response}"
