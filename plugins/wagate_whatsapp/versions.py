"""Which version of the engine's package does, and what to do about any other."""

from __future__ import annotations

import re
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
