"""Charts of a receiver: bars and words out of minutes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from wagate.storage.minutes import LAGS, Bucket
from wagate.web.ui.charts import RANGES, WIDTH, bars, delays, spark

NOW = datetime(2025, 1, 20, 12, 34, 30, tzinfo=UTC)


def bucket(minutes_ago: int, lag: int, done: int = 100, failed: int = 0) -> Bucket:
    made = Bucket(subject="webhook:a", at=NOW.replace(second=0) - timedelta(minutes=minutes_ago), client_id=1)
    made.done, made.failed = done, failed
    made.lags[lag] = done
    return made


def rectangles(svg: str, kind: str) -> list[tuple[float, float]]:
    """(x, height) of each bar of this kind."""
    found = re.findall(r'<rect class="([^"]+)" x="([\d.]+)" y="[\d.]+" width="[\d.]+" height="([\d.]+)"', svg)
    return [(float(x), float(height)) for name, x, height in found if name == kind]


def test_the_newest_minute_is_the_rightmost_bar_and_what_is_older_is_left_out() -> None:
    svg = bars([bucket(0, 1), bucket(59, 1), bucket(60, 1)], seconds=3600, step=60, now=NOW)
    assert [x for x, _ in rectangles(svg, "bx")] == [0, WIDTH / 60 * 59]


def test_failed_tries_stand_above_what_was_delivered() -> None:
    svg = bars([bucket(0, 1, done=60, failed=60)], seconds=3600, step=60, now=NOW)
    assert rectangles(svg, "bx")[0][1] == rectangles(svg, "bx red")[0][1] == 60


def test_delays_grow_with_the_time_to_hand_on_and_say_when_it_was_slowest() -> None:
    svg, said = delays([bucket(5, 2), bucket(20, 6), bucket(40, 1)], seconds=3600, step=60, now=NOW)
    by_time = [height for _, height in rectangles(svg, "bx lag")]
    assert by_time[1] > by_time[2] > by_time[0]
    assert len(rectangles(svg, "bx")) == 3
    assert said == f"Slowest at 20 Jan 12:14 UTC: 95 of 100 were delivered within {LAGS[6]:g} s."


def test_the_slowest_of_all_has_the_tallest_bar_within_the_picture() -> None:
    svg, said = delays([bucket(0, len(LAGS))], seconds=3600, step=60, now=NOW)
    assert rectangles(svg, "bx lag")[0][1] <= 60
    assert said.endswith("delivered after more than 2 min.")


@pytest.mark.parametrize("name", RANGES)
def test_nothing_is_an_empty_picture(name: str) -> None:
    _, seconds, step = RANGES[name]
    svg, said = delays([], seconds=seconds, step=step, now=NOW)
    assert (said, "<rect" in svg) == ("", False)


def test_a_day_in_the_size_of_a_word_has_the_newest_hour_on_the_right_and_says_what_it_shows() -> None:
    svg, said = spark([bucket(34, 1, done=1200, failed=1), bucket(60 * 23, 1, done=5)], now=NOW)
    assert rectangles(svg, "bx") == [(0, 1), (92, 24.0)]
    assert [x for x, _ in rectangles(svg, "bx red")] == [92]
    assert said == "1,205 delivered, 1 try failed in 24 hours"
    assert spark([], now=NOW) == ("", "nothing in 24 hours")
