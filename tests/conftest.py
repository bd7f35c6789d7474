"""What holds for all tests: how many examples they try, what a skip is, in which order they run, what they share."""

import gc
import os

import pytest
import structlog

from tests.effort import load_profile
from tests.gateway import GatewayProcess
from tests.spread import spread
from wagate.process.app import GC_THRESHOLDS

load_profile()
GatewayProcess.forks = True

pytest_plugins = ["tests.databases", "tests.shared_gateway", "tests.strictness", "tests.ways", "tests.wheels"]

# A gateway in a test's own process logs as structlog does by default. With rich an error shows all its locals in
# colour, which takes four seconds for one; no process of a gateway has rich (wagate.process.start).
structlog.get_config()["processors"][-1].exception_formatter = structlog.dev.plain_traceback

# Some thousand tests are made and stay: the collector has nothing to find among them, now or in any look to come.
gc.disable()


def pytest_collection_finish() -> None:
    """What there is now stays. The collector looks at what came since, as seldom as in a gateway's process."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, and some for each worker."""
    items[:] = spread(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
