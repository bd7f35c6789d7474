"""A provider, so that the core never meets a wrong value or a foreign error of its plugin."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from inspect import iscoroutine
from itertools import chain
from typing import Any, Final, TypeVar

import msgspec
import structlog

from wagate.errors import (
    AccountStoppedError,
    NotSentError,
    OutcomeUnknownError,
    RequestError,
    SendError,
    SendRefusedError,
    UnauthorizedError,
    WagateError,
)
from wagate.events import NewEvent
from wagate.hooks.asks import ASKS, Ask
from wagate.hooks.messages import Sent
from wagate.hooks.passing import PassOn
from wagate.hooks.providers import (
    Finding,
    InboundRequest,
    MediaRequest,
    Profile,
    Provider,
    ProviderAccount,
    SendLimits,
    Simulation,
    WebhookAnswer,
)
from wagate.http.errors import HttpError
from wagate.plugins.checked_handler import LEAST_WAIT, MOST_WAIT
from wagate.plugins.checked_listening import lifespan_checked, run_checked, unread
from wagate.plugins.values import WrongValueError, cut, held_to, hold_verdict, items, named, seconds
from wagate.plugins.wall import awaited, broken, instead, leaves, pass_on

T = TypeVar("T")

LONGEST_QR: Final = 4096
"""Characters; a QR code holds fewer."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CERTAIN: Final = (NotSentError, AccountStoppedError, SendRefusedError)

log = structlog.get_logger("wagate.plugins")


def checked_provider(plugin: str, provider: Any) -> Provider:
    """The provider, its functions behind the wall. WrongValueError: it is none, or made of wrong things."""
    if not isinstance(provider, Provider):
        raise WrongValueError(f"{named(provider)}, not Provider")
    _hold(provider)
    asked: dict[str, Callable[[Any], Any]] = {
        "send": lambda value: cut(held_to(Sent, value)),
        "signal": _nothing,
        "revoke": _nothing,
        "edit": _nothing,
        "control": _nothing,
        "locate_media": partial(held_to, MediaRequest),
        "qr": _qr,
        "profile": partial(held_to, Profile),
        "forget": _nothing,
        "release": _nothing,
        "pair_code": _text,
        "fetch_media": _nothing,
        "number_of": _text,
        "check": _findings,
    }
    told: dict[str, Callable[..., Any]] = {
        "verify": _verify,
        "parse": _parse,
        "challenge": _challenge,
        "missed": _missed,
        "number": _number,
        "limits_of": _limits_of,
        "run": run_checked,
        "lifespan": lifespan_checked,
        "media_answer": _media_answer,
        "simulate": _simulate,
    }
    walls = {name: partial(function, plugin) for name, function in told.items()} | {
        name: partial(_ask, plugin, name, check) for name, check in asked.items()
    }
    given = {name: getattr(provider, name) for name in walls}
    walled: dict[str, Any] = {name: partial(walls[name], each) for name, each in given.items() if each is not None}
    walled["answers"] = {
        ask: partial(_ask, plugin, ask.__name__, partial(_answered, ask), each)
        for ask, each in provider.answers.items()
    }
    return replace(provider, **walled)


def _hold(provider: Provider) -> None:
    """Check what is no function. WrongValueError."""
    if not isinstance(provider.name, str) or not _NAME.fullmatch(provider.name):
        raise WrongValueError("Provider.name: not 1 to 40 small letters, digits, _ and -, a letter first")
    where = f"Provider {provider.name}"
    if not (isinstance(provider.settings_type, type) and issubclass(provider.settings_type, msgspec.Struct)):
        raise WrongValueError(f"{where}.settings_type: {named(provider.settings_type)}, no struct type")
    for name in ("secrets", "chosen", "config_only", "abilities"):
        value = getattr(provider, name)
        if not isinstance(value, frozenset) or not all(isinstance(each, str) for each in value):
            raise WrongValueError(f"{where}.{name}: not a frozenset of texts")
    for name, kind in (
        ("title", str),
        ("notice", str),
        ("sessions", bool),
        ("idempotent", bool),
        ("media_errors", int),
        ("longest_text", int),
        ("longest_caption", int),
        ("opus_voice", bool),
    ):
        if not isinstance(getattr(provider, name), kind):
            raise WrongValueError(f"{where}.{name}: {named(getattr(provider, name))}, not {kind.__name__}")
    if not isinstance(provider.sender_keys, tuple) or not all(isinstance(each, str) for each in provider.sender_keys):
        raise WrongValueError(f"{where}.sender_keys: not a tuple of texts")
    _hold_functions(provider, where)
    held_to(SendLimits, provider.limits)
    held_to(WebhookAnswer, provider.answer)
    try:
        msgspec.convert(provider.common_keys, dict[str, str])
    except msgspec.ValidationError as error:
        raise WrongValueError(f"{where}.common_keys: {error}") from error


