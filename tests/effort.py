"""How much the tests do: a short form in every run, the long one by hand.

``WAGATE_TESTS_LONG=1`` asks for the long form; ``scripts/test proofs`` sets it. Hypothesis alone is asked with
``--hypothesis-profile=long``.
"""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import HealthCheck, settings

LONG = os.environ.get("WAGATE_TESTS_LONG") == "1"
EXAMPLES = {"ci": 30, "long": 1000}
"""How many each test of Hypothesis tries, by profile."""
T = TypeVar("T")


def effort(short: T, long: T) -> T:
    """How many kills, chats or messages a proof takes: one number for every run, one for the long form."""
    return long if LONG else short


def examples(times: int) -> settings:
    """So many times as many examples as most tests take, in whatever profile."""
    return settings(max_examples=times * settings.default.max_examples)


def load_profile() -> None:
    """Short runs try the same examples each time: one that fails in CI fails everywhere.

    Hypothesis times each example and the making of them. On a busy machine both fail by chance, so neither may.
    """
    for name, count in EXAMPLES.items():
        settings.register_profile(
            name,
            max_examples=count,
            derandomize=name == "ci",
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
    settings.load_profile("long" if LONG else "ci")
