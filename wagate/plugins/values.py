"""What plugins hand over, held to its types: each struct has a twin with the same fields, whose limits msgspec checks.

A struct does not check what it is made of; its twin is read from it by `msgspec.convert`, in C, and thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from wagate.errors import DeliveryError, SendError
from wagate.events import Media, NewEvent, Raw, SessionChange
from wagate.hooks.contracts import Receipt, Target, TargetLimits, TargetName
from wagate.hooks.messages import OutLocation, OutMedia, OutMessage, OutReaction, Sent, Signal
from wagate.hooks.providers import Finding, MediaRequest, Profile, SendLimits, WebhookAnswer
from wagate.hooks.views import EndpointChange, EndpointSecret, NewEndpoint, RequestView
from wagate.storage.fields import clean, json_text

T = TypeVar("T")
R = TypeVar("R", Receipt, Sent)

MOST: Final = 100_000
"""Items that one call may give."""
LONGEST: Final = 3660 * 86400.0
"""Seconds: nothing that a plugin names is further away."""
LONGEST_ATTEMPT: Final = 110.0
"""Seconds of one attempt, as `TargetLimits.timeout`."""
LONGEST_RESPONSE: Final = 64 * 1024
"""Characters of an answer that are kept."""
LONGEST_REASON: Final = 2000
"""Characters of a reason."""
UNROUTED: Final = "unrouted"
"""The target of a delivery whose handler could not say who wants the event: no plugin's target may have this id."""

LEAST_PER_HOUR: Final = 1 / 24
"""New chats."""

Name = Annotated[str, Meta(min_length=1, max_length=500)]
Status = Annotated[int, Meta(ge=100, le=999)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST)]
PerSecond = Annotated[float, Meta(ge=0, le=1_000_000)]
Moment = Annotated[datetime, Meta(tz=True)]
_convert: Final = msgspec.convert
_encode: Final = msgspec.json.Encoder().encode
_BUILTIN: Final = (bytes, bytearray, datetime)
"""What is not to be read from text."""


class WrongValueError(Exception):
    """A value that its contract does not allow. Its text names field and types, never the value."""


