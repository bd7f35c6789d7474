"""Handlers, tasks, looks and panels of plugins: the core never meets a wrong value or a foreign error of theirs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec
import structlog
import trio

from wagate.errors import DeliveryError, Postpone, Reject, Retry, WagateError
from wagate.events import Event
from wagate.hooks.contracts import Delivery, Handler, Receipt, Target, TargetLimits, TargetName, Task
from wagate.hooks.panels import Figure, Panel, PanelAsked, PanelData
from wagate.hooks.providers import Check, Finding
from wagate.hooks.views import DeliveryView, RequestView
from wagate.plugins.values import WrongValueError, cut, held_to, hold_verdict, items, named, seconds
from wagate.plugins.wall import awaited, broken, instead, leaves, pass_on
from wagate.storage.fields import clean

LEAST_WAIT: Final = 1.0
"""Seconds that a delivery waits at least before it is handed to its plugin again."""
MOST_WAIT: Final = 86_400.0
"""At most: then the plugin is asked again."""
LONGEST_HANDLE: Final = 3600.0
REQUEST_PATIENCE: Final = 5.0
"""Seconds that a handler may take to rebuild a request: a person waits for the page."""
LISTENER_PATIENCE: Final = 10.0
"""Seconds that a listener for changes may take: whoever made the change waits."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

log = structlog.get_logger("wagate.plugins")

_target = partial(held_to, Target)
MOST_FIGURES: Final = 20
MOST_COLUMNS: Final = 8
MOST_ROWS: Final = 200
LONGEST: Final = 2000
"""Characters of one text."""


def checked_handler(plugin: str, handler: Any) -> Handler:
    """The handler, its functions behind the wall. WrongValueError: it is none, or made of wrong things."""
    if not isinstance(handler, Handler):
        raise WrongValueError(f"{named(handler)}, not Handler")
    for wrong, field in _faults(handler):
        if wrong:
            raise WrongValueError(f"Handler.{field}")
    return replace(
        handler,
        targets=partial(_targets, plugin, handler.targets),
        handle=None if handler.handle is None else partial(_handle, plugin, handler.handle),
        limits=partial(_limits, plugin, handler.limits),
        describe=partial(_describe, plugin, handler.describe),
        request=None if handler.request is None else partial(_request, plugin, handler.request),
    )


def _faults(handler: Handler) -> Sequence[tuple[bool, str]]:
    name, at_once, limit = handler.name, handler.concurrency, handler.timeout
    return (
        (not isinstance(name, str) or not _NAME.fullmatch(name), "name: not 1 to 64 letters, digits and _ . -"),
        (not callable(handler.targets), f"targets: {named(handler.targets)}, no function"),
        (not (handler.handle is None or callable(handler.handle)), f"handle: {named(handler.handle)}, no function"),
        (not callable(handler.limits), f"limits: {named(handler.limits)}, no function"),
        (not callable(handler.describe), f"describe: {named(handler.describe)}, no function"),
        (not (handler.request is None or callable(handler.request)), f"request: {named(handler.request)}, no function"),
        (type(at_once) is not int or not 1 <= at_once <= 10_000, "concurrency: not a whole number from 1 to 10000"),
        (
            isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit <= LONGEST_HANDLE,
            f"timeout: not above 0 and up to {LONGEST_HANDLE:g} seconds",
        ),
        (not isinstance(handler.lasting, bool), f"lasting: {named(handler.lasting)}, not bool"),
    )


def _targets(plugin: str, targets: Callable[[Event], Any], event: Event) -> list[Target]:
    try:
        return items(targets(event), _target)
    except BaseException as error:
        raise broken(plugin, "targets", error) from error


def _limits(plugin: str, limits: Callable[[str], Any], target: str) -> TargetLimits:
    try:
        return held_to(TargetLimits, limits(target))
    except BaseException as error:
        raise broken(plugin, "limits", error) from error


def _describe(plugin: str, describe: Callable[[str], Any], target: str) -> TargetName:
    try:
        return held_to(TargetName, describe(target))
    except BaseException as error:
        raise broken(plugin, "describe", error) from error


async def _request(plugin: str, request: Callable[[DeliveryView], Any], delivery: DeliveryView) -> RequestView | None:
    try:
        with trio.fail_after(REQUEST_PATIENCE):
            found = await awaited(request(delivery))
        return None if found is None else _readable(held_to(RequestView, found))
    except BaseException as error:
        raise broken(plugin, "request", error) from error


def _readable(request: RequestView) -> RequestView:
    """What a page can hold: no NUL, no half of a surrogate pair."""
    return RequestView(
        line=clean(request.line),
        headers={clean(name): clean(value) for name, value in request.headers.items()},
        body=clean(request.body),
        note=clean(request.note),
    )


async def _handle(plugin: str, handle: Callable[[Delivery], Any], delivery: Delivery) -> Receipt | None:
    """Run it. Raises DeliveryError, and nothing else of the plugin's."""
    try:
        receipt = await awaited(handle(delivery))
        return None if receipt is None else cut(held_to(Receipt, receipt))
    except BaseException as error:  # noqa: BLE001  (raised again, in our words)
        raise instead(_verdict(plugin, error, delivery.id), error)  # noqa: B904  (with its cause)


