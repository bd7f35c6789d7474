"""Which version of the engine's package does, what to do about any other, and how old its library is."""

from __future__ import annotations

import mmap
import re
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

PACKAGE: Final = "neonize"
LEAST: Final = (0, 5, 2)
"""Older wheels lack functions that are used, or download a binary when they are imported."""
UPDATE: Final = "pip install --upgrade neonize"
"""The extra wagate[whatsapp] asks for a least version alone: to upgrade it would leave the engine as it is."""


def numbers(text: str) -> tuple[int, ...]:
    """``0.5.2.post1`` → (0, 5, 2)."""
    return tuple(int(each) for each in re.findall(r"\d+", text.partition(".post")[0])[:3])


def unfit(version: str, least: tuple[int, ...] = LEAST) -> str:
    """Why a library that calls itself so is not used, and the cure; '' when it does."""
    if numbers(version) >= least:
        return ""
    found = f"is version {version[:50]}" if version else "does not say its version"
    needed = ".".join(map(str, least))
    return f"the library of {PACKAGE} {found}, {needed} or newer is needed; {UPDATE}, then restart wagate"


_MADE: Final = re.compile(rb"go\.mau\.fi/whatsmeow[@\t]v[\w.]{1,40}-(?:0\.)?(\d{14})-[0-9a-f]{12}")
"""Go writes the versions of all modules into what it builds (``go version -m``); whatsmeow has no releases, and its
versions hold the time of the last change. Source: https://go.dev/ref/mod#pseudo-versions."""


@lru_cache
def made(library: Path) -> datetime | None:
    """When the whatsmeow in a library was last changed; None when the library does not say. Reads all of it, once."""
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = _MADE.search(content)
            text = found[1].decode() if found else ""
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except (OSError, ValueError):
        return None
