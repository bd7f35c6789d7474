"""How often a provider is asked for files."""

from __future__ import annotations

from wagate.media.pace import LONGEST_REST, MOST, MOST_OF_ACCOUNT, Pace, delay


def test_a_few_at_once_and_fewer_of_one_account() -> None:
    pace = Pace()
    begun = []
    for account in ("a", "a", "a", "b", "b", "c"):
        if pace.may_begin(account, 0.0):
            pace.begin(account)
            begun.append(account)
    assert begun == ["a", "a", "b", "b"]
    assert MOST_OF_ACCOUNT == 2
    assert len(begun) == MOST
    assert pace.full
    pace.end("a")
    assert not pace.full
    assert pace.may_begin("c", 0.0)


def test_after_an_error_an_account_rests_then_goes_on_one_by_one_until_a_file_comes() -> None:
    pace = Pace()
    pace.begin("a")
    pace.failed("a", 0.0)
    pace.end("a")
    assert not pace.may_begin("a", 4.9)
    assert pace.next_start(1.0) == 4.0
    assert pace.busy(4.9) == {"a"}
    assert pace.may_begin("b", 0.0)
    assert pace.may_begin("a", 5.0)
    pace.begin("a")
    assert not pace.may_begin("a", 5.0)
    pace.succeeded("a")
    assert pace.may_begin("a", 5.0)


def test_a_rest_lasts_as_long_as_the_provider_asks() -> None:
    pace = Pace()
    pace.failed("a", 0.0, at_least=60.0)
    assert not pace.may_begin("a", 59.0)
    assert pace.may_begin("a", 60.0)


def test_an_account_of_which_all_fails_stays_under_twenty_errors_an_hour() -> None:
    """360dialog blocks an account's files for half an hour after 20 errors in an hour."""
    pace, now, tries = Pace(), 0.0, []
    while now < 4 * 3600:
        if pace.may_begin("a", now):
            tries.append(now)
            pace.failed("a", now)
        now += 1.0
    worst = max(sum(start <= each < start + 3600 for each in tries) for start in tries)
    assert worst < 20
    assert tries[-1] - tries[-2] == LONGEST_REST


def test_a_file_is_tried_again_after_five_seconds_and_then_four_times_as_long_each_time() -> None:
    assert [delay(attempts) for attempts in range(1, 6)] == [5, 20, 80, 320, 1280]
