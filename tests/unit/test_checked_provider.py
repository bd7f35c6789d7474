"""Whatever a provider gives or raises: unbelieved requests are refused, bodies kept, sends not repeated."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import trio

from tests.fake_provider import Pigeon
from wagate.errors import (
    AccountStoppedError,
    BadRequestError,
    NotSentError,
    OutcomeUnknownError,
    PluginError,
    SendError,
    SendRefusedError,
    UnauthorizedError,
)
from wagate.events import NewEvent
from wagate.hooks import (
    Finding,
    InboundRequest,
    MediaRequest,
    Outgoing,
    OutMessage,
    Profile,
    Provider,
    ProviderAccount,
    SendLimits,
    Sent,
    WebhookAnswer,
)
from wagate.http.errors import TimedOutError
from wagate.outbound.handover import as_send_error
from wagate.plugins.checked_provider import checked_provider, unread
from wagate.plugins.values import WrongValueError

ACCOUNT = ProviderAccount(name="main", phone="", settings=None, webhook_secret="", webhook_url="", trust="operator")
ASKED = InboundRequest(method="POST", url="https://a.example", query={}, headers={}, body=b'{"a":1}')
OUTGOING = Outgoing(id="1", message=OutMessage(chat="5@c.us", type="text", text="a"), account=ACCOUNT)
LETTER = NewEvent(kind="message", content="a")


def made(**parts: Any) -> Provider:
    return checked_provider("bad", replace(Pigeon().provider(), **parts))


def giving(value: Any) -> Any:
    """An async function that gives a value, or raises it."""

    async def ask(*_arguments: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return ask


def verified(verdict: Any) -> None:
    verify = made(verify=lambda _request, _account: verdict).verify
    assert verify is not None
    verify(ASKED, ACCOUNT)


def parsed(given: Any) -> list[NewEvent]:
    def parse(_request: InboundRequest, _account: ProviderAccount) -> Any:
        if isinstance(given, BaseException):
            raise given
        return given

    function = made(parse=parse).parse
    assert function is not None
    return list(function(ASKED, ACCOUNT))


@pytest.mark.parametrize("verdict", [None, True])
def test_none_and_true_are_belief(verdict: Any) -> None:
    verified(verdict)


def test_false_is_a_refusal() -> None:
    with pytest.raises(UnauthorizedError):
        verified(False)


@pytest.mark.parametrize("verdict", [0, "", "yes", 1, [], object()])
def test_any_other_verdict_believes_nobody(verdict: Any) -> None:
    with pytest.raises(PluginError, match=rf"^plugin bad: verify gave {type(verdict).__name__}, not None or True$"):
        verified(verdict)


def test_a_verify_that_is_async_believes_nobody() -> None:
    verify = made(verify=giving(None)).verify
    assert verify is not None
    with pytest.raises(PluginError, match=r"^plugin bad: verify gave coroutine"):
        verify(ASKED, ACCOUNT)


def test_a_verify_that_breaks_is_no_refusal_and_no_belief() -> None:
    def broken(_request: InboundRequest, _account: ProviderAccount) -> None:
        raise KeyError("x-signature")

    verify = made(verify=broken).verify
    assert verify is not None
    with pytest.raises(PluginError, match=r"^plugin bad: verify raised KeyError") as caught:
        verify(ASKED, ACCOUNT)
    assert "x-signature" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [None, "text", 5, KeyError("a"), SystemExit(1), giving([])],
    ids=["None", "text", "5", "KeyError", "SystemExit", "async"],
)
def test_a_body_that_parse_can_not_read_is_kept_whole(given: Any) -> None:
    assert parsed(given) == [unread(ASKED.body)]


def test_what_is_wrong_among_events_costs_only_itself() -> None:
    wrong = NewEvent(kind="message", content=5)  # type: ignore[arg-type]
    later = NewEvent(kind="message", content="b")
    assert parsed([LETTER, wrong, None, later]) == [LETTER, unread(ASKED.body), later]


def test_a_body_that_is_nothing_of_the_providers_is_refused_as_it_says() -> None:
    with pytest.raises(BadRequestError):
        parsed(BadRequestError("no letters"))


@pytest.mark.parametrize(
    ("error", "certain"),
    [
        (NotSentError("busy", after=math.nan, slow="chat"), NotSentError),
        (NotSentError("busy", after="5"), NotSentError),  # type: ignore[arg-type]
        (AccountStoppedError(5), AccountStoppedError),  # type: ignore[arg-type]
        (SendRefusedError("no", window="yes"), SendRefusedError),  # type: ignore[arg-type]
        (SendError("no", code=5), OutcomeUnknownError),  # type: ignore[arg-type]
    ],
)
async def test_an_error_with_wrong_fields_says_what_is_certain_all_the_same(
    error: SendError, certain: type[SendError]
) -> None:
    with pytest.raises(certain, match=rf"^plugin bad: send gave {type(error).__name__} with wrong fields") as caught:
        await sent(error)
    assert type(caught.value) is certain


async def sent(given: Any) -> Sent:
    send = made(send=giving(given)).send
    assert send is not None
    return await send(OUTGOING)


@pytest.mark.parametrize(
    "given",
    [None, "wamid.1", Sent(message_id=None), SystemExit(1), KeyError("a")],
    ids=repr,  # type: ignore[arg-type]
)
async def test_whether_a_message_left_that_was_sent_wrongly_is_not_known(given: Any) -> None:
    with pytest.raises(PluginError, match=r"^plugin bad: send ") as caught:
        await sent(given)
    assert isinstance(as_send_error(caught.value), OutcomeUnknownError)
    assert as_send_error(caught.value).reason == str(caught.value)


async def test_what_a_provider_says_on_purpose_passes() -> None:
    assert await sent(Sent(message_id="wamid.1")) == Sent(message_id="wamid.1")
    for error in (TimedOutError(), NotSentError("busy", after=0.1)):
        with pytest.raises(type(error)) as caught:
            await sent(ExceptionGroup("", [error]))
        assert caught.value is error
    assert isinstance(error, NotSentError)
    assert error.after == 1


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("locate_media", MediaRequest(url="https://a.example"), "https://a.example"),
        ("qr", "2@abc", b"2@abc"),
        ("profile", Profile(name="Ana"), {"name": "Ana"}),
        ("check", [Finding(level="ok", what="token", detail="works")], ["works"]),
    ],
)
async def test_what_the_other_functions_give_is_held_to_their_types(name: str, right: Any, wrong: Any) -> None:
    count = {"locate_media": 2, "qr": 1, "profile": 2, "check": 1}[name]
    assert await getattr(made(**{name: giving(right)}), name)(*range(count)) == right
    for given in (wrong, SystemExit(1)):
        with pytest.raises(PluginError, match=rf"^plugin bad: {name} "):
            await getattr(made(**{name: giving(given)}), name)(*range(count))


@pytest.mark.parametrize("name", ["signal", "revoke", "control"])
async def test_a_function_that_is_not_async_is_an_error_with_its_plugin(name: str) -> None:
    with pytest.raises(PluginError, match=rf"^plugin bad: {name} gave NoneType, nothing to await$"):
        await getattr(made(**{name: lambda *_arguments: None}), name)(1)


async def test_missed_events_are_held_to_their_type_one_by_one() -> None:
    closed = []

    async def missed(_account: ProviderAccount, _since: datetime) -> AsyncIterator[Any]:
        try:
            yield LETTER
            yield "a letter"
        finally:
            closed.append(True)

    function = made(missed=missed).missed
    assert function is not None
    events = function(ACCOUNT, datetime.now(UTC))
    assert await anext(events) == LETTER
    with pytest.raises(PluginError, match=r"^plugin bad: missed gave str, not NewEvent$"):
        await anext(events)
    assert closed == [True]


async def test_a_list_of_missed_events_is_none() -> None:
    function = made(missed=lambda _account, _since: [LETTER]).missed
    assert function is not None
    with pytest.raises(PluginError, match=r"^plugin bad: missed raised TypeError"):
        await anext(function(ACCOUNT, datetime.now(UTC)))


async def test_trios_cancellation_passes() -> None:
    function = made(send=lambda _outgoing: trio.sleep_forever()).send
    assert function is not None
    with trio.move_on_after(0) as scope:
        await function(OUTGOING)
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Pigeon Post"),
        ("settings_type", dict),
        ("secrets", {"api_token"}),
        ("abilities", "text"),
        ("title", None),
        ("idempotent", 1),
        ("send", "https://a.example"),
        ("number", None),
        ("verify", None),
        ("limits", SendLimits(per_second=math.nan)),
        ("answer", WebhookAnswer(status=None)),  # type: ignore[arg-type]
        ("common_keys", {"api_key": 5}),
    ],
)
def test_a_provider_of_wrong_parts_is_refused(field: str, value: Any) -> None:
    with pytest.raises(WrongValueError, match=field if field not in {"limits", "answer"} else "per_second|status"):
        made(**{field: value})


def test_a_number_is_text() -> None:
    with pytest.raises(PluginError, match=r"^plugin bad: number gave int, not str$"):
        made(number=lambda _account: 5).number(ACCOUNT)


def test_the_limits_of_an_account_are_held_to_their_type() -> None:
    limits_of = made(limits_of=lambda _account: SendLimits(per_second=math.nan)).limits_of
    assert limits_of is not None
    with pytest.raises(PluginError, match=r"^plugin bad: limits_of gave .*per_second"):
        limits_of(ACCOUNT)


def test_a_challenge_is_answered_with_an_answer() -> None:
    challenge = made(challenge=lambda _request, _account: "1234").challenge
    assert challenge is not None
    with pytest.raises(PluginError, match=r"^plugin bad: challenge gave str, not WebhookAnswer$"):
        challenge(ASKED, ACCOUNT)


def test_what_an_answer_means_is_held_to_its_type() -> None:
    assert made(media_answer=lambda _status, _said: NotSentError("busy")).media_answer(500, b"").reason == "busy"
    for wrong in (lambda _status, _said: "busy", lambda _status, _said: 1 // 0):
        with pytest.raises(PluginError, match=r"^plugin bad: media_answer "):
            made(media_answer=wrong).media_answer(500, b"")
