"""The short form of scripts/attack: what strangers do to a real process."""

from __future__ import annotations

import pytest

from tests.attack.__main__ import CASES
from tests.attack.case import Case, target


@pytest.mark.parametrize("part", ["doors", "connections", "bodies", "host"])
async def test_the_walls_hold(part: str) -> None:
    cases: list[Case] = [case for case in CASES if case.probe.__module__ == f"tests.attack.{part}"]
    assert cases
    async with target(seed=1, short=True) as attacked:
        for case in cases:
            assert await case.probe(attacked)
