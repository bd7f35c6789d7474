"""How far a message of several parts got, as Chatwoot is told."""

from __future__ import annotations

import pytest

from wagate_chatwoot.to_chatwoot.acks import lowest


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((), ""),
        (("read",), "read"),
        (("read", "delivered"), "delivered"),
        (("read", "queued"), ""),
        (("read", "failed"), ""),
    ],
)
def test_a_message_got_as_far_as_its_last_part(parts: tuple[str, ...], told: str) -> None:
    assert lowest(parts) == told
