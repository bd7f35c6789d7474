"""What a plugin can use of wagate: protocols that the core implements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from wagate.clock import Clock
from wagate.events import Event, NewEvent
from wagate.hooks.asks import Ask
from wagate.hooks.contracts import AccountView, ClientView, Identity, Target
from wagate.hooks.media import MediaStore
from wagate.hooks.messages import MessageView, OutMessage, ReaderView, Signal
from wagate.hooks.people import People
from wagate.hooks.providers import Profile
from wagate.hooks.sessions import SessionView
from wagate.hooks.views import ChatView, DeliveryView, Endpoint, EndpointChange, Job, NewEndpoint, Page, WantingEndpoint
from wagate.hooks.watch import Watch
from wagate.rules.filters import ALL_DELIVERIES, ALL_MESSAGES, DeliveryFilter, MessageFilter

if TYPE_CHECKING:
    import structlog

    from wagate.http.client import HttpClient


class Auth(Protocol):
    """Who sent the request that a route handles. The core refuses wrong tokens before a route runs."""

    def identity(self) -> Identity:
        """The owner of the request's token."""

    def owner(self, tenant: str | None) -> ClientView:
        """The client that the request is about.

        With a client's token: that client; NotFoundError if ``tenant`` names another. With the admin token: the client
        with the slug or id ``tenant``; None is the client ``default``.
        """

    def may_see(self, client_id: int) -> bool:
        """Whether the request's token may see what belongs to this client."""


class Accounts(Protocol):
    """Accounts and clients, from a snapshot in memory."""

    def get(self, name: str) -> AccountView | None:
        """One account."""

    def by_phone(self, client_id: int, phone: str) -> AccountView | None:
        """A client's account with this number (digits)."""

    def client(self, client_id: int) -> ClientView | None:
        """One client."""

    def clients(self) -> Sequence[ClientView]:
        """All clients."""

    def of(self, client_id: int) -> Sequence[AccountView]:
        """All accounts of a client, by name."""


