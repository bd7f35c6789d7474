"""All that a plugin may touch. Protocols here; the core fills them in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from wagate.clock import Clock
from wagate.events import Event, NewEvent
from wagate.hooks.contracts import AccountView, ClientView, Identity, Target
from wagate.hooks.messages import MessageView, OutMedia, OutMessage, Signal
from wagate.hooks.providers import Profile
from wagate.hooks.sessions import SessionView
from wagate.hooks.views import ChatView, DeliveryView, Endpoint, EndpointChange, Job, NewEndpoint, Page, WantingEndpoint
from wagate.rules.filters import ALL_DELIVERIES, ALL_MESSAGES, DeliveryFilter, MessageFilter

if TYPE_CHECKING:
    import structlog

    from wagate.http.client import HttpClient


class Auth(Protocol):
    """Who asks, inside a route. The core has refused wrong tokens before a route runs."""

    def identity(self) -> Identity:
        """Whose token the running request carries."""

    def owner(self, tenant: str | None) -> ClientView:
        """The client that the running request is about.

        A client's token: that client; ``tenant`` naming another is NotFoundError. The admin token: the client whose
        slug or id ``tenant`` is; None is the client ``default``.
        """

    def may_see(self, client_id: int) -> bool:
        """Whether the running request's token may see what belongs to this client."""


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
    """Places registered through the API for this connector, with their health. One table for all connectors."""

    def snapshot(self) -> Mapping[int, Sequence[Endpoint]]:
        """Active endpoints by client id, for ``targets``; replaced as a whole when anything changes."""

    def wanting(self, event: Event) -> Sequence[WantingEndpoint]:
        """Those that want an event, by its client, its number (or account, or ``*``) and its name; for ``targets``.

        Quick, however many there are. Alerts about targets are about no number: all that want them by name.
        """

    def active(self, endpoint_id: str) -> Endpoint | None:
        """One of those in the snapshot."""

    async def create(self, endpoint: NewEndpoint) -> Endpoint:
        """Store one. ConflictError when (client, phone_number, name) is taken."""

    async def get(self, endpoint_id: str) -> Endpoint:
        """One with its health. NotFoundError."""

    async def page(
        self, *, client_id: int | None, limit: int, cursor: str | None, phone_number: str | None
    ) -> Page[Endpoint]:
        """A page, newest first; ``client_id`` None: of all clients."""

    async def change(self, endpoint_id: str, change: EndpointChange) -> Endpoint:
        """Change what is set in ``change``; switching one on again clears its failed or disabled state."""

    async def delete(self, endpoint_id: str) -> None:
        """Delete it and cancel what waits for it."""

    async def recover(self, endpoint_id: str, *, since: float) -> int:
        """Replay what failed for good in the last ``since`` seconds, in order; how many."""


