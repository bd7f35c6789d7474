"""The short form of scripts/attack: what strangers do to a real process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attack.__main__ import PARTS, run
from tests.attack.case import target


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__.rpartition(".")[2])
async def test_the_walls_hold(part: Any) -> None:
    async with target(seed=1, short=True) as attacked:
        for case in part.CASES:
            assert await case.probe(attacked)


async def test_a_name_that_no_case_has_is_refused() -> None:
    with pytest.raises(ValueError, match="strangers' bodies"):
        await run(seed=1, short=True, only="bodyes")
