"""What plugins hand over is of the right types, finite and within its limits, or it is refused by name."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.bad_plugin import ENDPOINT
from wagate.errors import DeliveryError, NotSentError, Postpone, Reject, Retry, SendError
from wagate.events import Media, NewEvent, Raw, SessionChange
from wagate.hooks import (
    Duration,
    EndpointChange,
    Finding,
    MediaRequest,
    NewEndpoint,
    OutLocation,
    OutMessage,
    Profile,
    Receipt,
    SendLimits,
    Sent,
    Signal,
    Target,
    TargetLimits,
    TargetName,
    WebhookAnswer,
)
from wagate.plugins.values import MOST, WrongValueError, held_to, hold_verdict, items, seconds

NOW = datetime(2026, 1, 2, tzinfo=UTC)

RIGHT = [
    Target(id="inbox 1", max_retries=None, expires=60),
    Target(id="a", expires=Duration("24h")),
    TargetLimits(timeout=30, rate=0.5, burst=2),
    TargetName(name="Order bot", url="https://a.test"),
    Receipt(http_status=200, response="ok"),
    NewEvent(
        kind="message",
        timestamp=NOW,
        media=Media(url="https://a.example/b", size=3),
        extra={"call": {"id": 1}, "lone": "\ud800"},
        raw=Raw(body=b"{}"),
        aliases=("5@c.us",),
    ),
    Sent(message_id="wamid.1"),
    SendLimits(per_second=80, chat_per_second=0.1, new_chats_per_hour=1 / 24, new_chats_burst=5),
    MediaRequest(url="https://a.example", headers={"Authorization": "Bearer x"}),
    WebhookAnswer(),
    Profile(name="Ana"),
    Finding(level="ok", what="token", detail="works"),
    OutMessage(chat="5@c.us", type="location", location=OutLocation(latitude=1, longitude=2)),
    Signal(kind="seen", chat="5@c.us"),
    NewEndpoint(**ENDPOINT),
    EndpointChange(name="b"),
]

WRONG = [
    (Target(id=3), "Target.id: Expected `str`, got `int`"),  # type: ignore[arg-type]
    (Target(id=""), "Target.id: Expected `str` of length >= 1"),
    (Target(id="a|b"), "Target.id:"),
    (Target(id="a\nb"), "Target.id:"),
    (Target(id="unrouted"), "Target.id:"),
    (Target(id="a", max_retries=True), "Target.max_retries:"),
    (Target(id="a", expires=Duration("99999d")), "Target.expires:"),
    (Target(id="a", expires=math.nan), "Target.expires:"),
    (Target(id="a", expires=math.inf), "Target.expires:"),
    (Target(id="a", expires=-1), "Target.expires:"),
    (TargetLimits(rate=math.nan), "TargetLimits.rate:"),
    (TargetLimits(rate=0), "TargetLimits.rate:"),
    (TargetLimits(timeout=-1), "TargetLimits.timeout:"),
    (TargetLimits(burst=0), "TargetLimits.burst:"),
    (TargetName(name="a\ud800"), "TargetName.name: has a NUL, or half of a surrogate pair"),
    (TargetName(name="a" * 501), "TargetName.name:"),
    (TargetName(url="a" * 2001), "TargetName.url:"),
    (Receipt(http_status="200"), "Receipt.http_status:"),  # type: ignore[arg-type]
    (Receipt(http_status=2**70), "Receipt.http_status:"),
    (Receipt(response=b"ok"), "Receipt.response:"),  # type: ignore[arg-type]
    (NewEvent(kind=""), "NewEvent.kind:"),
    (NewEvent(kind="message", content=None), "NewEvent.content: Expected `str`, got `null`"),  # type: ignore[arg-type]
    (NewEvent(kind="message", timestamp=1700000000), "NewEvent.timestamp:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", timestamp="2026-01-01T00:00:00Z"), "NewEvent.timestamp:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", timestamp=datetime(2026, 1, 1)), "NewEvent.timestamp:"),  # noqa: DTZ001
    (NewEvent(kind="message", timestamp=datetime.max.replace(tzinfo=UTC)), "NewEvent.timestamp:"),
    (NewEvent(kind="message", media=Media(size="3")), "NewEvent.media.size:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", media={"url": 1}), "NewEvent.media.url:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", raw=Raw(body="text")), "NewEvent.raw.body:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", session=SessionChange(status="happy")), "NewEvent.session.status:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", extra=[1]), "NewEvent.extra:"),  # type: ignore[arg-type]
    (NewEvent(kind="message", extra={"a": object()}), "NewEvent.extra: no JSON"),
    (NewEvent(kind="message", aliases="5@c.us"), "NewEvent.aliases:"),  # type: ignore[arg-type]
    (Sent(message_id=None), "Sent.message_id:"),  # type: ignore[arg-type]
    (SendLimits(per_second=math.nan), "SendLimits.per_second:"),
    (SendLimits(per_second=1e-300), "SendLimits.per_second:"),
    (SendLimits(new_chats_per_hour=0.01), "SendLimits.new_chats_per_hour:"),
    (SendLimits(new_chats_burst=-1), "SendLimits.new_chats_burst:"),
    (MediaRequest(url="https://a.example", headers={"X": "a\r\nY: b"}), "MediaRequest.headers:"),
    (MediaRequest(url="https://a.example", trust="me"), "MediaRequest.trust:"),  # type: ignore[arg-type]
    (WebhookAnswer(status=99), "WebhookAnswer.status:"),
    (WebhookAnswer(body="text"), "WebhookAnswer.body:"),  # type: ignore[arg-type]
    (WebhookAnswer(content_type="a\r\nb: c"), "WebhookAnswer.content_type:"),
    (Profile(name=None), "Profile.name:"),  # type: ignore[arg-type]
    (Finding(level="bad", what="x", detail="y"), "Finding.level:"),  # type: ignore[arg-type]
    (Finding(level="ok", what="x", detail="\udfff"), "Finding.detail:"),
    (OutMessage(chat="", type="text"), "OutMessage.chat:"),
    (OutMessage(chat="5@c.us", type="text", text=5), "OutMessage.text:"),  # type: ignore[arg-type]
    (OutMessage(chat="5@c.us", type="template", template={"a": object()}), "OutMessage.template: no JSON"),
    (NewEndpoint(**ENDPOINT | {"options": {"a": object()}}), "NewEndpoint.options: no JSON"),
    (EndpointChange(max_retries=-1), "EndpointChange.max_retries:"),
]


@pytest.mark.parametrize("value", RIGHT, ids=lambda value: type(value).__name__)
def test_a_right_value_is_handed_on_as_it_is(value: msgspec.Struct) -> None:
    assert held_to(type(value), value) is value


@pytest.mark.parametrize(("value", "said"), WRONG, ids=[said.partition(":")[0] for _, said in WRONG])
def test_a_wrong_value_is_refused_with_its_field(value: msgspec.Struct, said: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        held_to(type(value), value)
    assert str(caught.value).startswith(said)


def test_a_value_of_another_type_is_refused_by_the_name_of_its_type() -> None:
    with pytest.raises(WrongValueError, match=r"^str, not Target$"):
        held_to(Target, "a")


def test_what_can_not_be_iterated_over_or_never_ends_is_refused() -> None:
    for given in (None, "abc", 3):
        with pytest.raises(WrongValueError, match="nothing to iterate over"):
            items(given, lambda each: each)
    with pytest.raises(WrongValueError, match=f"more than {MOST} items"):
        items(iter(int, 1), lambda each: each)


@pytest.mark.parametrize("given", [math.nan, math.inf, -math.inf, "5", None, True])
def test_seconds_are_finite_numbers(given: Any) -> None:
    with pytest.raises(WrongValueError):
        seconds(given, least=1, most=10)


@pytest.mark.parametrize(("given", "expected"), [(-5, 1.0), (0.2, 1.0), (5, 5.0), (10**400, 10.0)])
def test_seconds_have_a_floor_and_a_ceiling(given: float, expected: float) -> None:
    assert seconds(given, least=1, most=10) == expected


@pytest.mark.parametrize(
    ("error", "right"),
    [
        (Postpone("x", after=1, slow=True), True),
        (Postpone("x", after=1, slow="chat"), False),  # type: ignore[arg-type]
        (Postpone("x", after=1, slow=1), False),  # type: ignore[arg-type]
        (NotSentError("x", slow="chat"), True),
        (NotSentError("x", slow=True), False),  # type: ignore[arg-type]
        (NotSentError("x", slow=False), False),  # type: ignore[arg-type]
        (NotSentError("x", slow="all"), False),  # type: ignore[arg-type]
        (Retry("x", down="yes"), False),  # type: ignore[arg-type]
        (Reject("x", disable=0), False),  # type: ignore[arg-type]
    ],
)
def test_each_error_has_its_own_meaning_of_slow(error: DeliveryError | SendError, right: bool) -> None:
    if right:
        hold_verdict(error)
    else:
        with pytest.raises(WrongValueError, match=rf"{type(error).__name__}\.(slow|down|disable): (Expected|Invalid)"):
            hold_verdict(error)
