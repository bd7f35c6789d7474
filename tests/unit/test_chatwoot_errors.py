"""What an answer of Chatwoot's means."""

from __future__ import annotations

from typing import Any

import pytest

from wagate.config import convert_settings
from wagate.errors import ConfigError, DeliveryError, Postpone, Reject, Retry
from wagate.http import AddressNotAllowedError, HttpError, NameNotFoundError, NetworkError, TimedOutError
from wagate.testing import FakeHttp, answered, fake_context
from wagate_chatwoot.api.client import Chatwoot
from wagate_chatwoot.api.errors import (
    AmbiguousError,
    AwayError,
    BusyError,
    ChatwootError,
    ChatwootStoppedError,
    NotThereError,
    RefusedError,
    TakenError,
    TooLargeError,
    classify,
)
from wagate_chatwoot.api.posts import Post
from wagate_chatwoot.handler import verdict
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.settings import Inbox, Settings

INBOX = {"url": "https://chat.example", "account_id": 1, "token": "secretToken", "inbox_id": 7}


@pytest.mark.parametrize(
    ("status", "body", "creates", "kind"),
    [
        (200, b"{}", True, type(None)),
        (401, b'{"error":"Invalid Access Token"}', True, ChatwootStoppedError),
        (402, b'{"error":"Upgrade"}', False, ChatwootStoppedError),
        (403, b'{"error":"Message status update is only allowed for API inboxes"}', False, ChatwootStoppedError),
        (301, b"", False, ChatwootStoppedError),
        (404, b"", False, NotThereError),
        (413, b"<html>", True, TooLargeError),
        (422, b'{"error":"Validation failed: Too many messages"}', True, BusyError),
        (422, b'{"message":"Phone number has already been taken","attributes":["phone_number"]}', True, TakenError),
        (422, b'{"error":"source_id should be unique"}', True, TakenError),
        (422, b'{"error":"Content is too long"}', True, RefusedError),
        (429, b"Retry later\n", True, BusyError),
        (500, b"<html>", True, AmbiguousError),
        (502, b"<html>", True, AmbiguousError),
        (500, b"<html>", False, AwayError),
        (408, b"", True, AmbiguousError),
    ],
)
def test_an_answer_is_classified(status: int, body: bytes, creates: bool, kind: type) -> None:
    assert type(classify(answered(status, body), creates=creates)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimedOutError(sent=True), AmbiguousError),
        (TimedOutError(sent=False), AwayError),
        (NetworkError("ECONNRESET: x", sent=True), AmbiguousError),
        (NameNotFoundError("ENOTFOUND: x"), AwayError),
        (AddressNotAllowedError("Address not allowed: x"), ChatwootStoppedError),
    ],
)
def test_no_answer_is_classified_by_whether_the_request_left(error: HttpError, kind: type[ChatwootError]) -> None:
    assert type(classify(error, creates=True)) is kind


def test_how_long_to_wait_and_what_is_taken_are_told() -> None:
    busy = classify(answered(429, b"Retry later\n", {"retry-after": "7"}), creates=True)
    taken = classify(
        answered(422, b'{"message":"Identifier has already been taken","attributes":["identifier"]}'), creates=True
    )
    assert isinstance(busy, BusyError)
    assert busy.after == 7.0
    assert isinstance(taken, TakenError)
    assert taken.attributes == ("identifier",)


@pytest.mark.parametrize(
    ("answer", "lingers"),
    [
        (answered(500), 0.0),
        (answered(502), 15.0),
        (TimedOutError(sent=True), 0.0),
        (NetworkError("ECONNRESET: x", sent=True), 15.0),
    ],
)
def test_what_may_still_be_going_on_is_not_looked_for_too_early(answer: Any, lingers: float) -> None:
    error = classify(answer, creates=True)
    assert isinstance(error, AmbiguousError)
    assert error.lingers == lingers
    found = verdict(error)
    assert isinstance(found, Retry)
    assert found.after == (lingers or None)


@pytest.mark.parametrize(
    ("error", "kind", "down"),
    [
        (ChatwootStoppedError("x"), Retry, True),
        (AmbiguousError("x"), Retry, False),
        (AwayError("x"), Retry, False),
        (NotThereError("x"), Retry, False),
        (BusyError("x"), Postpone, False),
        (RefusedError("x"), Reject, False),
    ],
)
def test_each_failure_has_its_verdict(error: ChatwootError, kind: type[DeliveryError], down: bool) -> None:
    found = verdict(error)
    assert type(found) is kind
    assert getattr(found, "down", False) is down


async def test_no_error_shows_the_token() -> None:
    http = FakeHttp(answered(401, b'{"error":"Invalid Access Token"}'))
    chatwoot = Chatwoot(http, Inbox(**INBOX))
    with pytest.raises(ChatwootStoppedError) as caught:
        await chatwoot.post(1, Post(content="hi"))
    assert http.sent[0].headers["api_access_token"] == "secretToken"
    assert "secretToken" not in str(caught.value) + repr(Inbox(**INBOX))


async def test_an_answer_that_shows_no_message_leaves_its_outcome_open() -> None:
    for body in (b"", b"<html>", b"[]", b'{"id":"x"}'):
        with pytest.raises(AmbiguousError):
            await Chatwoot(FakeHttp(answered(200, body)), Inbox(**INBOX)).post(1, Post(content="hi"))


@pytest.mark.parametrize(
    ("inboxes", "said"),
    [
        ({"a": INBOX, "b": INBOX | {"url": "https://chat.example/"}}, "configures the same inbox as"),
        ({"a": INBOX | {"url": "chat.example"}}, 'must be like "https://chat.example.org"'),
        ({"a/b": INBOX}, "the name is part of a URL"),
        ({"a": INBOX | {"accounts": ["x", "x"]}}, "names an account twice"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(inboxes: dict[str, object], said: str) -> None:
    settings = convert_settings(Settings, {"inboxes": inboxes}, key="plugins.chatwoot")
    with pytest.raises(ConfigError, match=said):
        make_apps(fake_context("chatwoot", settings=settings).context)
