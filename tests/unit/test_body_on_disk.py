"""A body with a file inside is looked through in steps, whatever it is made of."""

from __future__ import annotations

from typing import Any, cast

import trio

from wagate.media.inside import STEP, BodyOnDisk


class Disk:
    async def write(self, piece: bytes) -> None:
        await trio.lowlevel.checkpoint()


async def test_others_get_their_turn_while_a_piece_of_nothing_but_quotes_is_looked_through() -> None:
    body = BodyOnDisk(cast("Any", Disk()), most=2**20, limit="server.max_body", take=lambda _size: None)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await body.write(b'"' * 8 * STEP)
        nursery.cancel_scope.cancel()
    assert turns >= 7
    assert body.rest() == b'"' * 8 * STEP