def _hold_functions(provider: Provider, where: str) -> None:
    optional = ("verify", "parse", "challenge", "send", "signal", "revoke", "edit", "locate_media", "missed")
    listening = ("run", "release", "lifespan", "forget", "pair_code", "fetch_media")
    for name in (
        *optional,
        *listening,
        "control",
        "qr",
        "profile",
        "number_of",
        "check",
        "media_answer",
        "limits_of",
        "simulate",
    ):
        value = getattr(provider, name)
        if value is not None and not callable(value):
            raise WrongValueError(f"{where}.{name}: {named(value)}, no function")
    if not isinstance(provider.answers, Mapping) or not all(
        ask in {*ASKS, PassOn} and callable(each) for ask, each in provider.answers.items()
    ):
        raise WrongValueError(f"{where}.answers: not a mapping of asks to functions")
    if not callable(provider.number):
        raise WrongValueError(f"{where}.number: {named(provider.number)}, no function")
    if provider.parse is not None and provider.verify is None:
        raise WrongValueError(f"{where}.verify: None, but what it parses is to be verified")


def _simulate(
    plugin: str, given: Callable[..., Any], wanted: Simulation, account: ProviderAccount
) -> tuple[bytes, dict[str, str]]:
    """Body and headers. ValueError as it raised it; else PluginError."""
    try:
        return _webhook(given(wanted, account))
    except ValueError:
        raise
    except BaseException as error:
        raise broken(plugin, "simulate", error) from error


def _webhook(value: Any) -> tuple[bytes, dict[str, str]]:
    match value:
        case (bytes() as body, Mapping() as headers) if all(isinstance(each, str) for each in chain(*headers.items())):
            return body, dict(headers)
    raise WrongValueError(f"{named(value)}, not a pair of bytes and headers")


def _verify(plugin: str, given: Callable[..., Any], request: InboundRequest, account: ProviderAccount) -> None:
    """Returns when the request is believed. UnauthorizedError also for False; PluginError for all else."""
    verdict = _told(plugin, "verify", given, request, account)
    if verdict is False:
        log.warning("verify gave False: it is to raise UnauthorizedError", plugin=plugin, account=account.name)
        raise UnauthorizedError("the request is not the provider's")
    if verdict is not None and verdict is not True:
        if iscoroutine(verdict):
            verdict.close()
        raise broken(plugin, "verify", WrongValueError(f"{named(verdict)}, not None or True"))


def _parse(
    plugin: str, given: Callable[..., Any], request: InboundRequest, account: ProviderAccount
) -> Sequence[NewEvent]:
    """Events; in the place of the first that is none, `unread` with the whole body. RequestError."""
    wrong: list[str] = []

    def event(value: Any) -> NewEvent | None:
        try:
            return held_to(NewEvent, value)
        except WrongValueError as error:
            wrong.append(str(error))
            return unread(request.body) if len(wrong) == 1 else None

    try:
        events = items(given(request, account), event)
    except RequestError:
        raise
    except BaseException as error:
        # The request is the provider's: what can't be read is kept whole.
        failed = broken(plugin, "parse", error)
        log.exception("parsing failed", plugin=plugin, account=account.name, error=failed.what)
        return [unread(request.body)]
    if wrong:
        log.error("parsing failed", plugin=plugin, account=account.name, error=f"parse gave {wrong[0]}", of=len(wrong))
    return [each for each in events if each is not None]


