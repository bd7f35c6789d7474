"""From a URL to a blocking Redis client, set up so that nothing is ever sent twice behind our back."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from wagate.errors import ConfigError

FORMS = {
    "redis": "redis://[user:password@]host:6379/0",
    "rediss": "rediss://[user:password@]host:6379/0",
    "unix": "unix:///path/to/socket",
    "redis+sentinel": "redis+sentinel://host:26379,host2:26379/service",
    "redis+cluster": "redis+cluster://[user:password@]host:6379,host2:6379",
    "rediss+cluster": "rediss+cluster://[user:password@]host:6379,host2:6379",
}
SCHEMES = tuple(FORMS)


def connect(url: str, *, timeout: float) -> Redis:
    """Make a client; it connects at its first command.

    ``url``: ``redis://[user:password@]host:6379/0``, ``rediss://…``, ``unix:///path``, or
    ``redis+sentinel://[user:password@]host:26379,host2:26379/service[/0]``. ``timeout``: seconds for connecting and
    for each answer.

    Raises:
        ConfigError: the URL can't be used.
    """
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise ConfigError(f"redis.url: {scheme!r} is not a known scheme; use one of {', '.join(SCHEMES)}")
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "decode_responses": True,
        "protocol": 2,
        # A command whose answer was lost may have run; only the queue knows how to go on.
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        return _by_sentinel(url, options) if scheme == "redis+sentinel" else Redis.from_url(url, **options)
    except (ValueError, RedisError):
        # The message may repeat parts of the URL, its password among them.
        raise ConfigError(f"redis.url can't be read; write {FORMS[scheme]}") from None


def shown(url: str) -> str:
    """The URL without user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _by_sentinel(url: str, options: dict[str, Any]) -> Redis:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise ValueError("hosts or service are missing")
    user, _, password = credentials.rpartition(":") if ":" in credentials else ("", "", credentials)
    sentinels = [(host, int(port or 26379)) for host, _, port in (each.partition(":") for each in hosts.split(","))]
    sentinel = Sentinel(sentinels, sentinel_kwargs=dict(options))  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        service,
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        **options,
    )
    return master
