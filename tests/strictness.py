"""With ``WAGATE_TESTS_STRICT=1`` a skip fails: what a full check leaves out must not pass for checked."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

STRICT = "WAGATE_TESTS_STRICT"
Report = pytest.TestReport | pytest.CollectReport


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test, or what it needs, said skip."""
    report = yield
    fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module said skip."""
    report = yield
    fail_if_skipped(report)
    return report


def fail_if_skipped(report: Report) -> None:
    """Turn a skip into a failure that gives its reason. An expected failure is none."""
    if os.environ.get(STRICT) == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{STRICT}=1, and this was skipped: {_reason(report)}"


def _reason(report: Report) -> str:
    match report.longrepr:
        case (path, line, reason):
            return f"{reason} ({path}:{line})"
        case other:
            return str(other)
