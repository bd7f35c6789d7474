"""In which order tests run: all workers are busy to the end, and nobody begins with a long one when others are done.

pytest-xdist cuts the list into one part of equal length for each worker (`--dist worksteal`); who is done takes half of
what another has left, from its end. So each part begins with files whose tests take long, and ends with short tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import pytest

SHORT = ("tests/unit/", "tests/contract/", "tests/test_docs.py", "tests/test_shape.py")
"""Eight tests of ten, and a sixth of the time."""
LONGEST = ("tests/docs/test_tour.py", "tests/test_", "tests/browser/", "tests/docs/")
"""They begin: whole processes, virtual environments, browsers, for up to a minute each."""


def spread(items: Iterable[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests. Those of a file that takes long stay together, in their order: they share what they set up."""
    files = [list(tests) for _, tests in groupby(items, key=_file)]
    long = sorted((tests for tests in files if not _is_short(tests)), key=_rank)
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for place, tests in enumerate(long):
        parts[place % workers] += tests
    return list(_filled(parts, [test for tests in files if _is_short(tests) for test in tests]))


def _filled(parts: list[list[pytest.Item]], short: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Part after part, each as long as the others."""
    left, used = sum(map(len, parts)) + len(short), 0
    for place, part in enumerate(parts):
        more = short[used : used + max(0, left // (len(parts) - place) - len(part))]
        yield from part
        yield from more
        left, used = left - len(part) - len(more), used + len(more)
    yield from short[used:]


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _is_short(tests: list[pytest.Item]) -> bool:
    return _file(tests[0]).startswith(SHORT)


def _rank(tests: list[pytest.Item]) -> tuple[int, bool]:
    """The less, the earlier."""
    name = _file(tests[0])
    place = next((at for at, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))
    return place, not any(test.get_closest_marker("slow") for test in tests)
