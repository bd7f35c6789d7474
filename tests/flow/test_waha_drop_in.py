"""Every operation of WAHA's API, and of its n8n node, replayed against a gateway with each provider behind.

What is answered makes the table of the page.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import trio

from tests.provider_sites import THEM, Dialog360, Infobip, Meta, Sessions, Site, Twilio, Waha, gateway, post
from tests.waha_node import NODE, replay_node
from tests.waha_operations import NODE_TABLE, OPERATIONS, TABLE, Values, read_table, replay, write_table

CHAT = f"{THEM}@c.us"
FINE = frozenset({200, 201})
REFUSED = frozenset({422, 501})


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Whose requests are made."""

    of: Callable[[httpx2.AsyncClient, Values], Awaitable[dict[str, tuple[int, str]]]]
    table: Path
    count: int
    least: Mapping[str, int]
    """Provider → how many are answered."""


DOCUMENT = Replay(
    of=replay,
    table=TABLE,
    count=162,
    least={"waha": 151, "meta": 77, "dialog360": 77, "infobip": 76, "twilio": 73, "session": 114, "whatsapp": 140},
)
N8N = Replay(
    of=replay_node,
    table=NODE_TABLE,
    count=143,
    least={"waha": 139, "meta": 68, "dialog360": 68, "infobip": 67, "twilio": 65, "session": 103, "whatsapp": 129},
)
INBOX = {
    "plugins.chatwoot.inboxes.an-id": {"url": "http://127.0.0.1:9", "account_id": 1, "inbox_id": 2, "token": "t" * 20}
}
"""A gateway's inbox of Chatwoot, which nobody serves here: it is looked at only."""
BOTH = pytest.mark.parametrize("made", [DOCUMENT, N8N], ids=["document", "node"])


async def hold(provider: str, made: Replay, http: httpx2.AsyncClient, values: Values) -> None:
    """Every operation is answered, or refused with the reason; the table of the page says the same."""
    told = await made.of(http, values)
    odd = {name: each for name, each in told.items() if each[0] not in FINE | REFUSED}
    assert not odd
    table = read_table(made.table)
    if os.environ.get("WAGATE_GOLDEN") == "update":
        write_table(table | {provider: told}, made.table)
    else:
        assert told == table[provider]
    assert len(told) == made.count
    answered = sum(status in FINE for status, _ in told.values())
    assert answered >= made.least[provider], f"{answered} of {len(told)}"


def test_the_node_has_one_operation_that_the_document_lacks() -> None:
    verbs = {each.verb for each in NODE}
    assert len(verbs) == len(NODE) == N8N.count
    assert len(OPERATIONS) == DOCUMENT.count
    assert verbs - {f"{each.method} {each.path}" for each in OPERATIONS} == {"GET /api/apps/chatwoot/locales"}


@BOTH
@pytest.mark.parametrize("kind", [Meta, Dialog360, Infobip, Twilio, Waha, Sessions], ids=lambda kind: kind.provider)
async def test_every_operation_is_answered_or_refused_with_the_reason(kind: type[Site], made: Replay) -> None:
    site = kind()
    async with gateway(site, **INBOX) as found:
        body = site.text("hello")
        await post(found, body, site.proof(body))
        messages: list[dict[str, Any]] = (
            await found.http.get(f"/api/main/chats/{CHAT}/messages", params={"limit": 5})
        ).json()
        sent = await found.http.post("/api/sendText", json={"session": "main", "chatId": CHAT, "text": "ours"})
        assert sent.status_code == 201, sent.text
        values = Values(chat=CHAT, message=messages[0]["id"], ours=sent.json()["id"])
        await hold(site.provider, made, found.http, values)
        with trio.fail_after(5):
            await found.stop.wait()
