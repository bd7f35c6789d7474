"""What the doctor's page says at its top."""

from __future__ import annotations

import pytest

from wagate.web.ui.doctor import heading


@pytest.mark.parametrize(
    ("bad", "doubtful", "says"),
    [
        (0, 0, "Everything works"),
        (0, 1, "Nothing is broken, with 1 warning"),
        (0, 3, "Nothing is broken, with 3 warnings"),
        (1, 3, "One thing does not work"),
        (2, 0, "Two things do not work"),
    ],
)
def test_a_warning_is_not_hidden_behind_a_heading(bad: int, doubtful: int, says: str) -> None:
    assert heading(bad, doubtful) == says
