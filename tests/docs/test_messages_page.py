"""The pages about sending: every body that they show is taken, and every status that they name is one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.api_site import ACME, api_site
from tests.fake_messages import FakeMessages
from wagate.hooks import MESSAGE_TYPES
from wagate.web.messages.routes import STATUSES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "".join((DOCS / name).read_text("utf-8") for name in ("reference/messages-api.md", "how-to/send-messages.md"))
SHOWN = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)]
BODIES = [each for each in SHOWN if "to" in each and "job_id" not in each]
WAHA = [each for each in SHOWN if "chatId" in each]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(next(iter(body["message"]))))
async def test_a_body_of_the_page_is_taken(body: Any, tmp_path: Path) -> None:
    messages = FakeMessages()
    async with api_site(tmp_path, outbound=messages.outbound) as site, site.as_(ACME) as http:
        answer = await http.post("/messages/send", json=body)
    assert answer.status_code == 200, answer.text
    assert len(messages.messages) == 1


async def test_the_answer_of_the_page_has_the_fields_of_the_real_one(tmp_path: Path) -> None:
    [printed] = [each for each in SHOWN if "delivery_status" in each]
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        answer = await http.post("/messages/send", json=BODIES[0])
    assert list(answer.json()) == list(printed)


async def test_wahas_body_is_taken(tmp_path: Path) -> None:
    [body] = WAHA
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        answer = await http.post("/api/sendText", json=body)
    assert answer.status_code == 201


def test_every_type_and_status_is_on_the_page() -> None:
    assert not [each for each in (*MESSAGE_TYPES, *STATUSES) if not re.search(rf"[`\"]{each}[`\"]", PAGE)]
