"""Judges outside the repository: a folder ``shared`` beside it, whose samples and documents are none of ours.

They judge in addition. Where one is not there, the tests that need it are not collected.
"""

from __future__ import annotations

from pathlib import Path

import pytest

OUTSIDE = Path(__file__).parents[1].parent / "shared"
MARK = "outside"


def outside(path: str) -> pytest.MarkDecorator:
    """Mark tests that need this file or folder of the folder ``shared``: ``@outside("samples/meta")``."""
    return pytest.mark.outside(path)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(path): needs this path of the folder {OUTSIDE.name} beside the clone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no judge here."""
    absent = [item for item in items if not all((OUTSIDE / mark.args[0]).exists() for mark in item.iter_markers(MARK))]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in set(absent)]
