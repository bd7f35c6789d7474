"""What the command line does on the database itself, when no gateway runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import peewee
import trio

from wagate.cli.errors import CommandError
from wagate.cli.show import rfc3339
from wagate.clock import Clock
from wagate.config import Config
from wagate.config.secrets import make_folder, new_token
from wagate.storage import clients
from wagate.storage.database import FILE, open_database
from wagate.storage.listing import DeliveryFilter, get_delivery, list_deliveries
from wagate.storage.rows import ClientRow, DeliveryDetail, TokenRow

T = TypeVar("T")
_PAGE: Final = 500
_SLUG: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def add_client(config: Config, slug: str, name: str) -> dict[str, Any]:
    """Add a client with a token; what ``POST /api/clients`` answers."""
    if not _SLUG.fullmatch(slug):
        raise CommandError(f"{slug!r} can't be a slug: take letters, digits, _ . - (63 at most, a letter among them)")

    def work(db: peewee.Database, now: datetime) -> dict[str, Any]:
        client = clients.add_client(db, slug=slug, name=name or slug, now=now)
        token = _give_token(db, client, "", now)["token"]
        return {"id": client.id, "slug": client.slug, "name": client.name, "token": token}

    return _write(config, work)


def add_token(config: Config, slug: str, name: str) -> dict[str, Any]:
    """Give a client one more token; what ``POST /api/clients/{slug}/tokens`` answers."""

    def work(db: peewee.Database, now: datetime) -> dict[str, Any]:
        return _give_token(db, clients.get_client(db, slug), name, now)

    return _write(config, work)


def list_clients(config: Config) -> list[dict[str, Any]]:
    """All clients; what ``GET /api/clients`` lists."""

    def work(db: peewee.Database) -> list[dict[str, Any]]:
        return [_client(client, clients.list_tokens(db, client.id)) for client in clients.list_clients(db)]

    return _read(config, work)


def get_client(config: Config, slug: str) -> dict[str, Any]:
    """One client; what ``GET /api/clients/{slug}`` answers."""

    def work(db: peewee.Database) -> dict[str, Any]:
        client = clients.get_client(db, slug)
        return _client(client, clients.list_tokens(db, client.id))

    return _read(config, work)


def revoke_token(config: Config, slug: str, token_id: str) -> None:
    """Take a token from a client; what ``DELETE /api/clients/{slug}/tokens/{id}`` does."""

    def work(db: peewee.Database, _now: datetime) -> None:
        clients.revoke_token(db, client_id=clients.get_client(db, slug).id, token_id=token_id)

    _write(config, work)


def jobs(config: Config, params: Mapping[str, str], *, most: int | None) -> Iterator[dict[str, Any]]:
    """Deliveries, newest first; what ``GET /api/jobs`` lists. ``most`` None: all of them."""
    since = params.get("since")
    which = DeliveryFilter(
        handler=params.get("connector"),
        status=params.get("status"),
        account=params.get("account"),
        chat=params.get("chat"),
        since=datetime.fromisoformat(since) if since else None,
    )
    left, cursor = most, None
    while left is None or left > 0:
        limit = min(_PAGE, left or _PAGE)
        page = _read(config, partial(list_deliveries, which=which, limit=limit, cursor=cursor))
        yield from map(_job, page.data)
        cursor = page.next_cursor
        left = None if left is None else left - len(page.data)
        if cursor is None:
            return


def get_job(config: Config, job_id: str) -> dict[str, Any]:
    """One delivery; what ``GET /api/jobs/{id}`` answers."""
    return _read(config, lambda db: _job(get_delivery(db, job_id)))


def _read(config: Config, work: Callable[[peewee.Database], T]) -> T:
    """Run it on the database, which must be there."""
    if not config.database.url and not (config.data.dir / FILE).exists():
        raise CommandError(f"no gateway runs on {config.data.dir}, and there is no database in it yet")

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
    token = new_token()
    digest = hashlib.sha256(token.encode()).hexdigest()
    row = clients.add_token(db, client_id=client.id, digest=digest, name=name, now=now)
    return {"id": row.id, "name": name, "token": token}


def _client(client: ClientRow, tokens: list[TokenRow]) -> dict[str, Any]:
    shown = [
        {
            "id": token.id,
            "name": token.name,
            "created_at": _time(token.created_at),
            "last_used_at": _time(token.last_used_at),
        }
        for token in tokens
    ]
    return {
        "id": client.id,
        "slug": client.slug,
        "name": client.name,
        "created_at": _time(client.created_at),
        "updated_at": _time(client.updated_at),
        "tokens": shown,
    }


def _job(detail: DeliveryDetail) -> dict[str, Any]:
    """A delivery in the words of the API."""
    row, event = detail.delivery, detail.event
    attempts = [
        {
            "number": attempt.number,
            "started_at": _time(attempt.started_at),
            "duration_ms": attempt.duration_ms,
            "http_status": attempt.http_status,
            "error": attempt.error,
        }
        for attempt in detail.attempts
    ]
    return {
        "id": row.id,
        "source_event_id": row.event_id,
        "connector": row.handler,
        "target": row.target_id.removeprefix(f"{row.handler}:"),
        "client_id": row.client_id,
        "account": row.account,
        "chat": row.chat,
        "event": event.kind,
        "message_id": event.message_id,
        "from": event.sender,
        "to": event.recipient,
        "message_type": event.type,
        "content": event.content,
        "status": row.status,
        "attempt_count": row.attempt_count,
        "max_retries": row.max_retries,
        "http_status": row.http_status,
        "response": row.response,
        "error": row.error,
        "held": row.held,
        "next_retry_at": _time(row.next_retry_at),
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
        "delivered_at": _time(row.delivered_at),
        "attempts": attempts,
    }


def _time(when: datetime | None) -> str | None:
    return rfc3339(when) if when else None
