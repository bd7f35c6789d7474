"""How long work holds the loop, in a unit that the machine gives: neither a slow one nor its neighbours count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

HELD: Final = 20.0
"""Units that one request may hold the loop: 0.1 s where a unit takes 5 ms, as on our machines (5.2 to 5.7 ms)."""
LOOKS: Final = 5
_TEXT: Final = json.dumps(["a"] * 2**18)
"""A megabyte and a quarter of JSON."""


def seconds(work: Callable[[], Any], *errors: type[Exception]) -> float:
    """CPU seconds of this thread: while others run, it doesn't count."""
    began = time.thread_time()
    with suppress(*errors):
        work()
    return time.thread_time() - began


def units(took: float) -> float:
    """So many times as long as Python's own JSON takes for a megabyte, here and now.

    Both take longer on a machine that is slow or busy, by some share; what takes the square of its length, by far more.
    """
    return took / min(seconds(lambda: json.loads(_TEXT)) for _ in range(2))


def held(work: Callable[[], Any], *errors: type[Exception]) -> float:
    """Units that the work takes: of some looks the least, or the first that may be."""
    found: list[float] = []
    while len(found) < LOOKS and min(found, default=HELD) >= HELD:
        found.append(units(seconds(work, *errors)))
    return min(found)
