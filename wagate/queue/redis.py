"""Redis under trio: one thread owns the connection, what waits at the same time goes out as one pipeline."""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import msgspec
import structlog
from outcome import Error, Outcome, Value
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, NoScriptError, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from wagate.batch_thread import BatchThread
from wagate.errors import ConfigError, QueueError

LARGEST_PIPELINE = 256
Run: TypeAlias = tuple[str | int, ...]
"""Name of a script, prefix, arguments."""
NEEDED = "noeviction"
"""The only maxmemory-policy under which nothing of the queue is thrown away."""

log = structlog.get_logger(__name__)
FORMS = {
    "redis": "redis://[user:password@]host:6379/0",
    "rediss": "rediss://[user:password@]host:6379/0",
    "unix": "unix:///path/to/socket",
    "redis+sentinel": "redis+sentinel://host:26379,host2:26379/service",
    "redis+cluster": "redis+cluster://[user:password@]host:6379,host2:6379",
    "rediss+cluster": "rediss+cluster://[user:password@]host:6379,host2:6379",
}
SCHEMES = tuple(FORMS)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One command, or one run of a script."""

    words: tuple[str | int, ...]
    """The command and its arguments; for a script its prefix and arguments."""
    script: Script | None = None


class RedisThread:
    """A Redis for trio. Make it inside `trio.run`, close it in the end."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        """``url`` as in `connect`; ``timeout``: seconds for connecting and for each answer. Raises ConfigError."""
        self.url = url
        self._pipelines = Pipelines(connect(url, timeout=timeout), name=shown(url))
        self._thread: BatchThread[Sequence[Call], list[Outcome[Any]]] = BatchThread(
            "redis", self._pipelines.run_groups, most=LARGEST_PIPELINE
        )

    async def nodes(self) -> Sequence[RedisThread]:
        """Each server that holds a part of what is kept: this one."""
        return [self]

    async def home(self, key: str) -> str:  # noqa: ARG002  (a cluster needs it)
        """URL of the server that has this key. QueueError."""
        return self.url

    def note_moved(self, error: MovedError) -> None:
        """See `RedisCluster`; one server refers to no other."""

    async def command(self, *words: str | int) -> Any:
        """Run one command; the answer as redis-py shapes it.

        Raises:
            QueueError: Redis can't be reached, or refuses (then `__cause__` is redis-py's ResponseError).
        """
        return (await self.submit(Call(words=words)))[0].unwrap()

    async def run(self, name: str, prefix: str, *arguments: str | int) -> Any:
        """Run the script ``lua/<name>.lua``. Raises QueueError like `command`."""
        return (await self.run_together((name, prefix, *arguments)))[0].unwrap()

    async def run_together(self, *runs: Run) -> list[Outcome[Any]]:
        """Run scripts one after the other in one round trip.

        An outcome for each: one that fails (with QueueError, as `command`) does not keep the next from running.
        """
        return await self.submit(*(Call(words=tuple(words), script=script(str(name))) for name, *words in runs))

    async def close(self) -> None:
        """Finish what waits and close the connection."""
        await self._thread.close()
        self._pipelines.close()

    async def submit(self, *calls: Call) -> list[Outcome[Any]]:
        """Send calls together; an outcome for each. QueueError: it was closed."""
        try:
            return await self._thread.submit(calls)
        except RuntimeError as error:
            raise QueueError("The connection to Redis is closed already") from error


class Pipelines:
    """The blocking side, used by one thread."""

    def __init__(self, client: Redis, *, name: str, now: Callable[[], float] = time.monotonic) -> None:
        """``name`` stands in messages; ``now``: monotonic seconds."""
        self._client = client
        self._name = name
        self._now = now
        self._failures = 0
        self._not_before = 0.0
        self._reason = ""
        self._loaded: set[str] = set()
        """Scripts that the server is thought to have: one that had to be sent again would run after those behind it."""

    def run(self, calls: Sequence[Call]) -> list[Outcome[Any]]:
        """Send all calls as one pipeline. Never raises: each call gets its value or its QueueError."""
        if self._now() < self._not_before:
            return [self._unreachable(None) for _ in calls]
        try:
            return self._run(calls)
        except Exception as error:  # noqa: BLE001  (the edge of the thread; what is no RedisError is our own fault)
            return [Error(error) for _ in calls]

    def run_groups(self, groups: Sequence[Sequence[Call]]) -> list[Outcome[list[Outcome[Any]]]]:
        """`run` for calls that belong together: their outcomes come together. Never raises."""
        outcomes = iter(self.run([call for group in groups for call in group]))
        return [Value(list(itertools.islice(outcomes, len(group)))) for group in groups]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _run(self, calls: Sequence[Call]) -> list[Outcome[Any]]:
        outcomes = self._send_with_scripts(calls)
        # The server forgot the scripts (restart, failover, SCRIPT FLUSH): none of these calls has run.
        unknown = [i for i, each in enumerate(outcomes) if isinstance(_refusal(each), NoScriptError)]
        if unknown:
            self._loaded.clear()
            for i, each in zip(unknown, self._send_with_scripts([calls[i] for i in unknown]), strict=True):
                outcomes[i] = each
        return outcomes

    def _send_with_scripts(self, calls: Sequence[Call]) -> list[Outcome[Any]]:
        """Send all calls, and before them the scripts that the server may not know."""
        needed = {wanted.sha: wanted for each in calls if (wanted := each.script) and wanted.sha not in self._loaded}
        loads = [Call(words=("SCRIPT LOAD", each.text)) for each in needed.values()]
        outcomes = self._send([*loads, *calls])
        self._loaded.update(sha for sha, each in zip(needed, outcomes, strict=False) if isinstance(each, Value))
        return outcomes[len(loads) :]

    def _send(self, calls: Sequence[Call]) -> list[Outcome[Any]]:
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            if call.script is None:
                pipeline.execute_command(*call.words)  # type: ignore[no-untyped-call]
            else:
                pipeline.execute_command("EVALSHA", call.script.sha, 1, *call.words)  # type: ignore[no-untyped-call]
        try:
            answers = pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self._failures += 1
            # At once after a first failure (a restart), then 0.1, 0.2 … 1 s apart.
            self._not_before = self._now() + min(0.05 * (2**self._failures - 2), 1.0)
            self._reason = _words(error)
            return [self._unreachable(error) for _ in calls]
        self._failures = 0
        return [self._judge(answer) for answer in answers]

    def _judge(self, answer: object) -> Outcome[Any]:
        if not isinstance(answer, Exception):
            return Value(answer)
        refusal = QueueError(f"Redis at {self._name} refuses: {_words(answer)}")
        refusal.__cause__ = answer
        return Error(refusal)

    def _unreachable(self, cause: Exception | None) -> Outcome[Any]:
        error = QueueError(f"Redis at {self._name} can't be reached: {self._reason}")
        error.__cause__ = cause
        return Error(error)


def _words(error: Exception) -> str:
    """What Redis says, without the arguments that old ones and proxies repeat: AUTH has the password among them."""
    return re.sub(r",? with args beginning with.*", "", str(error), flags=re.DOTALL | re.IGNORECASE)[:300]


def _refusal(each: Outcome[Any]) -> BaseException | None:
    return each.error.__cause__ if isinstance(each, Error) else None


def is_refusal(error: QueueError) -> bool:
    """Whether Redis answered and said no; else nobody knows whether the command ran."""
    return isinstance(error.__cause__, ResponseError)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One atomic operation."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """Read ``lua/<name>.lua``. Raises FileNotFoundError."""
    folder = resources.files("wagate.queue") / "lua"
    text = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("layout", name))
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # what EVALSHA names a script by
    return Script(name=name, text=text, sha=sha)


async def check_policy(redis: RedisThread) -> None:
    """Refuse a Redis that throws keys away when its memory is full.

    A server that does not let us ask is only warned about.

    Raises:
        QueueError: the policy is another one (the message says the cure), or Redis can't be reached.
    """
    for node in await redis.nodes():
        await _check_node(node)


async def _check_node(node: RedisThread) -> None:
    try:
        # INFO says it too, and managed servers that forbid CONFIG allow INFO.
        policy = (await node.command("INFO", "memory")).get("maxmemory_policy")
    except QueueError as error:
        if not is_refusal(error):
            raise
        policy = None
    if policy is None:
        log.warning("redis_policy_unknown", needed=NEEDED, reason="the server does not report its maxmemory-policy")
    elif policy != NEEDED:
        raise QueueError(
            f"Redis has maxmemory-policy {policy} ({shown(node.url)}), which may throw the queue away when memory is "
            f"full; set it to {NEEDED}: CONFIG SET maxmemory-policy {NEEDED}, and the same line in redis.conf"
        )


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
