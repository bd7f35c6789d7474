"""The order of the tests: who sets something up keeps it, and no worker begins with a long one at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.spread import spread


class Item:
    """As much of a test as its place depends on."""

    def __init__(self, nodeid: str, *, slow: bool = False) -> None:
        self.nodeid, self.slow = nodeid, slow

    def get_closest_marker(self, _name: str) -> bool | None:
        return self.slow or None


LONG = dict.fromkeys(
    ["tests/browser/test_acts.py", "tests/docs/test_tour.py", "tests/flow/test_a.py", "tests/test_install.py"], 7
)
SHORT = {"tests/contract/test_queue.py": 90, "tests/unit/test_a.py": 50}


def made(files: dict[str, int]) -> list[Any]:
    return [Item(f"{name}::test_{number}") for name, count in files.items() for number in range(count)]


def parts(items: list[Any], workers: int) -> list[list[str]]:
    """As pytest-xdist cuts the list: its file for each test."""
    found, names = [], [item.nodeid.partition("::")[0] for item in items]
    for place in range(workers):
        size = len(names) // (workers - place)
        found.append(names[:size])
        names = names[size:]
    return found


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_each_worker_begins_with_long_files_which_stay_whole(workers: int) -> None:
    items = made(dict(sorted((LONG | SHORT).items())))
    ordered = spread(items, workers)
    assert Counter(ordered) == Counter(items)
    cut = parts(ordered, workers)
    for part in cut:
        long = [name for name in part if name in LONG]
        assert part[: len(long)] == long
    for name in LONG:
        assert sum(name in part for part in cut) == 1
        assert [item for item in ordered if name in item.nodeid] == [item for item in items if name in item.nodeid]
    assert {part[0] for part in cut} >= set(LONG if workers > 3 else ["tests/docs/test_tour.py"])


def test_proofs_begin_before_the_other_files_of_their_folder() -> None:
    items: list[Any] = [Item("tests/flow/test_a.py::test_a"), Item("tests/flow/test_kill.py::test_k", slow=True)]
    assert [item.nodeid[11:] for item in spread(items, 1)] == ["test_kill.py::test_k", "test_a.py::test_a"]


def test_a_few_files_for_many_workers_are_all_there() -> None:
    items = made({"tests/flow/test_a.py": 50, "tests/unit/test_b.py": 3})
    assert sorted(item.nodeid for item in spread(items, 6)) == sorted(item.nodeid for item in items)
    assert spread([], 4) == []
