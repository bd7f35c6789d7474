"""Rows as plugins see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from wagate.events import Event

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list."""

    data: list[T]
    """The rows, newest first."""
    next_cursor: str | None = None
    """Pass it on as ``cursor``; None at the end."""


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a delivery."""

    number: int
    """1 for the first."""
    started_at: datetime
    """When the attempt began (aware UTC)."""
    duration_ms: int
    """How long it took."""
    http_status: int | None = None
    """Status of the answer, if one came."""
    error: str | None = None
    """Why it failed; None if it succeeded."""


class ChatView(msgspec.Struct, frozen=True, kw_only=True):
    """One chat of one account."""

    account: str
    chat: str
    name: str
    """Name of the group or person; '' if unknown."""
    aliases: list[str]
    """Other keys of the person (phone, LID, business-scoped id), phone numbers first."""
    last_at: datetime
    """When the last message came in."""


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """The person on the other side."""

    keys: tuple[str, ...]
    """The key that was asked for, then all others of the person: numbers (former ones, too), LID, other ids."""
    name: str = ""
    """As they call themselves; '' when not known."""
    known: bool = True
    """Whether they wrote, or were written to; else only the key is known."""
    current: str
    """The key to write to: of the number that is valid now; when no number is known, the one that was asked for."""


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its event and its attempts."""

    id: str
    event: Event
    handler: str
    target: str
    """The handler's own id of the target (`wagate.hooks.contracts.Target.id`)."""
    mode: str
    """push or pull."""
    status: str
    """pending, delivering, delivered, failed, cancelled or expired."""
    attempt_count: int
    max_retries: int
    http_status: int | None
    response: str | None
    error: str | None
    held: bool
    """No attempts are left; it waits, first in its chat, until its target answers again."""
    stuck: bool = False
    """Several processes died while they tried it. Its chat waits until somebody retries or cancels it."""
    next_retry_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    updated_at: datetime
    attempts: list[AttemptView] = []


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """The request of a delivery, rebuilt for people. No secrets: the dashboard shows all of it."""

    line: str
    """Method and URL: ``POST https://bot.example/hook``, at most 4,000 characters."""
    headers: dict[str, str] = {}
    """Headers; dots for the values of those that are secret."""
    body: str = ""
    """The body as text; JSON is shown with line breaks."""
    note: str = ""
    """What is to be known about it: sentences. '' for nothing."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in a pull queue."""

    id: str
    event: Event
    target: str
    status: str
    """queued, processing, completed, failed or expired."""
    attempt_count: int
    lease_id: str | None
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    """When a worker last took it."""
    completed_at: datetime | None
    result: Any = None
    error: str | None = None


class EndpointSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A signing secret."""

    secret: str
    """``whsec_…``."""
    expires_at: datetime | None = None
    """When it expires after a rotation; None: it is current."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A registered endpoint and its health."""

    id: str
    client_id: int
    tenant_id: str
    phone_number: str
    """Digits, an account's name, or ``*``."""
    name: str
    webhook_url: str
    is_active: bool
    status: str
    """active, failed (until the next success) or disabled."""
    failure_count: int
    max_retries: int
    events: list[str]
    metadata: dict[str, Any]
    options: dict[str, Any]
    """The connector's own options (JSON types). wagate stores them, but does not read them."""
    secrets: list[EndpointSecret]
    """Signing secrets, newest first; decrypted, never shown in answers. Empty, too, when no key of
    ``auth.secret_key`` decrypts them: then nothing may be sent there unsigned."""
    last_error: str | None
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime


class WantingEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that wants an event: what its `Target` needs."""

    id: str
    max_retries: int


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint, for `Endpoints.create`."""

    client_id: int
    phone_number: str
    name: str
    webhook_url: str
    max_retries: int
    events: list[str]
    metadata: dict[str, Any]
    secrets: list[EndpointSecret]
    options: dict[str, Any] = {}
    """Encrypt secrets in them with `wagate.hooks.PluginContext.encrypt`."""


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change, for `Endpoints.change`. UNSET leaves a field as it is."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    phone_number: str | msgspec.UnsetType = msgspec.UNSET
    webhook_url: str | msgspec.UnsetType = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET
    max_retries: int | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    secrets: list[EndpointSecret] | msgspec.UnsetType = msgspec.UNSET
    secrets_before: list[EndpointSecret] | msgspec.UnsetType = msgspec.UNSET
    """Change it only while its secrets are these; else ConflictError."""
    options: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """Merged into the stored options; None removes an option."""
