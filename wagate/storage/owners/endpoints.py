"""Registered endpoints, of every connector that has some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee
from msgspec import UNSET, UnsetType
from uuid_utils import uuid7

from wagate.errors import ConflictError, NotFoundError
from wagate.storage.deliveries.by_hand import cancel_open
from wagate.storage.fields import as_time
from wagate.storage.models import Client, Delivery, Target, Webhook
from wagate.storage.owners.directory import Directory
from wagate.storage.owners.revision import bump
from wagate.storage.rows import Page, WebhookRow
from wagate.storage.statement import first, rows, slices


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is made of."""

    client_id: int
    phone_number: str
    """Digits, an account's name, or ``*``."""
    name: str = ""
    webhook_url: str
    max_retries: int
    events: list[str]
    secrets: str = ""
    """Encrypted by the caller; '' when none."""
    metadata: dict[str, Any] = {}
    options: dict[str, Any] = {}
    """The connector's own; secrets in it are encrypted by the connector."""


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; UNSET leaves a field as it is."""

    name: str | UnsetType = UNSET
    phone_number: str | UnsetType = UNSET
    webhook_url: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    max_retries: int | UnsetType = UNSET
    events: list[str] | UnsetType = UNSET
    secrets: str | UnsetType = UNSET
    secrets_before: str | UnsetType = UNSET
    """As they were read; ConflictError when they are others by now."""
    metadata: dict[str, Any] | UnsetType = UNSET
    options: dict[str, Any] | UnsetType = UNSET
    """Laid over those stored; None takes one away."""


HEALTHY = {
    "status": "active",
    "failure_count": 0,
    "streak": 0,
    "streak_since": None,
    "failing_since": None,
    "down_since": None,
    "next_probe_at": None,
    "probes": 0,
    "alerted": 0,
}
"""What a target's row says when nothing is known against it."""


def target_id(connector: str, webhook_id: str) -> str:
    """The endpoint's name among targets."""
    return f"{connector}:{webhook_id}"


def create_webhook(
    db: peewee.Database, connector: str, new: NewWebhook, *, now: datetime, most: int | None = None
) -> WebhookRow:
    """Add one. ConflictError: (client, phone_number, name) is taken, or the client has ``most`` of them already."""
    own = Webhook.select().where(Webhook.client_id == new.client_id, Webhook.connector == connector)
    if most is not None and own.count(db) >= most:
        raise ConflictError(f"the client has {most} webhooks, its limit (limits.webhooks)")
    made = str(uuid7())
    values = msgspec.structs.asdict(new) | {"id": made, "connector": connector, "created_at": now, "updated_at": now}
    try:
        Webhook.insert(**values, is_active=True).execute(db)
    except peewee.IntegrityError as error:
        raise _taken(new.phone_number, new.name) from error
    bump(db, "webhook", made)
    return get_webhook(db, connector, made)


def get_webhook(db: peewee.Database, connector: str, webhook_id: str, *, client_id: int | None = None) -> WebhookRow:
    """One with its health; with ``client_id`` only that client's. NotFoundError."""
    query = _select(connector).where(Webhook.id == webhook_id)
    row = first(db, query if client_id is None else query.where(Webhook.client_id == client_id))
    if row is None:
        raise NotFoundError("no such webhook")
    return WebhookRow(**row)


def list_webhooks(
    db: peewee.Database,
    connector: str,
    *,
    limit: int,
    cursor: str | None = None,
    client_id: int | None = None,
    phone_number: str | None = None,
) -> Page[WebhookRow]:
    """A page, newest first; of all clients, or of one."""
    query = _select(connector).order_by(Webhook.id.desc()).limit(limit + 1)
    if client_id is not None:
        query = query.where(Webhook.client_id == client_id)
    if phone_number is not None:
        query = query.where(Webhook.phone_number == phone_number)
    if cursor is not None:
        query = query.where(Webhook.id < cursor)
    found = [WebhookRow(**row) for row in query.dicts().execute(db)]
    return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)


class Lost(msgspec.Struct, frozen=True):
    """An active endpoint that waits for events of nobody."""

    id: str
    phone_number: str
    name: str
    webhook_url: str
    tenant: str


