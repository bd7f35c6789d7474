"""Entry points of what is installed, read again only when something was installed or removed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path


def entry_points(*, group: str) -> list[metadata.EntryPoint]:
    """Those of a group; of packages that bring the same name the last one counts.

    A start asks four times, and each time would read a file of every package.
    """
    return list(_read(tuple(_changed(folder) for folder in sys.path))(group=group))


def _changed(folder: str) -> tuple[str, int | None]:
    """A folder and when what is in it changed: installing a package makes a folder there."""
    with suppress(OSError):
        return folder, Path(folder).stat().st_mtime_ns
    return folder, None


@lru_cache(maxsize=2)
def _read(_environment: tuple[tuple[str, int | None], ...]) -> Callable[..., metadata.EntryPoints]:
    """All groups at once, and what chooses one of them."""
    return metadata.entry_points().select
