"""When a client's token was last used: written down in the background, for the admin to see."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.inprocess import moment, running_gateway
from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.owners.clients import TokenUses


async def test_a_token_shows_when_it_was_last_used_to_the_minute() -> None:
    async with running_gateway() as running:
        made = await running.client("acme")
        headers = {"Authorization": f"Bearer {made['token']}"}
        path = "/api/clients/acme/tokens"
        began = running.clock.now()
        for _ in range(5):
            await running.ask("GET", "/api/accounts", headers=headers)
        used = running.clock.now()
        await running.passes(61)

        async def written() -> bool:
            [token] = (await running.ask("GET", path))["data"]
            return token["last_used_at"] is not None

        await running.until(written)
        [token] = (await running.ask("GET", path))["data"]
        second = timedelta(seconds=1)
        assert began - second <= moment(token["last_used_at"]) <= used + second
        await running.ask("GET", "/api/accounts", 401, headers={"Authorization": "Bearer wrong"})


async def test_what_could_not_be_written_is_written_the_next_time() -> None:
    clock, full = Clock(), True
    written: list[dict[str, object]] = []

    class Full:
        async def write(self, _work: object, noted: dict[str, object]) -> None:
            if full:
                raise StorageError("the disk is full")
            written.append(noted)

    uses = TokenUses(Full(), clock)  # type: ignore[arg-type]
    uses.note("a")
    with pytest.raises(StorageError):
        await uses.write()
    uses.note("b")
    full = False
    await uses.write()
    await uses.write()
    assert [set(each) for each in written] == [{"a", "b"}]
