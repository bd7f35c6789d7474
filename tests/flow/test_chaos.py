"""The short form of every scenario of ``python -m scripts.chaos``."""

from __future__ import annotations

import pytest

from scripts.chaos.__main__ import SCENARIOS
from scripts.chaos.scenario import Scenario, Size, judge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
async def test_the_promise_holds(scenario: Scenario) -> None:
    verdict = await judge(scenario, Size(short=True, seed=1))
    assert verdict.held, verdict.says
