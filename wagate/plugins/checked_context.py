"""What a plugin hands to its context, checked there: a wrong thing is an error in the plugin's own call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial, wraps
from inspect import signature
from typing import Any, Final

from wagate.errors import PluginError
from wagate.events import NewEvent
from wagate.hooks.contracts import Target
from wagate.hooks.messages import OutMessage, Signal
from wagate.hooks.views import EndpointChange, NewEndpoint
from wagate.plugins.values import LONGEST, WrongValueError, held_to, items, json_value, named, seconds

Check = Callable[[Any], object]
"""Raises WrongValueError."""


def _json(value: Any) -> None:
    if wrong := json_value(value):
        raise WrongValueError(wrong)


def _all_json(values: Any) -> None:
    if not isinstance(values, Mapping):
        raise WrongValueError(f"{named(values)}, not a mapping")
    for key, value in values.items():
        _text(key)
        _json(value)


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise WrongValueError(f"{named(value)}, not str")


def _count(value: Any) -> None:
    if type(value) is not int or not 0 < value < 2**31:
        raise WrongValueError(f"{named(value)}, not a whole number above 0")


def _targets(value: Any) -> None:
    if value is not None:
        items(value, partial(held_to, Target))


_seconds: Check = partial(seconds, least=0, most=LONGEST)

CALLS: Final[Mapping[str, Mapping[str, Check]]] = {
    "emit": {"event": partial(held_to, NewEvent), "account": _text, "only": _targets},
    "messages.send": {"message": partial(held_to, OutMessage), "key": _text, "metadata": _json},
    "messages.signal": {"signal": partial(held_to, Signal)},
    "messages.wait": {"seconds": _seconds},
    "messages.page": {"limit": _count},
    "endpoints.create": {"endpoint": partial(held_to, NewEndpoint)},
    "endpoints.change": {"endpoint_id": _text, "change": partial(held_to, EndpointChange)},
    "endpoints.page": {"limit": _count},
    "endpoints.recover": {"since": _seconds},
    "deliveries.page": {"limit": _count},
    "jobs.take": {"targets": lambda value: items(value, _text), "wait": _seconds, "lease": _seconds},
    "jobs.heartbeat": {"lease": _seconds},
    "jobs.finish": {"result": _json},
    "store.set": {"key": _text, "value": _json},
    "store.set_all": {"values": _all_json},
    "store.forget": {"older": _seconds},
    "media.open": {"patience": _seconds},
    "media.follow": {"handler": _text, "target": _text},
    "watch.trouble": {"why": _text},
    "media.keep": {"filename": _text, "mimetype": _text},
}
"""Call → its arguments that are checked."""


def checked_call(plugin: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; given a wrong thing, it raises PluginError and does nothing."""
    checks = CALLS[name]
    takes = cache(partial(signature, function))  # when it is called: a start makes hundreds, of which few ever are

    @wraps(function)
    def checked(*arguments: Any, **named_arguments: Any) -> Any:
        given = takes().bind(*arguments, **named_arguments).arguments
        for argument, check in checks.items():
            if argument in given:
                try:
                    check(given[argument])
                except WrongValueError as error:
                    raise PluginError(plugin, f"{name} was given {error}") from error
        return function(*arguments, **named_arguments)

    return checked


class CheckedPart:
    """A part of a plugin's context, as it is but for the calls in `CALLS`."""

    def __init__(self, plugin: str, name: str, part: Any) -> None:
        self._plugin, self._name, self._part = plugin, name, part

    def __getattr__(self, name: str) -> Any:
        """Asked once for each call: a start makes hundreds of parts, most of which nobody ever asks."""
        found = getattr(self._part, name)
        if (call := f"{self._name}.{name}") not in CALLS:
            return found
        checked = checked_call(self._plugin, call, found)
        setattr(self, name, checked)
        return checked
