"""Pure parts of the health report."""

from __future__ import annotations

import pytest

from wagate.web.health import Check, Level, uptime, worst


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (42.9, "42s"), (312, "5m 12s"), (8100, "2h 15m"), (7200, "2h 0m"), (273600, "3d 4h")],
)
def test_uptime_names_its_two_largest_units(seconds: float, text: str) -> None:
    assert uptime(seconds) == text


@pytest.mark.parametrize(
    ("parts", "level"),
    [
        ({}, Level.HEALTHY),
        ({"database": Level.HEALTHY, "redis": Level.DEGRADED}, Level.DEGRADED),
        ({"database": Level.HEALTHY, "redis": Level.UNHEALTHY}, Level.DEGRADED),
        ({"database": Level.UNHEALTHY, "redis": Level.HEALTHY}, Level.UNHEALTHY),
        ({"disk": Level.UNHEALTHY}, Level.UNHEALTHY),
    ],
)
def test_only_database_and_disk_make_it_unhealthy(parts: dict[str, Level], level: Level) -> None:
    assert worst({name: Check(status=status) for name, status in parts.items()}) is level