def lost_endpoints(db: peewee.Database, directory: Directory) -> list[Lost]:
    """Active endpoints whose number is neither ``*`` nor an account's name or number, of all connectors."""
    text = (
        "SELECT id, phone_number, name, webhook_url, client_id FROM webhooks "
        "WHERE is_active = TRUE AND phone_number <> '*' ORDER BY id"
    )
    return [
        Lost(id_, number, name, url, directory.clients[owner].slug)
        for id_, number, name, url, owner in rows(db, text)
        if owner in directory.clients and not _is_there(directory, owner, number)
    ]


def _is_there(directory: Directory, client_id: int, number: str) -> bool:
    named = directory.accounts.get(number)
    own = named is not None and named.client_id == client_id
    return own or directory.with_phone(client_id, number) is not None


def active_stamps(db: peewee.Database, connector: str) -> dict[str, datetime]:
    """When each active endpoint of a connector was changed last, by id."""
    text = "SELECT id, updated_at FROM webhooks WHERE connector = ? AND is_active = TRUE"
    return {id_: moment for id_, at in rows(db, text, (connector,)) if (moment := as_time(at)) is not None}


def webhooks_by_id(db: peewee.Database, connector: str, ids: Sequence[str]) -> list[WebhookRow]:
    """These endpoints of a connector; those that are gone are left out."""
    return [
        WebhookRow(**row)
        for part in slices(sorted(ids))
        for row in _select(connector).where(Webhook.id.in_(part)).dicts().execute(db)
    ]


def patch_webhook(
    db: peewee.Database,
    connector: str,
    webhook_id: str,
    change: WebhookChange,
    *,
    now: datetime,
    client_id: int | None = None,
) -> WebhookRow:
    """Change what is set; switching on clears the failed or disabled state. NotFoundError, ConflictError."""
    # First of all the row's lock: what is laid over the stored options must see those of other processes.
    Webhook.update(updated_at=now).where(Webhook.id == webhook_id).execute(db)
    webhook = get_webhook(db, connector, webhook_id, client_id=client_id)
    values = {field: value for field, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    if values.pop("secrets_before", webhook.secrets) != webhook.secrets:
        raise secrets_changed()
    if change.options is not UNSET:
        laid_over = webhook.options | change.options
        values["options"] = {name: value for name, value in laid_over.items() if value is not None}
    try:
        Webhook.update(**values, updated_at=now).where(Webhook.id == webhook.id).execute(db)
    except peewee.IntegrityError as error:
        raise _taken(values.get("phone_number", webhook.phone_number), values.get("name", webhook.name)) from error
    if change.is_active is True:
        target = target_id(connector, webhook.id)
        Target.update(**HEALTHY, updated_at=now).where(Target.id == target).execute(db)
    bump(db, "webhook", webhook.id)
    return get_webhook(db, connector, webhook_id)


def delete_webhook(
    db: peewee.Database, connector: str, webhook_id: str, *, now: datetime, client_id: int | None = None
) -> None:
    """Delete it and cancel what waits for it; its past deliveries stay until retention. NotFoundError."""
    webhook = get_webhook(db, connector, webhook_id, client_id=client_id)
    target = target_id(connector, webhook.id)
    cancel_open(db, Delivery.target_id == target, reason="webhook deleted", now=now)
    Target.delete().where(Target.id == target).execute(db)
    Webhook.delete().where(Webhook.id == webhook.id).execute(db)
    bump(db, "webhook", webhook.id)


def _select(connector: str) -> Any:
    query = Webhook.select(
        Webhook,
        Client.slug.alias("tenant"),
        peewee.fn.COALESCE(Target.status, "active").alias("status"),
        peewee.fn.COALESCE(Target.failure_count, 0).alias("failure_count"),
        Target.last_error,
        Target.last_success_at,
        Target.last_attempt_at,
    )
    health = Target.id == peewee.Value(f"{connector}:").concat(Webhook.id)
    return (
        query.join(Client, on=(Client.id == Webhook.client_id))
        .switch(Webhook)
        .join(Target, peewee.JOIN.LEFT_OUTER, on=health)
        .where(Webhook.connector == connector)
    )


def secrets_changed() -> ConflictError:
    """Why a change does not count that was made of other secrets."""
    return ConflictError("the webhook's secrets were changed at the same moment; try again")


def _taken(phone_number: str, name: str) -> ConflictError:
    return ConflictError(f"a webhook for {phone_number!r} with the name {name!r} exists", field="name")
