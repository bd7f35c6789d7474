from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.config import Duration, Rate, Size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("6h", 21600),
        ("30d", 2592000),
        ("500ms", 0.5),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2w", 1209600),
        ("0", 0),
        ("0s", 0),
        (" 10 S ", 10),
        ("1m500ms", 60.5),
    ],
)
def test_durations_read_as_people_write_them(text: str, seconds: float) -> None:
    assert Duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "10 parsecs", "-5s", "1h-30m", "١s", "1e9s", "nan", "inf", "10s!"])
def test_a_wrong_duration_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write number and unit"):
        Duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_every_duration_reads_back_from_its_text(milliseconds: int) -> None:
    duration = Duration(milliseconds / 1000)
    assert Duration(str(duration)) == duration
    assert repr(duration) == f"Duration('{duration}')"


@given(st.text(max_size=30))
def test_any_text_is_a_duration_a_size_and_a_rate_or_a_value_error(text: str) -> None:
    for kind in (Duration, Size, Rate):
        value: object = None
        with contextlib.suppress(ValueError):
            value = kind(text)
        assert value is None or kind(str(value)) == value


@pytest.mark.parametrize(
    ("text", "shown"), [("1d", "24h"), ("36h", "36h"), ("48h", "2d"), ("90m", "1h30m"), ("0", "0s")]
)
def test_durations_show_in_the_usual_form(text: str, shown: str) -> None:
    assert str(Duration(text)) == shown


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_duration_is_never_negative_or_endless(seconds: float) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration(seconds)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("10MiB", 10 * 2**20),
        ("10m", 10 * 2**20),
        ("256mb", 256 * 10**6),
        ("4096", 4096),
        ("1.5 KiB", 1536),
        ("1TiB", 2**40),
    ],
)
def test_sizes_read_as_people_write_them(text: str, count: int) -> None:
    assert Size(text) == count


@given(st.integers(min_value=0, max_value=2**45))
def test_every_size_reads_back_from_its_text(count: int) -> None:
    assert Size(str(Size(count))) == count


@pytest.mark.parametrize("text", ["", "ten", "10QiB", "-1", "1..5MB"])
def test_a_wrong_size_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write number and unit"):
        Size(text)


def test_rates_are_a_count_in_a_period() -> None:
    rate = Rate("600/min")
    assert (rate.count, rate.seconds, bool(rate)) == (600, 60.0, True)
    assert rate == Rate("600 / m")
    assert rate != Rate("600/s")
    with pytest.raises(AttributeError, match="can't be changed"):
        rate.count = 1


def test_the_rate_off_is_no_limit() -> None:
    assert not Rate("off")
    assert str(Rate("OFF")) == "off"


@pytest.mark.parametrize("text", ["", "600", "0/min", "600/fortnight", "-1/s"])
def test_a_wrong_rate_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(ValueError, match=r'is not a rate; write number and period .* or "off"'):
        Rate(text)
