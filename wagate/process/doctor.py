"""Ask the real things whether the gateway would work; the lines of ``wagate doctor``."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import peewee
import structlog
import trio

from wagate.clock import Clock
from wagate.config import Config, redact
from wagate.config.check import SHORTEST_SECRET
from wagate.errors import PluginError, WagateError
from wagate.hooks.providers import Finding
from wagate.http.client import HttpClient
from wagate.http.errors import HttpError
from wagate.http.guard import Trust
from wagate.http.owner import on_behalf_of
from wagate.media.convert import can_convert, check
from wagate.media.failure import NotConvertedError
from wagate.plugins.account_settings import short_secrets, storable, urls_in
from wagate.plugins.registry import Providers
from wagate.queue.redis import NEEDED, RedisThread, check_policy
from wagate.storage.database import Database
from wagate.storage.owners.directory import Account
from wagate.storage.statement import run
from wagate.web.api.doctor import DoctorLine
from wagate.web.health import LEAST_FREE

PATIENCE: Final = 15.0
"""Seconds for each part."""
AT_ONCE: Final = 8
"""Parts."""
LITTLE_FREE: Final = 1024**3
"""Bytes; less is worth a warning."""
SKEW_TOLD: Final = 30.0
"""Seconds between two clocks that are worth a warning."""
LONGER: Final = "choose a longer one, here and at the provider; this one can be guessed"
SKEW_HURTS: Final = 300.0
"""Seconds after which receivers refuse signed webhooks as too old (Standard Webhooks)."""

log = structlog.get_logger("wagate.process.doctor")
Look = Callable[[], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What is looked at."""

    config: Config
    clock: Clock
    http: HttpClient
    providers: Providers
    database: Database | None
    """None: there is none yet."""
    redis: RedisThread | None
    """None: the embedded one, which runs only with the gateway."""
    accounts: Sequence[Account]
    checks: Sequence[tuple[str, Look]] = ()
    """(plugin, its own look)."""


async def run_checks(installation: Installation, *, at_once: int = AT_ONCE, part: str = "") -> list[DoctorLine]:
    """All findings, part by part; a part that hangs or fails is one line of its own.

    ``at_once``: parts; ``part``: this one alone.
    """
    looks = [each for each in _looks(installation) if part in {"", each[0]}]
    found: list[list[DoctorLine]] = [[] for _ in looks]
    secrets = installation.config.secrets | frozenset(_secrets(installation))
    limiter = trio.CapacityLimiter(at_once)

    async def one(place: int, part: str, look: Look) -> None:
        async with limiter:
            found[place] = [_line(part, each, secrets) for each in await _findings(part, look)]

    async with trio.open_nursery() as nursery:
        for place, (name, look) in enumerate(looks):
            nursery.start_soon(one, place, name, look)
    return [line for lines in found for line in lines]


def _looks(installation: Installation) -> Iterator[tuple[str, Look]]:
    yield "database", partial(_database, installation)
    yield "redis", partial(_redis, installation)
    yield "disk", partial(_disk, installation)
    yield "clock", partial(_clocks, installation)
    yield "public_url", partial(_public_url, installation)
    if any(_needs_opus(installation, account) for account in installation.accounts):
        yield "voice", _voice
    for name, reason in installation.providers.unusable.items():
        yield f"provider {name}", partial(_unusable, reason)
    for account in installation.accounts:
        yield f"account {account.name}", partial(_account, installation, account)
    yield from installation.checks


async def _findings(part: str, look: Look) -> Sequence[Finding]:
    with trio.move_on_after(PATIENCE):
        try:
            return await look()
        except PluginError as error:
            log.exception("looking failed", part=part, plugin=error.plugin)
            return [Finding(level="fail", what="look", detail=error.what)]
        except WagateError as error:
            return [Finding(level="fail", what="reachable", detail=str(error))]
        except Exception as error:
            log.exception("looking failed", part=part)
            return [Finding(level="fail", what="look", detail=f"failed: {type(error).__name__}")]
    return [Finding(level="fail", what="reachable", detail=f"no answer within {PATIENCE:g} s")]


def _line(part: str, found: Finding, secrets: frozenset[str]) -> DoctorLine:
    return DoctorLine(
        part=part,
        level=found.level,
        what=found.what,
        detail=redact(found.detail, secrets),
        next_step=redact(found.next_step, secrets),
    )


async def _database(installation: Installation) -> Sequence[Finding]:
    if installation.database is None:
        return [Finding(level="ok", what="there", detail="none yet; the gateway creates it when it starts")]
    await installation.database.write(_touch)
    return [Finding(level="ok", what="writable", detail=installation.database.where)]


def _touch(db: peewee.Database) -> None:
    """A write that changes nothing."""
    run(db, "UPDATE revision SET value = value WHERE id = 1")


async def _redis(installation: Installation) -> Sequence[Finding]:
    if installation.redis is None:
        return [Finding(level="ok", what="embedded", detail="it starts with the gateway")]
    await check_policy(installation.redis)
    return [Finding(level="ok", what="policy", detail=f"reachable, maxmemory-policy {NEEDED}")]


