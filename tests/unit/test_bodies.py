"""Reading a request's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import trio

from wagate.errors import RequestTimeoutError
from wagate.web.http.bodies import PATIENCE, Bodies, read_body


async def test_a_body_that_drips_is_not_waited_for_longer_than_may_be(autojump_clock: Any) -> None:
    async def drip() -> Mapping[str, Any]:
        await trio.sleep(PATIENCE / 6.5)
        return {"type": "http.request", "body": b"x", "more_body": True}

    room = Bodies(100)
    begun = trio.current_time()
    with pytest.raises(RequestTimeoutError), room.hold() as held:
        await read_body({"headers": [], "extensions": {}}, drip, 100, held)
    assert trio.current_time() - begun == PATIENCE
    assert (room.held, room.passed) == (0, 6)
