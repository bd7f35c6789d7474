"""How often a provider is asked for files."""

from __future__ import annotations

from wagate.media.pace import LONGEST_COUNTED_REST, LONGEST_REST, MOST, MOST_OF_ACCOUNT, MOST_REMEMBERED, Pace, delay


def test_a_few_at_once_and_fewer_of_one_account() -> None:
    pace = Pace()
    begun = []
    for account in "aaaaabbbbbcdddddeeeee":
        if pace.may_begin(account, 0.0):
            pace.begin(account)
            begun.append(account)
    assert "".join(begun) == "aaaabbbbcddddeee"
    assert MOST_OF_ACCOUNT == 4
    assert len(begun) == MOST
    assert pace.full
    pace.end("a")
    assert not pace.full
    assert pace.may_begin("e", 0.0)


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
            pace.failed("a", now, counts=True)
        now += 1.0
    assert worst_hour(tries) < 20
    assert tries[-1] - tries[-2] == LONGEST_COUNTED_REST


def test_a_provider_that_does_not_count_is_asked_once_a_minute() -> None:
    pace, now, rests = Pace(), 0.0, []
    for _ in range(6):
        pace.failed("a", now)
        rests.append(pace.rest("a", now))
        now += rests[-1]
    assert rests == [5, 20, LONGEST_REST, LONGEST_REST, LONGEST_REST, LONGEST_REST]


def test_files_that_can_not_be_had_slow_nobody_but_where_the_provider_counts_them() -> None:
    pace, now, tries = Pace(), 0.0, []
    for _ in range(100):
        assert pace.may_begin("a", now)
        pace.begin("a")
        pace.end("a")
    while now < 4 * 3600:
        running = [each for each in range(MOST_OF_ACCOUNT) if pace.may_begin("b", now) and not pace.begin("b")]
        for _ in running:
            tries.append(now)
            pace.end("b")
            pace.count("b", now, most=20)
        now += 1.0
    assert tries[11] < 60, "a dozen that are gone hold nobody up"
    assert worst_hour(tries) < 20


def test_another_host_rests_for_itself() -> None:
    pace = Pace()
    pace.failed("a dead.example", 0.0)
    assert pace.rest("a dead.example", 1.0) == 4.0
    assert pace.rest("a good.example", 1.0) == 0.0
    assert pace.may_begin("a", 1.0)


def test_hosts_whose_rest_is_over_are_forgotten() -> None:
    pace = Pace()
    for number in range(3 * MOST_REMEMBERED):
        pace.failed(f"a {number}.example", float(number))
    assert len(pace._errors) <= MOST_REMEMBERED + 10


def worst_hour(tries: list[float]) -> int:
    return max(sum(start <= each < start + 3600 for each in tries) for start in tries)


def test_a_file_is_tried_again_after_five_seconds_and_then_four_times_as_long_each_time() -> None:
    assert [delay(attempts) for attempts in range(1, 8)] == [5, 20, 80, 320, 1280, 1280, 1280]
    assert [delay(attempts, of_host=True) for attempts in range(1, 6)] == [5, 20, 60, 60, 60]
