"""Charts as SVG: attributes alone, so that the page's policy holds and no script is needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from wagate.storage.minutes import HOUR, MINUTE, Bucket, quantile, start_of
from wagate.web.api.stats import together
from wagate.web.ui import words

RANGES: Final = {"1h": ("1 h", 3600, MINUTE), "24h": ("24 h", 86400, 1800), "7d": ("7 days", 7 * 86400, 6 * HOUR)}
"""``?range=`` → its words, its seconds, and the seconds of a bar."""
WIDTH: Final = 960
HEIGHT: Final = 130


def bars(found: Sequence[Bucket], *, seconds: int, step: int, now: datetime) -> Markup:
    """Delivered and failed tries, one bar for each ``step`` seconds, the newest on the right."""
    count = seconds // step
    first = start_of(now, step) - timedelta(seconds=step * (count - 1))
    done, failed = [0] * count, [0] * count
    for each in found:
        place = int((each.at - first).total_seconds() // step)
        if 0 <= place < count:
            done[place] += each.done
            failed[place] += each.failed
    peak = max([1, *(one + other for one, other in zip(done, failed, strict=True))])
    wide = WIDTH / count
    parts = [Markup('<path class="g" d="M0 20H960M0 75H960M0 130H960"/>')]
    for place, (good, bad) in enumerate(zip(done, failed, strict=True)):
        for size, above, kind in ((good, 0, "bx"), (bad, good, "bx red")):
            if size:
                high = max(size * (HEIGHT - 10) / peak, 1)
                low = HEIGHT - above * (HEIGHT - 10) / peak - high
                parts.append(
                    Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                        kind, place * wide, low, max(wide - 2, 1), high
                    )
                )
    return Markup("").join(parts)


def caption(found: Sequence[Bucket]) -> str:
    """What the picture says, in a sentence."""
    totals = together(list(found))
    done, failed = sum(each.done for each in totals), sum(each.failed for each in totals)
    if not done and not failed:
        return "Nothing was delivered or tried in this time."
    lags = [sum(column) for column in zip(*(each.lags for each in totals), strict=True)]
    said = f"{done:,} delivered, {words.plural(failed, 'try', 'tries')} failed."
    half, most = quantile(lags, 0.5), quantile(lags, 0.95)
    if half is not None and most is not None:
        said += f" Half were delivered {_within(half)}, 95 of 100 {_within(most)}."
    return said


def _within(seconds: float) -> str:
    return f"within {seconds:g} s" if seconds < 1e9 else "after more than 2 min"