class Endpoints(Protocol):
    """Endpoints that were registered through the API for this connector, with their health."""

    def snapshot(self) -> Mapping[int, Sequence[Endpoint]]:
        """Active endpoints by client id, for ``targets``. A change makes a new snapshot."""

    def wanting(self, event: Event) -> Sequence[WantingEndpoint]:
        """The endpoints that want an event: same client; number, account or ``*``; and name. For ``targets``.

        Quick even with many endpoints. Alerts about targets concern no number, so only the name counts.
        """

    def active(self, endpoint_id: str) -> Endpoint | None:
        """One endpoint of the snapshot."""

    async def create(self, endpoint: NewEndpoint) -> Endpoint:
        """Create an endpoint. ConflictError: (client, phone_number, name) is taken."""

    async def get(self, endpoint_id: str) -> Endpoint:
        """One endpoint with its health. NotFoundError."""

    async def page(
        self, *, client_id: int | None, limit: int, cursor: str | None, phone_number: str | None
    ) -> Page[Endpoint]:
        """A page of endpoints, newest first; ``client_id`` None: of all clients."""

    async def change(self, endpoint_id: str, change: EndpointChange) -> Endpoint:
        """Change the fields that are set in ``change``. Turning an endpoint on clears its failed or disabled state."""

    async def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint and cancel its waiting deliveries."""

    async def recover(self, endpoint_id: str, *, since: float) -> int:
        """Replay the deliveries that failed permanently in the last ``since`` seconds, in order. Returns how many."""


class Deliveries(Protocol):
    """The audit log. Always pass the caller's ``client_id``; None only for the admin."""

    async def page(
        self, which: DeliveryFilter = ALL_DELIVERIES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[DeliveryView]:
        """A page of deliveries with their attempts, newest first."""

    async def get(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """One delivery with its attempts, by its id or its event's id. NotFoundError."""

    async def retry(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Retry a delivery: at once if it waits, at its chat's end if it was final. ConflictError: it was delivered."""

    async def cancel(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Cancel a delivery. ConflictError: it is final already."""


class Jobs(Protocol):
    """Deliveries of this plugin's pull handlers, taken under a lease. One job of a chat at a time."""

    async def take(self, targets: Sequence[str], *, wait: float, lease: float) -> Job | None:
        """The next job of these targets, waiting up to ``wait`` seconds for one; None when there is none."""

    async def waiting(self, targets: Sequence[str]) -> int:
        """How many jobs are neither done nor leased."""

    async def get(self, job_id: str, *, client_id: int | None) -> Job:
        """One job, by its id or its event's id. NotFoundError."""

    async def heartbeat(self, job_id: str, *, client_id: int | None, lease_id: str | None, lease: float) -> Job:
        """Extend the lease. ConflictError: it has expired."""

    async def finish(
        self,
        job_id: str,
        *,
        client_id: int | None,
        status: Literal["completed", "failed", "queued"],
        lease_id: str | None,
        result: Any = None,
        error: str | None = None,
    ) -> Job:
        """Finish a job: completed, failed (retried until its attempts run out) or queued (returned without an attempt).

        Completing it twice does no harm. ConflictError: the lease ``lease_id`` has expired, or the job is final.
        """

    async def retry(self, job_id: str, *, client_id: int | None) -> Job:
        """Put a failed or expired job back into the queue, at the end of its chat."""


class Store(Protocol):
    """The plugin's own key-value rows."""

    async def get(self, key: str) -> Any | None:
        """A value (JSON types), or None."""

    async def set(self, key: str, value: Any) -> None:
        """Store a value (JSON types). It is committed when this returns."""

    async def delete(self, key: str) -> None:
        """Delete a value."""

    async def set_all(self, values: Mapping[str, Any]) -> None:
        """Store values (JSON types) in one commit."""

    async def items(self, prefix: str = "", *, most: int | None = None) -> Mapping[str, Any]:
        """Values of keys that begin with ``prefix``, sorted by key; the first ``most``."""

    async def forget(self, prefix: str, *, older: float) -> int:
        """Delete values under ``prefix`` that were last set over ``older`` seconds ago. Returns how many."""

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Keys that begin with ``prefix``, sorted."""


class Emit(Protocol):
    """Store an event of the plugin and deliver it like any other."""

    async def __call__(
        self, event: NewEvent, *, client_id: int, account: str = "", only: Sequence[Target] | None = None
    ) -> str:
        """Store and commit an event; its id. ``only``: deliver it just to these targets of the plugin."""


class Messages(Protocol):
    """Messages to WhatsApp: stored, queued in the order of their chat, and tracked."""

    async def send(
        self,
        message: OutMessage,
        *,
        client_id: int,
        account: str | None = None,
        job_id: str | None = None,
        key: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> MessageView:
        """Submit a message; it is committed when this returns.

        ``account`` None: the chat's account, else one chosen by weight. ``key`` is an idempotency key of this plugin:
        the same key always returns the same message. ``metadata`` comes back in ``extra`` of the message's events.

        Raises:
            NotFoundError: no such account of this client.
            UnprocessableError: the provider can't do this; it names provider and ability.
        """

    async def wait(self, message_id: str, *, client_id: int | None, seconds: float) -> MessageView:
        """The message, as soon as it is sent, failed or unknown, or when the seconds are over. NotFoundError."""

    async def get(self, message_id: str, *, client_id: int | None) -> MessageView:
        """One message by our id. NotFoundError."""

    async def page(
        self, which: MessageFilter = ALL_MESSAGES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[MessageView]:
        """A page of messages, newest first."""

    async def readers(self, message_id: str, *, client_id: int | None) -> Sequence[ReaderView]:
        """Which group members have received and read a message, by our id. NotFoundError."""

    async def signal(self, signal: Signal, *, client_id: int, account: str | None = None) -> None:
        """Mark as seen, show or end typing or recording; at once, not stored.

        If the provider does not support it, nothing happens. One that marks messages gets the chat's last one when the
        signal names none.

        Raises:
            NotFoundError, UnprocessableError: as `send`.
            SendError: the provider did not accept it.
        """

    async def revoke(self, message_id: str, *, client_id: int | None) -> None:
        """Delete a sent message for everyone, by wagate's id, at once. Revoking it twice does no harm.

        The provider's confirmation comes as an event ``message.revoked``; the message's status does not change.

        Raises:
            NotFoundError: no such message of this client.
            ConflictError: it waits (cancel its delivery instead), failed, or its outcome is unknown.
            UnprocessableError: the provider can't do this; it names provider and ability. Or its account is gone.
            SendError: the provider did not accept it.
        """

    async def edit(self, message_id: str, text: str, *, client_id: int | None) -> None:
        """Change a sent message's text, or its file's caption, by wagate's id, at once; not stored.

        The provider's confirmation comes as an event ``message.edited``; the message itself stays as it was submitted.

        Raises:
            NotFoundError, ConflictError, UnprocessableError, SendError: as `revoke`.
        """


class Sessions(Protocol):
    """States of accounts that are linked devices, and profiles of chats. ``client_id`` None only for the admin."""

    async def view(self, account: str, *, client_id: int | None) -> SessionView:
        """The last known state, without asking the provider. NotFoundError."""

    async def qr(self, account: str, *, client_id: int | None) -> str:
        """The text of the QR code to scan, from the provider if needed; '' if there is none.

        Raises:
            NotFoundError: no such account of this client.
            SendError: the provider could not be asked; ``reason`` says why.
        """

    async def qr_png(self, account: str, *, client_id: int | None) -> bytes | None:
        """The QR code as a PNG file; None if there is none. Raises as `qr`."""

    async def control(self, account: str, action: str, *, client_id: int | None) -> None:
        """Do one of `wagate.hooks.SESSION_ACTIONS`. The new state comes as an event ``session.status``.

        Raises:
            NotFoundError: no such account of this client.
            UnprocessableError: the provider can't do this; it names provider and action.
            SendError: the provider refused, or the outcome is unknown; ``reason`` says why.
        """

    async def pair_code(self, account: str, phone: str, *, client_id: int | None) -> str:
        """A code to be typed on the phone with this number (digits), instead of scanning a QR code.

        Raises:
            NotFoundError, SendError: as `qr`. UnprocessableError: the provider can't link numbers with a code.
        """

    async def ask(self, ask: Ask, *, account: str, client_id: int | None) -> Any:
        """What the account's provider answers, of the type ``ask.answer``, within 30 seconds.

        Raises:
            NotFoundError: no such account of this client.
            NotSupportedError: the provider can't do this; it names the provider.
            SendError: it refused, or could not be asked; ``reason`` says why.
        """

    async def profile(self, chat: str, *, account: str, client_id: int | None) -> Profile:
        """Name and picture that WhatsApp shows for a chat, within ten seconds; empty if the provider has no profiles.

        Raises:
            NotFoundError: no such account of this client.
            SendError: the provider could not be asked; ``reason`` says why.
        """


class Archive(Protocol):
    """Stored events and chats, for plugins that copy them elsewhere. It reaches back as far as ``retention``."""

    async def event(self, event_id: str, *, client_id: int) -> Event:
        """One event. NotFoundError."""

    async def events(
        self,
        *,
        client_id: int,
        kinds: Collection[str],
        since: datetime,
        accounts: Collection[str] = (),
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Event]:
        """Events that happened at ``since`` or later, in the order in which they were stored.

        ``accounts`` () is all of them. ``after`` is the id of the last event seen. At most 200 at once; () at the end.
        """

    async def chats(
        self, *, client_id: int, accounts: Collection[str] = (), after: tuple[str, str] = ("", ""), limit: int = 100
    ) -> Sequence[ChatView]:
        """Chats, sorted by (chat, account). ``after`` is the pair of the last chat seen. At most 200 at once."""


@dataclass(frozen=True, kw_only=True)
class PluginContext:
    """What wagate gives a plugin. Apart from this, a plugin imports only wagate's public names."""

    name: str
    """The plugin's name, as in ``[plugins.<name>]``."""
    settings: msgspec.Struct | None
    """Its settings, of the type that the hook ``settings_type`` returned."""
    public_url: str
    """``server.public_url``, '' when unset."""
    version: str
    """wagate's version, for a User-Agent header."""
    allow_http: bool
    """``delivery.allow_http``: plain http targets may be registered."""
    max_retries: int
    """``delivery.max_retries``."""
    timeout: float
    """``delivery.timeout`` in seconds."""
    http: HttpClient
    """The guarded HTTP client. It shares no connection between clients; a task that works for several clients names
    each with `wagate.http.on_behalf_of`."""
    log: structlog.stdlib.BoundLogger
    """Structured log with the plugin's name. Never log a body, a token or a whole phone number."""
    clock: Clock
    """wagate's clock. Use no other."""
    folder: Callable[[], Path]
    """The plugin's own folder (0700) in the data folder, created on the first call; backups include it."""
    auth: Auth
    accounts: Accounts
    endpoints: Endpoints
    deliveries: Deliveries
    jobs: Jobs
    store: Store
    messages: Messages
    media: MediaStore
    sessions: Sessions
    archive: Archive
    people: People
    watch: Watch
    emit: Emit
    encrypt: Callable[[str], str]
    """Encrypt a secret for storage with ``auth.secret_key``."""
    decrypt: Callable[[str], str]
    """The inverse."""
    on_change: Callable[[Callable[[], Awaitable[None]]], None]
    """Register a function to call after clients, accounts or endpoints changed."""