def _twin(kind: type, /, **limited: Any) -> type[msgspec.Struct]:
    """A struct with the fields of ``kind``, some of them limited further."""
    hints = get_type_hints(kind, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for each in msgspec.structs.fields(kind):
        typed = (each.name, limited.get(each.name, hints[each.name]))
        fields.append((*typed, msgspec.UNSET) if each.default is msgspec.UNSET else typed)
    return msgspec.defstruct(kind.__name__, fields, gc=False)


_MEDIA = _twin(Media, size=Bytes | None)
_CHANGE = _twin(SessionChange, percent=Annotated[int, Meta(ge=0, le=100)] | None)
_TWINS: Final[Mapping[type, type[msgspec.Struct]]] = {
    Target: _twin(Target, id=Name, max_retries=Count | None, expires=Seconds | None),
    TargetLimits: _twin(
        TargetLimits,
        timeout=Annotated[float, Meta(gt=0, le=LONGEST_ATTEMPT)] | None,
        rate=Annotated[float, Meta(ge=1e-4, le=1_000_000)] | None,
        burst=Annotated[int, Meta(ge=1, le=1_000_000)],
    ),
    TargetName: _twin(TargetName, name=Annotated[str, Meta(max_length=500)], url=Annotated[str, Meta(max_length=2000)]),
    RequestView: _twin(RequestView, line=Annotated[str, Meta(max_length=4000)]),
    Receipt: _twin(Receipt, http_status=Status | None),
    NewEvent: _twin(
        NewEvent, kind=Name, timestamp=Moment | None, media=_MEDIA | None, raw=_twin(Raw) | None, session=_CHANGE | None
    ),
    SessionChange: _CHANGE,
    Sent: _twin(Sent, http_status=Status | None),
    SendLimits: _twin(
        SendLimits,
        per_second=PerSecond,
        burst=Count,
        chat_per_second=PerSecond,
        chat_burst=Count,
        new_chats_per_hour=PerSecond,
        new_chats_burst=Annotated[int, Meta(ge=0, le=1000)],
    ),
    MediaRequest: _twin(MediaRequest, size=Bytes | None),
    WebhookAnswer: _twin(WebhookAnswer, status=Annotated[int, Meta(ge=200, le=599)]),
    Profile: _twin(Profile),
    Finding: _twin(Finding),
    OutMessage: _twin(
        OutMessage,
        chat=Name,
        media=_twin(OutMedia) | None,
        location=_twin(OutLocation) | None,
        reaction=_twin(OutReaction) | None,
    ),
    Signal: _twin(Signal, chat=Name),
    NewEndpoint: _twin(NewEndpoint, max_retries=Count, secrets=list[_twin(EndpointSecret, expires_at=Moment | None)]),  # type: ignore[misc]
    EndpointChange: _twin(EndpointChange, max_retries=Count | msgspec.UnsetType),
}


def held_to(kind: type[T], value: Any) -> T:
    """The value, when it is of this struct with the right things in it. WrongValueError says what is not."""
    if not isinstance(value, kind):
        raise WrongValueError(f"{named(value)}, not {kind.__name__}")
    try:
        _convert(value, _TWINS[kind], from_attributes=True, builtin_types=_BUILTIN)
    except msgspec.ValidationError:
        _hold_plain(kind, value)
    if kind in _FURTHER and (wrong := _FURTHER[kind](value)):
        raise WrongValueError(f"{kind.__name__}.{wrong}")
    return value


def _hold_plain(kind: type, value: Any) -> None:
    """Once more, slowly: a Duration is a float for us, not for msgspec; what is UNSET is not there. WrongValueError."""
    fields = {name: _plain(each) for name, each in msgspec.structs.asdict(value).items() if each is not msgspec.UNSET}
    try:
        msgspec.convert(fields, _TWINS[kind], from_attributes=True, builtin_types=_BUILTIN)
    except msgspec.ValidationError as error:
        raise WrongValueError(_told(kind.__name__, str(error))) from error


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return value
        case float():
            return float(value)
        case int():
            return int(value)
        case str():
            return "".join(value)
    return value


def items(value: Any, check: Callable[[Any], T]) -> list[T]:
    """All that an iterable gives, each held to ``check``. WrongValueError."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise WrongValueError(f"{named(value)}, nothing to iterate over")
    given = [check(each) for each in islice(value, MOST + 1)]
    if len(given) > MOST:
        raise WrongValueError(f"more than {MOST} items")
    return given


def named(value: Any) -> str:
    """The name of a value's type."""
    return type(value).__name__


def seconds(value: Any, *, least: float, most: float) -> float:
    """Seconds that something is to wait, brought between the two. WrongValueError: no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError(f"{named(value)}, not seconds")
    if isinstance(value, float) and not math.isfinite(value):
        raise WrongValueError(f"{value}, not a finite number of seconds")
    return float(min(max(value, least), most))


def json_value(value: Any) -> str | None:
    """What is wrong with a value of JSON types; None: nothing."""
    try:
        _encode(value)
    except UnicodeEncodeError:
        return _unwritable(value)  # lone surrogates, which the database replaces
    except Exception as error:  # noqa: BLE001  (whatever can't be encoded: wrong types, numbers too large, a circle)
        return f"no JSON ({type(error).__name__})"
    return None


def _unwritable(value: Any) -> str | None:
    try:
        json_text(value)
    except Exception as error:  # noqa: BLE001  (as above)
        return f"no JSON ({type(error).__name__})"
    return None


def _target(target: Target) -> str | None:
    if not target.id.isprintable() or "|" in target.id or target.id == UNROUTED:
        return f'id: has a "|" or a control character, or is {UNROUTED!r}'
    return None


def _event(event: NewEvent) -> str | None:
    if event.timestamp is not None and not 1 < event.timestamp.year < 9999:
        return "timestamp: a year that no calendar shows"
    if event.extra and (wrong := json_value(event.extra)):
        return f"extra: {wrong}"
    return None


def _request(request: MediaRequest) -> str | None:
    return "headers: a control character" if _controls(*request.headers, *request.headers.values()) else None


def _answer(answer: WebhookAnswer) -> str | None:
    return "content_type: a control character" if _controls(answer.content_type) else None


def _message(message: OutMessage) -> str | None:
    if not message.chat.isprintable():
        return "chat: a control character"
    return next(
        (
            f"{name}: {wrong}"
            for name in ("contacts", "template", "interactive")
            if (value := getattr(message, name)) and (wrong := json_value(value))
        ),
        None,
    )


def _endpoint(endpoint: NewEndpoint | EndpointChange) -> str | None:
    for name in ("metadata", "options"):
        value = getattr(endpoint, name)
        if value is not msgspec.UNSET and (wrong := json_value(value)):
            return f"{name}: {wrong}"
    return None


def _pace(limits: SendLimits) -> str | None:
    slow = [rate for rate in (limits.per_second, limits.chat_per_second) if 0 < rate < 1e-4]
    if 0 < limits.new_chats_per_hour < LEAST_PER_HOUR:
        return "new_chats_per_hour: less than one a day"
    return "per_second: less than one in three hours" if slow else None


def _controls(*texts: str) -> bool:
    return not all(text.isprintable() for text in texts)


def _readable(value: TargetName | Finding) -> str | None:
    """These are shown as they are: one that can't be encoded would break the page of all."""
    for name, text in msgspec.structs.asdict(value).items():
        if isinstance(text, str) and clean(text) != text:
            return f"{name}: has a NUL, or half of a surrogate pair"
    return None


_FURTHER: Final[Mapping[type, Callable[[Any], str | None]]] = {
    Target: _target,
    NewEvent: _event,
    MediaRequest: _request,
    WebhookAnswer: _answer,
    OutMessage: _message,
    NewEndpoint: _endpoint,
    EndpointChange: _endpoint,
    SendLimits: _pace,
    TargetName: _readable,
    Finding: _readable,
}
"""What no type says."""


def _told(kind: str, message: str) -> str:
    """What msgspec says, with the field first: ``Target.id: Expected `str`, got `int```."""
    what, at, path = message.partition(" - at `")
    return f"{kind}{path.removesuffix('`').removeprefix('$')}: {what}" if at else f"{kind}: {what}"


class _Verdict(msgspec.Struct, gc=False):
    """The fields of what is raised, `Retry` or `SendRefusedError`: those that it has not are right."""

    reason: str
    http_status: Status | None = None
    response: str | None = None
    code: str = ""
    slow: bool = False
    own: bool = False
    disable: bool = False
    down: bool = False
    window: bool = False


class _SendVerdict(_Verdict, gc=False):
    """Of what ``send`` raises: what must slow down."""

    slow: Literal["", "chat", "account"] = ""  # type: ignore[assignment]


def hold_verdict(error: DeliveryError | SendError) -> None:
    """Check the fields of what was raised, but for its ``after``; cut its texts. WrongValueError."""
    try:
        msgspec.convert(error, _SendVerdict if isinstance(error, SendError) else _Verdict, from_attributes=True)
    except msgspec.ValidationError as wrong:
        raise WrongValueError(_told(type(error).__name__, str(wrong))) from wrong
    error.reason = error.reason[:LONGEST_REASON]
    if error.response is not None:
        error.response = error.response[:LONGEST_RESPONSE]


def cut(answered: R) -> R:
    """With no more of the answer than is kept."""
    if answered.response is None or len(answered.response) <= LONGEST_RESPONSE:
        return answered
    return msgspec.structs.replace(answered, response=answered.response[:LONGEST_RESPONSE])