async def _disk(installation: Installation) -> Sequence[Finding]:
    folder = installation.config.data.dir
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = (await trio.to_thread.run_sync(shutil.disk_usage, place)).free
    detail = f"{free // 1024**2} MiB free in {folder}"
    if free < LITTLE_FREE:
        level: Any = "fail" if free < LEAST_FREE else "warn"
        step = "make room, or put data.dir on a larger disk; shorter retention.* keeps less"
        return [Finding(level=level, what="space", detail=detail, next_step=step)]
    return [Finding(level="ok", what="space", detail=detail)]


async def _clocks(installation: Installation) -> Sequence[Finding]:
    """Our clock beside that of your Redis and that of the first provider that answers."""
    found = []
    if installation.redis is not None and installation.config.redis.url:  # the embedded one has this machine's
        seconds, micros = await installation.redis.command("TIME")
        found.append(_skew("Redis", installation.clock.time() - int(seconds) - int(micros) / 1e6))
    for url, trust in _providers_urls(installation):
        told = await _date(installation.http, url, trust)
        if told is not None:
            found.append(_skew(urlsplit(url).hostname or url, (installation.clock.now() - told).total_seconds()))
            break
    return found or [Finding(level="ok", what="time", detail="no other clock to compare with")]


async def _date(http: HttpClient, url: str, trust: Trust) -> datetime | None:
    try:
        answer = await http.request("HEAD", url, timeout=5.0, trust=trust)
        told = parsedate_to_datetime(answer.headers["date"])
        return told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    except (HttpError, KeyError, ValueError):
        return None  # Whether it can be reached is for the account's own lines to say.


def _skew(whose: str, seconds: float) -> Finding:
    ahead = "ahead of" if seconds > 0 else "behind"
    if abs(seconds) < SKEW_TOLD:
        return Finding(level="ok", what="time", detail=f"agrees with {whose}'s")
    return Finding(
        level="fail" if abs(seconds) >= SKEW_HURTS else "warn",
        what="time",
        detail=f"our clock is {abs(seconds):.0f} s {ahead} {whose}'s",
        next_step="synchronize it with NTP: receivers refuse webhooks whose signed time is 5 minutes off",
    )


def _providers_urls(installation: Installation) -> Iterator[tuple[str, Trust]]:
    for account in installation.accounts:
        try:
            seen = installation.providers.account(account)
        except WagateError:
            continue
        for field, url in urls_in(storable(seen.settings)):
            parts = urlsplit(url)
            if parts.scheme in {"http", "https"} and not field.endswith(".proxy"):
                yield f"{parts.scheme}://{parts.netloc}/", seen.trust


async def _public_url(installation: Installation) -> Sequence[Finding]:
    url = installation.config.server.public_url
    if not url:
        step = 'set server.public_url = "https://…": providers post to it, and fetch files to send from it'
        return [Finding(level="warn", what="set", detail="server.public_url is not set", next_step=step)]
    step = "point this name's proxy or tunnel here; it may also be reachable only from outside"
    try:
        answer = await installation.http.request("GET", f"{url}/ping", timeout=8.0, trust="operator")
    except HttpError as error:
        return [Finding(level="warn", what="reachable", detail=f"{url}: {error}", next_step=step)]
    if answer.status != 200 or b'"pong"' not in answer.body:
        detail = f"{url}/ping answers {answer.status}, but not like a gateway"
        return [Finding(level="warn", what="reachable", detail=detail, next_step=step)]
    return [Finding(level="ok", what="reachable", detail=url)]


def _needs_opus(installation: Installation, account: Account) -> bool:
    provider = installation.providers.get(account.provider)
    return provider is not None and provider.opus_voice


async def _voice() -> Sequence[Finding]:
    if can_convert():
        try:
            await check()
        except NotConvertedError as error:
            step = 'the line "converter died" in the log says why; until then, other recordings than Opus are not sent'
            return [Finding(level="fail", what="PyAV", detail=str(error), next_step=step)]
        return [Finding(level="ok", what="PyAV", detail="recordings are converted to OGG/Opus")]
    step = "pip install 'wagate[voice]'; until then, only recordings that are already Opus are shown as voice messages"
    detail = "not installed: other recordings are sent as audio files"
    return [Finding(level="warn", what="PyAV", detail=detail, next_step=step)]


async def _unusable(reason: str) -> Sequence[Finding]:
    step = "install what is missing and restart wagate, or uninstall the plugin; until then no account can use it"
    return [Finding(level="warn", what="import", detail=reason, next_step=step)]


async def _account(installation: Installation, account: Account) -> Sequence[Finding]:
    try:
        provider, seen = installation.providers.need(account.provider), installation.providers.account(account)
    except WagateError as error:
        step = "change its settings, or install the plugin of its provider"
        return [Finding(level="fail", what="settings", detail=str(error), next_step=step)]
    short = [
        Finding(level="warn", what=name, detail=f"has fewer than {SHORTEST_SECRET} characters", next_step=LONGER)
        for name in short_secrets(provider, account.settings)
    ]
    if provider.check is None:
        return short or [Finding(level="ok", what="settings", detail=f"{provider.title}: nothing to check")]
    with on_behalf_of(account.client_id):
        found = [*short, *await provider.check(seen)]
    return found or [Finding(level="ok", what="settings", detail=provider.title)]


def _secrets(installation: Installation) -> Iterable[str]:
    """Texts that no line may show."""
    for account in installation.accounts:
        yield account.webhook_secret
        provider = installation.providers.get(account.provider)
        for name, value in account.settings.items():
            if provider is None or name in provider.secrets:
                yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
