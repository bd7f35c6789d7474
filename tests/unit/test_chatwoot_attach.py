"""How long a chat in Chatwoot waits for a file."""

from __future__ import annotations

import pytest

from tests.chatwoot_desk import a_desk
from wagate.errors import Postpone, UnavailableError
from wagate.events import Event, Media
from wagate.testing import FakeFile


async def test_a_file_that_does_not_come_holds_its_chat_for_fifteen_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_desk() as desk:
        clock = desk.fakes.clock

        async def waits(_event: Event, *, patience: float = 30.0) -> FakeFile:
            clock.shift(patience)
            raise UnavailableError("the file is still being fetched; try again")

        monkeypatch.setattr(desk.fakes.media, "open", waits)
        delivery, began = desk.arrives(type="image", content="my bill", media=Media(filename="a.png")), clock.time()
        while not desk.server.posted():
            try:
                await desk.handle(delivery)
            except Postpone as postponed:
                clock.shift(postponed.after)
        assert 12 < clock.time() - began <= 15
