"""Sending over HTTP on a machine that stands still now and then: that is no provider who takes long.

Use with ``pytestmark = pytest.mark.usefixtures("patient")`` and ``pytest_plugins = ("tests.patience",)``. It asserts
nothing itself: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.inprocess import Gateway
from wagate.hooks import MessageView
from wagate.outbound.outbox import Outbox
from wagate.web.messages.sending import PATIENCE

MORE = 3.0
"""How many times as long a request waits for the provider."""
Json = dict[str, Any]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute in place of ten seconds, before what was asked for is answered 202."""
    wait = Outbox.wait

    async def longer(self: Outbox, message_id: str, *, client_id: int | None, seconds: float) -> MessageView:
        return await wait(self, message_id, client_id=client_id, seconds=MORE * seconds)

    monkeypatch.setattr(Outbox, "wait", longer)


async def held(gateway: Gateway, **body: Any) -> Json:
    """The answer to a message that its account can't send: the wait is over once it is known why. Needs `patient`."""
    answers: list[Json] = []

    async def post() -> None:
        answers.append(await gateway.ask("POST", "/messages/send", 202, json=body))

    async def failed() -> bool:
        listed = await gateway.ask("GET", "/messages")
        return any(each["error"] for each in listed["data"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(post)
        await gateway.until(failed)
        await gateway.passes(MORE * PATIENCE + 1)  # less than the minute after which the account is tried again
    return answers[0]
