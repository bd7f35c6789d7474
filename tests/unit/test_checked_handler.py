"""Whatever a handler gives or raises, the core meets a Receipt, a DeliveryError or trio's Cancelled."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from wagate.errors import DeliveryError, PluginError, Postpone, Reject, Retry
from wagate.hooks import Delivery, Handler, Receipt, RequestView, Target, TargetLimits
from wagate.plugins.checked_handler import checked_handler, checked_listener, checked_look, checked_task
from wagate.plugins.values import LONGEST_REASON, LONGEST_RESPONSE, WrongValueError
from wagate.testing import make_delivery, make_delivery_view, make_event

DELIVERY = make_delivery(target="a")


def made(**parts: Any) -> Handler:
    return checked_handler("bad", Handler(name="bad", targets=lambda _event: [], **parts))


def targets_of(targets: Callable[..., Any]) -> list[Target]:
    return list(checked_handler("bad", Handler(name="bad", targets=targets)).targets(make_event()))


async def said(doing: Any) -> BaseException:
    """What is raised when a handler raises this, or gives it."""

    async def handle(_delivery: Delivery) -> Any:
        if isinstance(doing, BaseException):
            raise doing
        return doing

    handler = made(handle=handle)
    assert handler.handle is not None
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        await handler.handle(DELIVERY)
    return caught.value


@pytest.mark.parametrize("receipt", [None, Receipt(), Receipt(http_status=204, response="ok")])
async def test_a_receipt_or_nothing_means_delivered(receipt: Receipt | None) -> None:
    async def handle(_delivery: Delivery) -> Receipt | None:
        return receipt

    handler = made(handle=handle)
    assert handler.handle is not None
    assert await handler.handle(DELIVERY) == receipt


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("ok", "plugin bad: handle gave str, not Receipt"),
        (True, "plugin bad: handle gave bool, not Receipt"),
        (Receipt(http_status="200"), "plugin bad: handle gave Receipt.http_status: Expected `int | null`, got `str`"),  # type: ignore[arg-type]
    ],
)
async def test_whoever_returns_a_wrong_thing_has_worked_and_is_not_called_again(given: Any, reason: str) -> None:
    error = await said(given)
    assert isinstance(error, Reject)
    assert error.reason == reason


async def test_a_handler_that_is_not_async_is_a_failure_that_no_try_mends() -> None:
    handler = made(handle=lambda _delivery: Receipt())
    assert handler.handle is not None
    with pytest.raises(Reject, match="plugin bad: handle gave Receipt, nothing to await"):
        await handler.handle(DELIVERY)


@pytest.mark.parametrize(
    "error", [SystemExit(3), GeneratorExit(), KeyError("a secret"), ExceptionGroup("", [OSError()])]
)
async def test_whatever_else_is_raised_is_one_failed_try_with_plugin_and_type(error: BaseException) -> None:
    retry = await said(error)
    assert isinstance(retry, Retry)
    name = "OSError" if isinstance(error, ExceptionGroup) else type(error).__name__
    assert retry.reason == f"plugin bad: {name}"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Postpone("later", after=math.nan), "Postpone.after: nan, not a finite number of seconds"),
        (Postpone("later", after=math.inf), "Postpone.after: inf, not a finite number of seconds"),
        (Postpone("later", after=None), "Postpone.after: NoneType, not seconds"),  # type: ignore[arg-type]
        (Retry("later", after="5"), "Retry.after: str, not seconds"),  # type: ignore[arg-type]
        (Retry(None), "Retry.reason: Expected `str`, got `null`"),  # type: ignore[arg-type]
        (Retry("a", down="yes"), "Retry.down: Expected `bool`, got `str`"),  # type: ignore[arg-type]
    ],
)
async def test_a_verdict_with_wrong_fields_is_one_failed_try(error: DeliveryError, reason: str) -> None:
    retry = await said(error)
    assert isinstance(retry, Retry)
    assert retry.reason == f"plugin bad: handle gave {reason}"
    assert retry.after is None


async def test_a_refusal_with_wrong_fields_stays_a_refusal() -> None:
    error = await said(Reject("gone", http_status="410"))  # type: ignore[arg-type]
    assert isinstance(error, Reject)
    assert error.reason == "plugin bad: handle gave Reject.http_status: Expected `int | null`, got `str`"


@pytest.mark.parametrize(("after", "waits"), [(-5, 1), (0, 1), (0.01, 1), (7, 7), (1e30, 86_400)])
async def test_a_wait_lasts_a_second_at_least_and_a_day_at_most(after: float, waits: float) -> None:
    for error in (
        Postpone("later", after=after),
        Retry("later", after=after),
        ExceptionGroup("", [Retry("a", after=after)]),
    ):
        again = await said(error)
        assert isinstance(again, Postpone | Retry)
        assert again.after == waits


async def test_texts_are_cut_before_they_are_stored_or_logged() -> None:
    async def handle(_delivery: Delivery) -> Receipt:
        return Receipt(response="a" * 10**6)

    handler = made(handle=handle)
    assert handler.handle is not None
    receipt = await handler.handle(DELIVERY)
    assert receipt is not None
    assert receipt.response == "a" * LONGEST_RESPONSE
    error = await said(Reject("b" * 10**6, response="c" * 10**6))
    assert isinstance(error, Reject)
    assert (error.reason, error.response) == ("b" * LONGEST_REASON, "c" * LONGEST_RESPONSE)


async def test_trios_own_cancellation_passes() -> None:
    handler = made(handle=lambda _delivery: trio.sleep_forever())
    assert handler.handle is not None
    with trio.move_on_after(0) as scope:
        await handler.handle(DELIVERY)
    assert scope.cancelled_caught


async def test_a_cancelled_handler_with_a_nursery_that_breaks_meanwhile_is_cancelled() -> None:
    async def handle(_delivery: Delivery) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise SystemExit(1)

    handler = made(handle=handle)
    assert handler.handle is not None
    with trio.move_on_after(0) as scope:
        await handler.handle(DELIVERY)
    assert scope.cancelled_caught


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT does what Python makes of it; a shell may have told a run in the background to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
async def test_an_interrupt_by_a_signal_passes_and_one_that_the_plugin_raises_does_not() -> None:
    assert isinstance(await said(KeyboardInterrupt()), KeyboardInterrupt)
    with trio.open_signal_receiver(signal.SIGINT):
        # As while the gateway serves: no KeyboardInterrupt comes of a signal now.
        error = await said(KeyboardInterrupt())
    assert isinstance(error, Retry)
    assert error.reason == "plugin bad: KeyboardInterrupt"


@pytest.mark.parametrize("given", [["a"], "a", None, [Target(id=3)], 7])  # type: ignore[arg-type]
def test_wrong_targets_are_the_plugins_failure(given: Any) -> None:
    with pytest.raises(PluginError, match=r"^plugin bad: targets gave "):
        targets_of(lambda _event: given)


def test_targets_that_leave_the_process_do_not() -> None:
    def leave(_event: object) -> list[Target]:
        raise SystemExit(1)

    with pytest.raises(PluginError, match=r"^plugin bad: targets raised SystemExit \(test_checked_handler\.py:\d+\)$"):
        targets_of(leave)


def test_limits_are_held_to_their_type() -> None:
    assert made(limits=lambda _target: TargetLimits(rate=5)).limits("a") == TargetLimits(rate=5)
    for wrong in (None, TargetLimits(rate=-1), TargetLimits(timeout=math.nan)):
        with pytest.raises(PluginError, match=r"^plugin bad: limits gave "):
            made(limits=lambda _target, given=wrong: given).limits("a")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a:b"),
        ("name", 5),
        ("targets", None),
        ("handle", "later"),
        ("concurrency", 0),
        ("concurrency", True),
        ("timeout", math.nan),
        ("timeout", -1),
        ("timeout", "60"),
        ("limits", None),
        ("lasting", None),
    ],
)
def test_a_handler_of_wrong_parts_is_refused_by_field(field: str, value: Any) -> None:
    handler = replace(Handler(name="bad", targets=lambda _event: []), **{field: value})
    with pytest.raises(WrongValueError, match=rf"^Handler.{field}: "):
        checked_handler("bad", handler)


@pytest.mark.parametrize("task", [lambda: None, lambda: trio.lowlevel.checkpoint], ids=["not async", "a function"])
async def test_a_task_that_is_none_ends_in_an_error_with_its_plugin(task: Callable[[], Any]) -> None:
    with pytest.raises(PluginError, match=r"^plugin bad: task <lambda> gave .*, nothing to await$"):
        await checked_task("bad", task)()


async def test_a_task_that_leaves_the_process_does_not() -> None:
    async def leave() -> None:
        raise SystemExit(1)

    with pytest.raises(PluginError, match=r"^plugin bad: task leave raised SystemExit"):
        await checked_task("bad", leave)()


async def test_a_look_gives_findings() -> None:
    async def look() -> Any:
        return ["all is well"]

    with pytest.raises(PluginError, match=r"^plugin bad: check look gave str, not Finding$"):
        await checked_look("bad", look)()


async def leave() -> None:
    raise SystemExit(1)


@pytest.mark.parametrize("listener", [leave, lambda: None])
async def test_a_listener_that_fails_costs_nobody_anything(listener: Callable[[], Awaitable[None]]) -> None:
    await checked_listener("bad", listener)()


async def test_a_listener_that_hangs_is_left_behind(autojump_clock: trio.testing.MockClock) -> None:
    await checked_listener("bad", trio.sleep_forever)()
    assert trio.current_time() < 60


async def shown(request: Any) -> RequestView | None:
    handler = made(request=request)
    assert handler.request is not None
    return await handler.request(make_delivery_view())


async def test_a_request_is_shown_without_what_no_page_can_hold() -> None:
    async def request(_delivery: Any) -> RequestView | None:
        return RequestView(line="POST https://a.test/\0", headers={"X-A": "a\ud800"}, body="\0", note="\udfff")

    assert await shown(request) == RequestView(
        line="POST https://a.test/\ufffd", headers={"X-A": "a\ufffd"}, body="\ufffd", note="\ufffd"
    )

    async def nothing(_delivery: Any) -> None:
        return None

    assert await shown(nothing) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"line": "GET /"}, "request gave dict, not RequestView"),
        (RequestView(line=5), "request gave RequestView.line: Expected `str`, got `int`"),  # type: ignore[arg-type]
        (
            RequestView(line="GET /", headers={"a": 1}),
            "request gave RequestView.headers[...]: Expected `str`, got `int`",
        ),  # type: ignore[dict-item]
    ],
)
async def test_a_request_of_wrong_things_is_the_plugins_fault(given: Any, told: str) -> None:
    async def request(_delivery: Any) -> Any:
        return given

    with pytest.raises(PluginError, match=f"^{re.escape(f'plugin bad: {told}')}$"):
        await shown(request)


async def test_a_request_that_takes_too_long_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    del autojump_clock

    async def request(_delivery: Any) -> None:
        await trio.sleep_forever()

    with pytest.raises(PluginError, match=r"request raised TooSlowError"):
        await shown(request)


def test_what_is_no_function_is_no_request() -> None:
    with pytest.raises(WrongValueError, match=r"Handler.request: str, no function"):
        made(request="GET /")
