"""What the last sends of an account say of it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests.rows import NOW
from tests.unit.test_doctor_looks import account
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import SessionStatus
from wagate.outbound.observed import Observed, Trouble
from wagate.process.health import PATIENCE, ailing
from wagate.storage.deliveries.not_working import DownTarget, LoggedOut, NotWorking
from wagate.testing.context import FixedClock

WELL = NotWorking(down=[], waiting=0, failing=0, disabled=0, paused=0, senders={}, logged_out={})


@pytest.mark.parametrize(
    ("error", "asked", "why"),
    [
        (AccountStoppedError("token expired", http_status=401), True, "refused"),
        (AccountStoppedError("settings can't be used"), False, "refused"),
        (NotSentError("ECONNREFUSED"), True, "failing"),
        (NotSentError("Server error (503)", http_status=503), True, "failing"),
        (OutcomeUnknownError("no answer within 60 s"), True, "failing"),
        (NotSentError("its file could not be made ready"), False, None),
        (NotSentError("too many", slow="account", http_status=429), True, None),
        (NotSentError("too many", slow="account", http_status=503), True, None),
        (SendRefusedError("no such number", http_status=400), True, None),
    ],
)
def test_each_error_says_what_is_wrong_with_the_account(error: SendError, asked: bool, why: str | None) -> None:
    observed = Observed(FixedClock())
    observed.failed("a1", error, asked=asked)
    found = observed.of("a1")
    assert (None if found is None else found.why) == why


def test_the_first_of_a_row_of_failures_says_since_when_and_an_answer_ends_it() -> None:
    clock = FixedClock()
    observed = Observed(clock)
    observed.failed("a1", NotSentError("ECONNREFUSED"), asked=True)
    first = observed.of("a1")
    clock.shift(100)
    observed.failed("a1", NotSentError("ECONNREFUSED"), asked=True)
    found = observed.of("a1")
    assert first is not None
    assert found == Trouble(why="failing", since=first.since, last=clock.now())
    observed.failed("a1", SendRefusedError("no such number", http_status=400), asked=True)
    assert observed.of("a1") is None
    observed.failed("a1", NotSentError("ECONNREFUSED"), asked=True)
    observed.sent("a1")
    assert observed.of("a1") is None


def test_accounts_that_are_gone_are_forgotten() -> None:
    observed = Observed(FixedClock())
    for id_ in ("a1", "a2"):
        observed.failed(id_, AccountStoppedError("blocked"), asked=True)
    observed.forget("a1")
    assert (observed.of("a1"), observed.of("a2") is not None) == (None, True)


@pytest.mark.parametrize(
    ("seen", "observed", "state"),
    [
        (WELL, {}, None),
        (WELL, {"1": Trouble(why="refused", since=NOW, last=NOW)}, "refused"),
        (WELL, {"1": Trouble(why="failing", since=NOW, last=NOW)}, None),
        (WELL, {"1": Trouble(why="failing", since=NOW - PATIENCE, last=NOW)}, "failing"),
        ({"senders": {"1": DownTarget(id="outbound:1", since=NOW, error="x", oldest=None)}}, {}, "failing"),
        (
            {"senders": {"1": DownTarget(id="outbound:1", since=NOW, error="x", oldest=None)}},
            {"1": Trouble(why="refused", since=NOW - timedelta(hours=1), last=NOW)},
            "refused",
        ),
        ({"logged_out": {"1": LoggedOut(status=SessionStatus.QR_GENERATED, since=NOW)}}, {}, "logged_out"),
        ({"senders": {"2": DownTarget(id="outbound:2", since=NOW, error="x", oldest=None)}}, {}, None),
    ],
)
def test_what_was_seen_here_and_what_is_stored_make_one_state(
    seen: NotWorking | dict[str, object], observed: dict[str, Trouble], state: str | None
) -> None:
    found_so = seen if isinstance(seen, NotWorking) else msgspec.structs.replace(WELL, **seen)
    found = list(ailing({"1": account()}, seen=found_so, observed=observed, linked={"pigeon"}))
    assert [each.state for each in found] == ([] if state is None else [state])


def test_who_is_not_linked_as_a_device_is_never_logged_out() -> None:
    out = {"1": LoggedOut(status=SessionStatus.QR_GENERATED, since=NOW)}
    seen = msgspec.structs.replace(WELL, logged_out=out)
    assert list(ailing({"1": account()}, seen=seen, observed={}, linked=set())) == []
