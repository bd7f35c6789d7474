"""Public names that end: whoever uses one is warned, with what replaces it and since when. The core's own."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Names = Mapping[str, tuple[str, str]]
"""Old name → (new name in the same module, the version that deprecated the old one)."""


class EndingWarning(DeprecationWarning):
    """A plugin uses something public that will be removed."""


def replaced(module: str, names: Names) -> Callable[[str], Any]:
    """A module's ``__getattr__``: old names are the new ones, with a warning at the line that uses them."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new, since = names[name]
        said = f"{module}.{name} is deprecated since {since}; use {module}.{new}"
        warnings.warn(said, EndingWarning, stacklevel=2)
        return getattr(sys.modules[module], new)

    return find


@contextmanager
def old_uses(tell: Callable[[str], None]) -> Iterator[None]:
    """``tell`` gets a line ``file:line: what to use`` for each use of what ends, when it closes, also by an error."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EndingWarning)
            yield
    finally:
        for line in dict.fromkeys(f"{each.filename}:{each.lineno}: {each.message}" for each in caught if _ours(each)):
            tell(line)
        for each in caught:
            if not _ours(each):
                warnings.showwarning(each.message, each.category, each.filename, each.lineno)


def _ours(each: warnings.WarningMessage) -> bool:
    return issubclass(each.category, EndingWarning)