class Deliveries(Protocol):
    """The audit log, scoped by the caller: pass ``client_id`` None only for the admin."""

    async def page(
        self, which: DeliveryFilter = ALL_DELIVERIES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[DeliveryView]:
        """A page of deliveries with their attempts, newest first."""

    async def get(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """One delivery with its attempts, by its id or its event's id. NotFoundError."""

    async def retry(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Run it again: now when it waits, at the end of its chat when it was final. ConflictError when delivered."""

    async def cancel(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Give it up. ConflictError when it is final already."""


class Jobs(Protocol):
    """Deliveries of this plugin's pull handlers, taken under a lease. One job of a chat at a time."""

    async def take(self, targets: Sequence[str], *, wait: float, lease: float) -> Job | None:
        """The next job of these targets, waiting up to ``wait`` seconds for one; None when there is none."""

    async def waiting(self, targets: Sequence[str]) -> int:
        """How many jobs are not done yet and not leased."""

    async def get(self, job_id: str, *, client_id: int | None) -> Job:
        """One job, by its id or its event's id. NotFoundError."""

    async def heartbeat(self, job_id: str, *, client_id: int | None, lease_id: str | None, lease: float) -> Job:
        """Lengthen the lease. ConflictError when the lease is stale."""

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
        """Completed counts once; failed is retried until attempts run out; queued gives it back unspent.

        ConflictError when ``lease_id`` is stale or the job is final otherwise.
        """

    async def retry(self, job_id: str, *, client_id: int | None) -> Job:
        """Queue a failed or expired job again, at the end of its chat."""


class Store(Protocol):
    """The plugin's own key-value rows."""

    async def get(self, key: str) -> Any | None:
        """A value (JSON types), or None."""

    async def set(self, key: str, value: Any) -> None:
        """Store a value (JSON types), committed when this returns."""

    async def delete(self, key: str) -> None:
        """Forget a value."""

    async def set_all(self, values: Mapping[str, Any]) -> None:
        """Store values (JSON types) in one commit."""

    async def items(self, prefix: str = "", *, most: int | None = None) -> Mapping[str, Any]:
        """Values by key, of keys that begin so, sorted; the first ``most``."""

    async def forget(self, prefix: str, *, older: float) -> int:
        """Forget values last set more than ``older`` seconds ago, of keys that begin so; how many."""

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Keys that begin so, sorted."""


class Emit(Protocol):
    """Store an event of the plugin's own and deliver it like any other."""

    async def __call__(
        self, event: NewEvent, *, client_id: int, account: str = "", only: Sequence[Target] | None = None
    ) -> str:
        """Stored and committed when this returns; the event's id. ``only``: just to these targets of this plugin."""


class Messages(Protocol):
    """Out to WhatsApp: what the plugin submits is stored, queued behind its chat, and followed up."""

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

        ``account`` None: the chat's own, else one chosen by weight. ``key``: the same key of this plugin gives the same
        message, for ever. ``metadata`` comes back in ``extra`` of the message's events.

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

    async def signal(self, signal: Signal, *, client_id: int, account: str | None = None) -> None:
        """Mark as seen, show or end typing; at once, not stored.

        Raises:
            NotFoundError, UnprocessableError: as `send`.
            SendError: the provider did not take it.
        """

    async def revoke(self, message_id: str, *, client_id: int | None) -> None:
        """Take a message that was sent back from everyone, by our id; at once, not stored. Twice does no harm.

        What the provider says of it comes as an event ``message.revoked``; the message's status stays.

        Raises:
            NotFoundError: no such message of this client.
            ConflictError: it was not sent: it waits (its delivery can be cancelled), failed, or nobody knows.
            UnprocessableError: the provider can't do this; it names provider and ability. Or its account is gone.
            SendError: the provider did not take it.
        """


class MediaFile(Protocol):
    """A file that we hold, open for reading."""

    @property
    def mimetype(self) -> str:
        """By its first bytes, and what was told."""

    @property
    def filename(self) -> str:
        """Safe, with an ending that fits the type."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def path(self) -> Path:
        """Where it lies; only to be read."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, 64 KiB at a time, read outside the event loop."""


class MediaStore(Protocol):
    """Files that came with messages, and files to send. Never held whole in memory."""

    def url(self, event: Event) -> str | None:
        """Where anyone can fetch the event's file for a while: signed, on ``server.public_url``; None when it has none.

        Equal for equal events over a day, so that a retried delivery has the same body. Without ``public_url`` it is
        a path that begins with ``/``.
        """

    async def open(self, event: Event, *, patience: float = 30.0) -> MediaFile:
        """The event's file, fetched from the provider first if need be.

        Raises:
            NotFoundError: it has none, or it is gone. UnavailableError: not fetched within ``patience`` seconds.
        """

    async def keep(
        self, chunks: AsyncIterator[bytes], *, client_id: int, filename: str = "", mimetype: str = ""
    ) -> OutMedia:
        """Take in a file to send; its type is sniffed when it is not told. TooLargeError."""


class Sessions(Protocol):
    """States of accounts linked as devices, and what is seen of chats. ``client_id`` None only for the admin."""

    async def view(self, account: str, *, client_id: int | None) -> SessionView:
        """How it is, without asking its provider. NotFoundError."""

    async def qr(self, account: str, *, client_id: int | None) -> str:
        """The QR text that waits to be scanned, asked of the provider if need be; '' when none does.

        Raises:
            NotFoundError: no such account of this client.
            SendError: the provider could not be asked; ``reason`` says why.
        """

    async def qr_png(self, account: str, *, client_id: int | None) -> bytes | None:
        """The same as a PNG file; None when there is none. Raises as `qr`."""

    async def control(self, account: str, action: str, *, client_id: int | None) -> None:
        """Do one of `wagate.hooks.SESSION_ACTIONS`. The new state comes as an event ``session.status``.

        Raises:
            NotFoundError: no such account of this client.
            UnprocessableError: the provider can't do this; it names provider and action.
            SendError: the provider did not take it, or nobody knows; ``reason`` says why.
        """

    async def pair_code(self, account: str, phone: str, *, client_id: int | None) -> str:
        """A code to be typed on the phone with this number (digits), instead of scanning a QR code.

        Raises:
            NotFoundError, SendError: as `qr`. UnprocessableError: the provider links no numbers by code.
        """

    async def profile(self, chat: str, *, account: str, client_id: int | None) -> Profile:
        """What WhatsApp shows of a chat, asked within ten seconds; empty when the provider has no such thing.

        Raises:
            NotFoundError: no such account of this client.
            SendError: the provider could not be asked; ``reason`` says why.
        """


class Archive(Protocol):
    """What was stored, from its beginning on: for who copies it elsewhere. It reaches back as far as ``retention``."""

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

        ``accounts`` () is all; ``after`` is the id of the last one seen; () is the end. At most 200 at once.
        """

    async def chats(
        self, *, client_id: int, accounts: Collection[str] = (), after: tuple[str, str] = ("", ""), limit: int = 100
    ) -> Sequence[ChatView]:
        """Chats by (chat, account); ``after`` is that of the last one seen. At most 200 at once."""


@dataclass(frozen=True, kw_only=True)
class PluginContext:
    """What the core gives a plugin; nothing else of the core may be imported but `wagate`'s public names."""

    name: str
    """The plugin's name, as in ``[plugins.<name>]``."""
    settings: msgspec.Struct | None
    """Its settings, of the type that ``settings_type`` gave."""
    public_url: str
    """``server.public_url``, '' when unset."""
    version: str
    """wagate's version, for a User-Agent."""
    allow_http: bool
    """``delivery.allow_http``: plain http targets may be registered."""
    max_retries: int
    """``delivery.max_retries``."""
    timeout: float
    """``delivery.timeout`` in seconds."""
    http: HttpClient
    """The guarded HTTP client. A connection is kept for the client on whose behalf the plugin was called; a task that
    works for several says so (`wagate.http.on_behalf_of`)."""
    log: structlog.stdlib.BoundLogger
    """Structured log, bound to the plugin's name. Never log a body, a token or a whole phone number."""
    clock: Clock
    """The one clock."""
    folder: Callable[[], Path]
    """Its own folder (0700) in the data folder, made when it is first asked for; it is in backups."""
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
    emit: Emit
    encrypt: Callable[[str], str]
    """Encrypt a secret for storage with ``auth.secret_key``."""
    decrypt: Callable[[str], str]
    """The inverse."""
    on_change: Callable[[Callable[[], Awaitable[None]]], None]
    """Have a function called after clients, accounts or endpoints changed."""
