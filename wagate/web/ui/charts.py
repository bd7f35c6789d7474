"""Charts as SVG: attributes alone, so that the page's policy holds and no script is needed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from wagate.storage.minutes import HOUR, LAGS, MINUTE, Bucket, quantile, start_of
from wagate.web.ui import words

RANGES: Final = {"1h": ("1 h", 3600, MINUTE), "24h": ("24 h", 86400, 1800), "7d": ("7 days", 7 * 86400, 6 * HOUR)}
"""``?range=`` → its words, its seconds, and the seconds of a bar."""
WIDTH: Final = 960
HEIGHT: Final = 130
LOW: Final = 60
"""The height of the delays."""


def bars(found: Sequence[Bucket], *, seconds: int, step: int, now: datetime) -> Markup:
    """Delivered and failed tries, one bar for each ``step`` seconds, the newest on the right."""
    lines = Markup('<path class="g" d="M0 20H960M0 75H960M0 130H960"/>')
    return lines + _stacked(found, seconds // step, step, now, size=(WIDTH, HEIGHT, HEIGHT - 10), gap=2)


def spark(found: Sequence[Bucket], *, now: datetime) -> tuple[Markup, str]:
    """The last 24 hours in the size of a word, from buckets of an hour; and in words."""
    done, failed = (sum(each) for each in zip((0, 0), *((each.done, each.failed) for each in found), strict=True))
    said = f"{done:,} delivered, {words.plural(failed, 'try', 'tries')} failed in 24 hours"
    return _stacked(found, 24, HOUR, now, size=(96, 24, 24), gap=1), said if done or failed else "nothing in 24 hours"


def _stacked(
    found: Sequence[Bucket], count: int, step: int, now: datetime, *, size: tuple[int, int, int], gap: int
) -> Markup:
    """Failed tries on top of what was delivered; ``size``: width, height, and how much of it the tallest takes."""
    width, height, most = size
    done, failed = [0] * count, [0] * count
    for place, each in _placed(found, count, step, now):
        done[place] += each.done
        failed[place] += each.failed
    peak = max([1, *(one + other for one, other in zip(done, failed, strict=True))])
    wide = width / count
    parts = []
    for place, (good, bad) in enumerate(zip(done, failed, strict=True)):
        for many, above, kind in ((good, 0, "bx"), (bad, good, "bx red")):
            if many:
                high = max(many * most / peak, 1)
                low = max(height - above * most / peak - high, 0)
                parts.append(
                    Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                        kind, place * wide, low, max(wide - gap, 1), high
                    )
                )
    return Markup("").join(parts)


def delays(found: Sequence[Bucket], *, seconds: int, step: int, now: datetime) -> tuple[Markup, str]:
    """How long half, and 95 of 100, took to be delivered, by time: a step for each of `LAGS`; and in words."""
    count = seconds // step
    lags = [[0] * (len(LAGS) + 1) for _ in range(count)]
    for place, each in _placed(found, count, step, now):
        lags[place] = [one + other for one, other in zip(lags[place], each.lags, strict=True)]
    wide, most, worst = WIDTH / count, -1.0, 0
    parts = [Markup('<path class="g" d="M0 {}H960"/>').format(LOW)]
    for place, each_lags in enumerate(lags):
        for part, kind in ((0.95, "bx lag"), (0.5, "bx")):
            lag = quantile(each_lags, part)
            if lag is None:
                continue
            high = (bisect_left(LAGS, lag) + 1) * (LOW - 4) / (len(LAGS) + 1)
            parts.append(
                Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    kind, place * wide, LOW - high, max(wide - 2, 1), high
                )
            )
            if part > 0.9 and lag > most:
                most, worst = lag, place
    at = start_of(now, step) - timedelta(seconds=step * (count - 1 - worst))
    said = f"Slowest at {at:%d %b %H:%M} UTC: 95 of 100 were delivered {_within(most)}." if most >= 0 else ""
    return Markup("").join(parts), said


def _placed(found: Sequence[Bucket], count: int, step: int, now: datetime) -> Iterator[tuple[int, Bucket]]:
    """Each with the number of its bar."""
    first = start_of(now, step) - timedelta(seconds=step * (count - 1))
    for each in found:
        place = int((each.at - first).total_seconds() // step)
        if 0 <= place < count:
            yield place, each


def caption(found: Sequence[Bucket]) -> str:
    """What the picture says, in a sentence."""
    done, failed = sum(each.done for each in found), sum(each.failed for each in found)
    if not done and not failed:
        return "Nothing was delivered or tried in this time."
    lags = [sum(column) for column in zip(*(each.lags for each in found), strict=True)]
    said = f"{done:,} delivered, {words.plural(failed, 'try', 'tries')} failed."
    half, most = quantile(lags, 0.5), quantile(lags, 0.95)
    if half is not None and most is not None:
        said += f" Half were delivered {_within(half)}, 95 of 100 {_within(most)}."
    return said


def _within(seconds: float) -> str:
    return f"within {seconds:g} s" if seconds < 1e9 else "after more than 2 min"
