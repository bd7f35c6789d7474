"""URLs, and when a Redis that is away is tried again."""

from __future__ import annotations

import pytest
from outcome import Error
from redis import Redis
from redis.sentinel import SentinelConnectionPool

from wagate.errors import ConfigError, QueueError
from wagate.queue.redis import Call, Pipelines, connect, shown


def options(client: Redis) -> dict[str, object]:
    return dict(client.connection_pool.connection_kwargs)


def test_each_kind_of_url_is_understood() -> None:
    tcp = options(connect("redis://me:se%40cret@example.test:6380/3", timeout=2))
    assert (tcp["host"], tcp["port"], tcp["db"]) == ("example.test", 6380, 3)
    assert (tcp["username"], tcp["password"]) == ("me", "se@cret")
    assert (tcp["socket_timeout"], tcp["socket_connect_timeout"]) == (2, 2)
    assert options(connect("unix:///run/my%20redis.sock", timeout=2))["path"] == "/run/my redis.sock"
    tls = connect("rediss://example.test", timeout=2).connection_pool
    assert tls.connection_class.__name__ == "SSLConnection"


def test_a_sentinel_url_names_its_sentinels_the_service_and_the_password() -> None:
    client = connect("redis+sentinel://me:p%3Aw@one:26379,two/main/2", timeout=2)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "main"
    nodes = [(options(each)["host"], options(each)["port"]) for each in pool.sentinel_manager.sentinels]
    assert nodes == [("one", 26379), ("two", 26379)]
    assert (options(client)["username"], options(client)["password"], options(client)["db"]) == ("me", "p:w", 2)


@pytest.mark.parametrize("url", ["http://x", "", "localhost:6379", "redis+sentinel://one", "redis+sentinel://a:b/main"])
def test_a_wrong_url_names_the_key(url: str) -> None:
    with pytest.raises(ConfigError, match=r"redis\.url"):
        connect(url, timeout=2)


def test_no_command_is_sent_again_behind_our_back() -> None:
    assert options(connect("redis://x", timeout=2))["retry"].get_retries() == 0  # type: ignore[attr-defined]


def test_a_shown_url_has_no_password() -> None:
    assert shown("redis://me:secret@host:1/2") == "redis://host:1/2"
    assert shown("rediss://host/0?password=secret") == "rediss://host/0"
    assert shown("unix:///run/x.sock?password=secret") == "unix:///run/x.sock"


def test_an_absent_redis_is_tried_at_once_and_then_ever_more_rarely() -> None:
    now = 0.0
    pipelines = Pipelines(connect("unix:///nowhere/x.sock", timeout=1), name="x", now=lambda: now)

    def tried() -> bool:
        (outcome,) = pipelines.run([Call(words=("PING",))])
        assert isinstance(outcome, Error)
        assert isinstance(outcome.error, QueueError)
        return outcome.error.__cause__ is not None  # an answer from memory has no cause

    assert tried()
    assert tried()
    assert not tried()
    now += 0.11
    assert tried()
    now += 0.11
    assert not tried()
    now += 10
    for _ in range(5):
        assert tried()
        now += 1.01
    assert tried()


def test_every_call_of_a_batch_gets_its_own_error() -> None:
    pipelines = Pipelines(connect("unix:///nowhere/x.sock", timeout=1), name="x")
    outcomes = pipelines.run([Call(words=("PING",)), Call(words=("PING",))])
    assert len(outcomes) == 2
    assert outcomes[0] is not outcomes[1]
