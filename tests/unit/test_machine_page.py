"""What the machine's page foretells of the disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wagate.config.tables import Retention
from wagate.storage.upkeep.stored import Stored
from wagate.web.ui import words
from wagate.web.ui.machine import forecast, kept

NOW = datetime(2025, 1, 20, 10, tzinfo=UTC)
GB = 10**9
MONTH = 30 * 86_400.0


def after(days: float, size: int = 2 * GB, *, here: bool = True) -> Stored:
    return Stored(size=size, here=here, oldest_at=NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("found", "free", "said"),
    [
        (after(10), 3 * GB, "full in about 15 days"),
        (after(10), 5 * GB, "room enough: it grows to about 6.0 GB, then the oldest messages are deleted"),
        (after(40), GB // 10, "room enough: it grows to about 2.0 GB, then the oldest messages are deleted"),
        (after(40), 0, "full: make room, or shorten retention"),
        (after(10), 0, "full: make room, or shorten retention"),
        (after(1, here=False), 0, "full: make room, or shorten retention"),
        (after(1), 3 * GB, ""),
        (after(10, here=False), 3 * GB, ""),
        (Stored(size=1, here=True, oldest_at=None), 3 * GB, ""),
    ],
)
def test_the_disk_is_full_unless_messages_are_deleted_before(found: Stored, free: int, said: str) -> None:
    assert forecast(found, free=free, keep=MONTH, now=NOW) == said


def test_without_deletion_there_may_be_room_for_years() -> None:
    assert forecast(after(10), free=10**13, keep=10**12, now=NOW) == "room for years"


def test_every_age_of_retention_is_on_the_page() -> None:
    assert [long for _, long in kept(Retention())] == ["30 days", "90 days", "30 days", "90 days"]
    assert len(kept(Retention())) == len(Retention.__struct_fields__)


@pytest.mark.parametrize(
    ("count", "said"),
    [(12_345_678_901, "12 GB"), (1_250_000_000, "1.2 GB"), (340e6, "340 MB"), (999, "less than 1 MB")],
)
def test_a_size_is_said_in_two_or_three_digits(count: float, said: str) -> None:
    assert words.size(count) == said
