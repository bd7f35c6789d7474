"""What holds for all tests: how many examples they try, what a skip is, in which order they run, what they share."""

import gc

import pytest

from tests.effort import load_profile
from tests.gateway import GatewayProcess

load_profile()
GatewayProcess.forks = True

pytest_plugins = ["tests.databases", "tests.shared_gateway", "tests.strictness", "tests.ways"]

# Some thousand tests are made and stay: the collector has nothing to find among them, now or in any look to come.
gc.disable()


def pytest_collection_finish() -> None:
    """What there is now stays. Each run of the collector looks at what came since, which is little."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: one worker takes these, one after the other, and the others have enough to do meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