def _challenge(
    plugin: str, given: Callable[..., Any], request: InboundRequest, account: ProviderAccount
) -> WebhookAnswer:
    return _checked(plugin, "challenge", partial(held_to, WebhookAnswer), given, request, account)


def _number(plugin: str, given: Callable[..., Any], account: ProviderAccount) -> str:
    return _checked(plugin, "number", _text, given, account)


def _limits_of(plugin: str, given: Callable[..., Any], account: ProviderAccount) -> SendLimits:
    return _checked(plugin, "limits_of", partial(held_to, SendLimits), given, account)


def _media_answer(plugin: str, given: Callable[..., Any], status: int, said: bytes) -> SendError:
    return _checked(plugin, "media_answer", _verdict, given, status, said)


def _verdict(value: Any) -> SendError:
    if not isinstance(value, SendError):
        raise WrongValueError(f"{named(value)}, not SendError")
    hold_verdict(value)
    return value


def _checked(plugin: str, call: str, check: Callable[[Any], T], given: Callable[..., Any], *arguments: Any) -> T:
    value = _told(plugin, call, given, *arguments)
    try:
        return check(value)
    except WrongValueError as error:
        raise broken(plugin, call, error) from error


def _told(plugin: str, call: str, given: Callable[..., Any], *arguments: Any) -> Any:
    """What a synchronous function gave. RequestError as it raised it; else PluginError."""
    try:
        return given(*arguments)
    except RequestError:
        raise
    except BaseException as error:
        raise broken(plugin, call, error) from error


async def _ask(
    plugin: str, call: str, check: Callable[[Any], T], given: Callable[..., Awaitable[Any]], *arguments: Any
) -> T:
    """What an async function gave. SendError and HttpError as it raised them, with their fields right; PluginError."""
    try:
        return check(await awaited(given(*arguments)))
    except BaseException as error:  # noqa: BLE001  (raised again, in our words)
        raise instead(_said(plugin, call, error), error)  # noqa: B904  (with its cause)


async def _missed(
    plugin: str, given: Callable[..., Any], account: ProviderAccount, since: datetime
) -> AsyncIterator[NewEvent]:
    """Events one by one. Raises as `_ask`."""
    events = _told(plugin, "missed", given, account, since)
    try:
        while True:
            try:
                event = held_to(NewEvent, await anext(events))
            except StopAsyncIteration:
                return
            except BaseException as error:  # noqa: BLE001  (raised again, in our words)
                raise instead(_said(plugin, "missed", error), error)  # noqa: B904  (with its cause)
            yield event
    finally:
        if hasattr(events, "aclose"):
            await events.aclose()


def _said(plugin: str, call: str, error: BaseException) -> WagateError:
    pass_on(error)
    said = next((each for each in leaves(error) if isinstance(each, SendError | HttpError)), None)
    if said is None:
        return error if isinstance(error, RequestError) else broken(plugin, call, error)
    if isinstance(said, HttpError):
        return said
    try:
        hold_verdict(said)
        if isinstance(said, NotSentError) and said.after is not None:
            said.after = seconds(said.after, least=LEAST_WAIT, most=MOST_WAIT)
    except WrongValueError as wrong:
        # What it says of the message counts; what is wrong beside that is left out.
        log.exception("provider failed", plugin=plugin, call=call, error=str(wrong))
        certain = next((kind for kind in _CERTAIN if isinstance(said, kind)), OutcomeUnknownError)
        return certain(str(broken(plugin, call, WrongValueError(f"{named(said)} with wrong fields: {wrong}"))))
    return said


def _nothing(_value: Any) -> None:
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongValueError(f"{named(value)}, not str")
    return value


def _qr(value: Any) -> str:
    if len(_text(value)) > LONGEST_QR:
        raise WrongValueError(f"over {LONGEST_QR} characters")
    return _text(value)


def _answered(ask: type[Ask], value: Any) -> Any:
    """A copy, made as the type says. WrongValueError."""
    if ask.answer is None:
        return None
    try:
        return msgspec.json.decode(msgspec.json.encode(value), type=ask.answer)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        raise WrongValueError(f"{ask.__name__}: {error}") from error


def _findings(value: Any) -> Sequence[Finding]:
    return items(value, partial(held_to, Finding))
