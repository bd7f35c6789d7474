"""Two gateways on one Redis and one PostgreSQL: the same promises, also when one of them dies for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from tests.gateway import gateway, register
from tests.proof import assert_explained, assert_in_order, fails_at_first, given_up, repeated, until_delivered
from tests.provider import Provider
from tests.sink import https_sink
from tests.valkey import external_valkey

pytestmark = pytest.mark.slow
pytest_plugins = ("tests.databases",)

CHATS = 40
AT_LEAST = 25
IN_FLIGHT = 64


@pytest.fixture
def shared(postgres_url: str) -> Iterator[dict[str, dict[str, Any]]]:
    """Tables of a configuration that several processes can have."""
    with external_valkey() as redis_url:
        yield {
            "database": {"url": postgres_url},
            "redis": {"url": redis_url},
            "auth": {"secret_key": "one passphrase for both of them"},
            "queue": {"lease": "2s"},
        }


async def test_one_of_two_is_killed_for_good_and_the_other_delivers_everything_in_order(
    shared: dict[str, dict[str, Any]],
) -> None:
    async with (
        https_sink(fails_at_first(every=20), delay=0.02) as sink,
        gateway(shared, ca_file=sink.ca_file) as first,
        gateway(shared, ca_file=sink.ca_file) as second,
    ):
        await register(first, sink.url)
        await trio.sleep(2.5)  # the other process notices within a second or two
        both = Provider(first, second, chats=CHATS, at_least=AT_LEAST)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(both.send)
            await both.until_accepted(CHATS * AT_LEAST // 2)
            killed_at = trio.current_time()
            first.kill()
            both.finish()
        await until_delivered(sink, both, 90)
        assert await given_up(second) == []
    twice = repeated(sink)
    print(f"\n{both.accepted} messages accepted by two processes, {len(twice)} duplicates")
    assert_in_order(sink, both.chats)
    assert_explained(twice, [killed_at], IN_FLIGHT)


async def test_a_webhook_registered_at_one_is_served_by_the_other_soon(shared: dict[str, dict[str, Any]]) -> None:
    async with (
        https_sink() as sink,
        gateway(shared, ca_file=sink.ca_file) as first,
        gateway(shared, ca_file=sink.ca_file) as second,
    ):
        await register(first, sink.url)
        with trio.fail_after(20):
            while not sink.accepted:
                body = {"from": "+15550000001", "message": "are you there?", "tenant_id": "default"}
                assert (await second.http.post("/webhook/inbound", json=body)).status_code == 202
                await trio.sleep(0.25)
