"""Rows as the rest of the process sees them: frozen data, never model objects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from wagate.events import Event, Media, SessionStatus

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list, newest first."""

    data: list[T]
    next_cursor: str | None = None
    """Pass it on as ``cursor``; None at the end."""


class ClientRow(msgspec.Struct, frozen=True, kw_only=True):
    """An owner."""

    id: int
    slug: str
    name: str
    created_at: datetime
    updated_at: datetime


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A client's token; the token itself is not kept."""

    id: str
    client_id: int
    hash: str
    """SHA-256 in hex."""
    name: str
    created_at: datetime
    last_used_at: datetime | None


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """A number reached through a provider, with its session state."""

    id: str
    name: str
    client_id: int
    tenant: str
    """The owner's slug."""
    provider: str
    phone: str
    """Digits, '' when not known."""
    settings: str
    """Encrypted by the caller; '' when none."""
    webhook_secret: str
    """Encrypted by the caller; '' when none."""
    metadata: dict[str, Any]
    ignore: dict[str, Any]
    source: str
    """config or api."""
    status: SessionStatus
    message: str
    qr: str | None
    qr_at: datetime | None
    """When the QR came; it lapses after 60 s."""
    percent: int | None
    ever_connected: bool
    weight: int
    position: int
    last_in_at: datetime | None = None
    """When the last message came in, to the minute."""
    last_out_at: datetime | None = None
    """When the last message left, to the minute."""
    created_at: datetime
    updated_at: datetime
    """Of the row or of its session state, whichever changed last."""


class WebhookRow(msgspec.Struct, frozen=True, kw_only=True):
    """A registered endpoint, with the health of its target ``<connector>:<id>``."""

    id: str
    connector: str
    client_id: int
    tenant: str
    """The owner's slug."""
    phone_number: str
    """Digits, an account's name, or ``*``."""
    name: str
    webhook_url: str
    is_active: bool
    max_retries: int
    events: list[str]
    secrets: str
    """Encrypted by the caller; '' when none."""
    metadata: dict[str, Any]
    options: dict[str, Any]
    """The connector's own."""
    created_at: datetime
    updated_at: datetime
    status: str
    """active, failed or disabled."""
    failure_count: int
    last_error: str | None
    last_success_at: datetime | None
    last_attempt_at: datetime | None


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One try."""

    number: int
    started_at: datetime
    duration_ms: int
    http_status: int | None
    error: str | None
    response: str | None


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one target."""

    id: str
    event_id: str
    handler: str
    target_id: str
    """``<handler>:<target>``."""
    key: str
    seq: int
    client_id: int
    account: str
    chat: str
    mode: str
    """push or pull."""
    status: str
    """pending, delivering, delivered, failed, cancelled or expired."""
    settled: bool
    """Over for good: no longer in its chat's way."""
    held: bool
    attempt_count: int
    max_retries: int
    http_status: int | None
    response: str | None
    error: str | None
    first_attempt_at: datetime | None
    next_retry_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    updated_at: datetime
    lease_id: str | None
    lease_until: datetime | None
    started_at: datetime | None
    result: Any
    expires_at: datetime | None
    earlier: int
    """Attempts of rounds before this one."""
    stuck: bool
    """It needs attention."""
    claimed_by: str | None
    claimed_until: datetime | None


class DeliveryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with what it delivers and how it went."""

    delivery: DeliveryRow
    event: Event
    attempts: list[AttemptRow]
    """In order."""


def to_event(row: Mapping[str, Any]) -> Event:
    """A row of `wagate.storage.models.EventRow`, as its columns' Python values, and ``tenant`` → the Event stored."""
    media = row["media"]
    return Event(
        id=row["id"],
        kind=row["kind"],
        account=row["account"],
        account_id=row["account_id"],
        phone=row["phone"],
        provider=row["provider"],
        client_id=row["client_id"],
        tenant=row["tenant"] or "",
        created_at=row["created_at"],
        timestamp=row["timestamp"],
        chat=row["chat"],
        sender=row["sender"],
        recipient=row["recipient"],
        message_id=row["message_id"],
        type=row["type"],
        content=row["content"],
        from_me=row["from_me"],
        contact_name=row["contact_name"],
        media=None if media is None else msgspec.convert(media, Media),
        reply_to=row["reply_to"],
        extra=row["extra"],
        metadata=row["metadata"],
    )
