"""What the command line does on the database itself, when no gateway runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import peewee
import trio

from wagate.cli.errors import CommandError
from wagate.cli.filters import Chosen
from wagate.cli.gateway import last_with, only
from wagate.clock import Clock
from wagate.config import Config
from wagate.config.secrets import make_folder, new_token
from wagate.parsing.chats import digits_of
from wagate.storage.database import FILE, open_database
from wagate.storage.deliveries.target_list import named_targets, some_targets
from wagate.storage.events.listing import get_delivery, list_deliveries
from wagate.storage.owners import clients
from wagate.storage.rows import ClientRow, DeliveryDetail

T = TypeVar("T")
_PAGE: Final = 500
_SLUG: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_.-]{1,63}")
"""As in `wagate.web.api.clients`: an id has no letter, so that slug and id never mean two clients."""


def add_client(config: Config, slug: str, name: str) -> dict[str, Any]:
    """Add a client with a token; what ``POST /api/clients`` answers."""
    if not _SLUG.fullmatch(slug):
        raise CommandError(
            f"{slug!r} is not a valid slug: use letters, digits, _ . - (63 at most, with at least one letter)"
        )

    def work(db: peewee.Database, now: datetime) -> dict[str, Any]:
        client = clients.add_client(db, slug=slug, name=name or slug, now=now)
        return {"id": client.id, "slug": slug, "token": _give_token(db, client, "first", now)["token"]}

    return _write(config, work)


def add_token(config: Config, slug: str, name: str) -> dict[str, Any]:
    """Give a client one more token; what ``POST /api/clients/{slug}/tokens`` answers."""

    def work(db: peewee.Database, now: datetime) -> dict[str, Any]:
        return _give_token(db, clients.get_client(db, slug), name, now)

    return _write(config, work)


def list_clients(config: Config) -> list[dict[str, Any]]:
    """All clients; what ``GET /api/clients`` lists."""
    names = ("id", "slug", "name", "created_at", "updated_at")
    return [_plain(row, names) for row in _read(config, clients.list_clients)]


def list_tokens(config: Config, slug: str) -> list[dict[str, Any]]:
    """A client's tokens; what ``GET /api/clients/{slug}/tokens`` lists."""
    rows = _read(config, lambda db: clients.list_tokens(db, clients.get_client(db, slug).id))
    return [_plain(row, ("id", "name", "created_at", "last_used_at")) for row in rows]


def revoke_token(config: Config, slug: str, token_id: str) -> None:
    """Take a token from a client; what ``DELETE /api/clients/{slug}/tokens/{id}`` does."""

    def work(db: peewee.Database, _now: datetime) -> None:
        clients.revoke_token(db, client_id=clients.get_client(db, slug).id, token_id=token_id)

    _write(config, work)


def deliveries(config: Config, chosen: Chosen, *, most: int | None) -> Iterator[dict[str, Any]]:
    """Deliveries, newest first; what ``GET /api/jobs`` lists. ``most`` None: all of them."""
    owner = None if chosen.client is None else _read(config, partial(_client_id, slug_or_id=chosen.client))
    listed = partial(list_deliveries, which=chosen.which, client_id=owner)
    left, cursor = most, None
    while left is None or left > 0:
        limit = min(_PAGE, left or _PAGE)
        page = _read(config, partial(listed, limit=limit, cursor=cursor))
        yield from map(_job, page.data)
        cursor = page.next_cursor
        left = None if left is None else left - len(page.data)
        if cursor is None:
            return


def receivers(config: Config, name: str) -> list[dict[str, Any]]:
    """Targets with this in their name, of those that have an endpoint: id and name."""
    found = _read(config, partial(some_targets, client_id=None, most=_PAGE, find=name))
    return [{"id": row.id, "name": row.name} for row in found]


def names(config: Config, targets: Sequence[str]) -> dict[str, str]:
    """What these targets are called; '' by default."""
    return {id_: row.name for id_, row in _read(config, partial(named_targets, ids=targets)).items()}


def get_job(config: Config, job_id: str) -> dict[str, Any]:
    """One delivery; what ``GET /api/jobs/{id}`` answers."""

    def work(db: peewee.Database) -> dict[str, Any]:
        cursor = last_with(job_id)
        if cursor is None:
            return _job(get_delivery(db, job_id))
        found = [each.delivery.id for each in list_deliveries(db, limit=2, cursor=cursor).data]
        return _job(get_delivery(db, only([each for each in found if each.startswith(job_id)], job_id)))

    return _read(config, work)


def _client_id(db: peewee.Database, slug_or_id: str) -> int:
    found = [each.id for each in clients.list_clients(db) if slug_or_id in {each.slug, str(each.id)}]
    if not found:
        raise CommandError(f"no client {slug_or_id[:100]!r}")
    return found[0]


def _read(config: Config, work: Callable[[peewee.Database], T]) -> T:
    """Run it on the database, which must be there."""
    if not config.database.url and not (config.data.dir / FILE).exists():
        raise CommandError(f"no gateway is running on {config.data.dir}, and it has no database yet")

    async def run() -> T:
        async with open_database(config.database.url, config.data.dir, readers=1) as database:
            return await database.read(work)

    return trio.run(run)


def _write(config: Config, work: Callable[[peewee.Database, datetime], T]) -> T:
    """Run it on the database, which is made if need be."""
    make_folder(config.data.dir)
    now = Clock().now()

    async def run() -> T:
        async with open_database(config.database.url, config.data.dir, readers=1) as database:
            await database.write(clients.ensure_default_client, now=now)
            return await database.write(work, now)

    return trio.run(run)


def _give_token(db: peewee.Database, client: ClientRow, name: str, now: datetime) -> dict[str, Any]:
    token = new_token("wgt_")
    digest = hashlib.sha256(token.encode()).hexdigest()
    row = clients.add_token(db, client_id=client.id, digest=digest, name=name, now=now)
    return {"id": row.id, "name": name, "token": token}


def _job(detail: DeliveryDetail) -> dict[str, Any]:
    """A delivery in the words of the API."""
    row, event = detail.delivery, detail.event
    tried = ("number", "started_at", "duration_ms", "http_status", "error")
    stored = ("mode", "status", "held", "stuck", "attempt_count", "max_retries", "http_status", "response", "error")
    times = ("next_retry_at", "created_at", "delivered_at", "updated_at")
    return {
        "id": row.id,
        "event_id": event.id,
        "event": event.kind,
        "connector": row.handler,
        "target": row.target_id.removeprefix(f"{row.handler}:"),
        "client_id": event.client_id,
        "tenant_id": event.tenant,
        "account": event.account,
        "chat": event.chat,
        "message_id": event.message_id,
        "from": digits_of(event.sender),
        "to": digits_of(event.recipient),
        "message_type": event.type,
        "content": event.content,
        **_plain(row, (*stored, *times)),
        "attempts": [_plain(attempt, tried) for attempt in detail.attempts],
    }


def _plain(row: msgspec.Struct, names: Sequence[str]) -> dict[str, Any]:
    """These fields as JSON types."""
    plain: dict[str, Any] = msgspec.to_builtins({name: getattr(row, name) for name in names})
    return plain