def _verdict(plugin: str, error: BaseException, delivery_id: str) -> DeliveryError:
    """What a handler raised, or gave, as the end of its delivery."""
    pass_on(error)
    # A handler with a nursery of its own raises groups.
    said = next((each for each in leaves(error) if isinstance(each, DeliveryError)), None)
    if said is None:
        log.error("handler failed", plugin=plugin, delivery_id=delivery_id, exc_info=error)
        # What returned has done its work, whatever it returned: again would be twice.
        again = Reject if isinstance(error, WrongValueError) else Retry
        return again(_reason(plugin, error))
    try:
        return _said(said)
    except WrongValueError as wrong:
        log.exception("handler failed", plugin=plugin, delivery_id=delivery_id, error=str(wrong))
        again = Reject if isinstance(said, Reject) else Retry
        return again(str(broken(plugin, "handle", wrong)))


def _said(said: DeliveryError) -> DeliveryError:
    """As it was raised; the wait that it names between `LEAST_WAIT` and `MOST_WAIT`. WrongValueError."""
    hold_verdict(said)
    if isinstance(said, Postpone) or (isinstance(said, Retry) and said.after is not None):
        try:
            said.after = seconds(said.after, least=LEAST_WAIT, most=MOST_WAIT)
        except WrongValueError as wrong:
            raise WrongValueError(f"{named(said)}.after: {wrong}") from wrong
    return said


def _reason(plugin: str, error: BaseException) -> str:
    """For the job, which its client sees: plugin and type, no place and no foreign text."""
    if isinstance(error, WrongValueError):
        return str(broken(plugin, "handle", error))
    return f"plugin {plugin}: {named(next(leaves(error)))}"


def checked_task(plugin: str, task: Any) -> Task:
    """The task; it ends in PluginError, in trio's Cancelled, or by itself. WrongValueError: it is no function."""
    function = _function(task)

    async def run() -> None:
        try:
            await awaited(function())
        except BaseException as error:
            raise broken(plugin, f"task {_name(task)}", error) from error

    return run


def checked_look(plugin: str, look: Any) -> Check:
    """A look for ``wagate doctor``. WrongValueError: it is no function."""
    function = _function(look)

    async def run() -> Sequence[Finding]:
        try:
            return items(await awaited(function()), partial(held_to, Finding))
        except WagateError:
            raise
        except BaseException as error:
            raise broken(plugin, f"check {_name(look)}", error) from error

    return run


def checked_listener(plugin: str, listener: Any) -> Callable[[], Awaitable[None]]:
    """A listener for changes; when it fails, or takes too long, the log says so, and the others are told."""
    if not callable(listener):
        raise broken(plugin, "on_change", WrongValueError(f"{named(listener)}, no function"))

    async def run() -> None:
        try:
            with trio.fail_after(LISTENER_PATIENCE):
                await awaited(listener())
        except BaseException as error:
            failed = broken(plugin, f"listener {_name(listener)}", error)
            log.exception("listener failed", plugin=plugin, error=failed.what)

    return run


def _function(value: Any) -> Callable[[], Any]:
    if not callable(value):
        raise WrongValueError(f"{named(value)}, no function")
    function: Callable[[], Any] = value
    return function


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", named(function)))


def checked_panel(plugin: str, panel: Any) -> Panel:
    """The panel behind the wall. WrongValueError: it is none."""
    if not isinstance(panel, Panel) or not isinstance(panel.title, str) or not callable(panel.render):
        raise WrongValueError(f"{named(panel)}, not Panel with a title and a function")
    title = clean(panel.title[:100])

    async def render(asked: PanelAsked) -> PanelData | None:
        try:
            given = await awaited(panel.render(asked))
            return None if given is None else held(given)
        except WagateError:
            raise
        except BaseException as error:
            raise broken(plugin, f"panel {title}", error) from error

    return Panel(title=title, render=render)


def held(given: Any) -> PanelData:
    """The same with the right things in it, cut to what a page holds. WrongValueError says what is not."""
    if not isinstance(given, PanelData):
        raise WrongValueError(f"{named(given)}, not PanelData")
    try:
        # A struct does not check what it is made of: read it again from its parts.
        found = msgspec.convert(msgspec.to_builtins(given), PanelData)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise WrongValueError("PanelData with something else than texts in it") from error
    if any(len(row) != len(found.columns) for row in found.rows):
        raise WrongValueError("PanelData whose rows have not one text for each column")
    return PanelData(
        text=_cut(found.text),
        figures=tuple(
            Figure(label=_cut(each.label), value=_cut(each.value), state=each.state)
            for each in found.figures[:MOST_FIGURES]
        ),
        columns=tuple(_cut(each) for each in found.columns[:MOST_COLUMNS]),
        rows=tuple(tuple(_cut(each) for each in row[:MOST_COLUMNS]) for row in found.rows[:MOST_ROWS]),
    )


def _cut(text: str) -> str:
    return clean(text[:LONGEST])
