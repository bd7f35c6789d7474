"""Every operation of WAHA's API, replayed against a gateway with each provider behind: the table of the page."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.provider_sites import THEM, Meta, Sessions, Site, Twilio, Waha, gateway, post
from tests.waha_operations import OPERATIONS, Values, read_table, replay, write_table

CHAT = f"{THEM}@c.us"
FINE = frozenset({200, 201})
REFUSED = frozenset({422, 501})
LEAST = {"waha": 143, "meta": 50, "twilio": 45, "session": 95, "whatsapp": 120}
"""Operations that are answered, of 162."""


def hold(provider: str, told: dict[str, tuple[int, str]]) -> None:
    """Every operation is answered, or refused with the reason; the table of the page says the same."""
    odd = {name: each for name, each in told.items() if each[0] not in FINE | REFUSED}
    assert not odd
    table = read_table()
    if os.environ.get("WAGATE_GOLDEN") == "update":
        write_table(table | {provider: told})
    else:
        assert told == table[provider]
    answered = sum(status in FINE for status, _ in told.values())
    assert answered >= LEAST[provider], f"{answered} of {len(told)}"


@pytest.mark.parametrize("kind", [Meta, Twilio, Waha, Sessions], ids=lambda kind: kind.provider)
async def test_every_operation_is_answered_or_refused_with_the_reason(kind: type[Site]) -> None:
    site = kind()
    async with gateway(site) as found:
        body = site.text("hello")
        await post(found, body, site.proof(body))
        messages: list[dict[str, Any]] = (
            await found.http.get(f"/api/main/chats/{CHAT}/messages", params={"limit": 5})
        ).json()
        sent = await found.http.post("/api/sendText", json={"session": "main", "chatId": CHAT, "text": "ours"})
        assert sent.status_code == 201, sent.text
        values = Values(chat=CHAT, message=messages[0]["id"], ours=sent.json()["id"])
        hold(site.provider, await replay(found.http, values))
    assert len(OPERATIONS) == 162
