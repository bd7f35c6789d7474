"""Every key of config.toml: its type, its default and what it is for. The reference page is made from this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import field

from wagate.config.units import Duration, Rate, Size

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Unread = Annotated[Any, msgspec.Meta(description="kept as it stands, for `wagate.config.convert_settings`")]
"""A value whose type a plugin or provider knows. Text from outside is still a `wagate.config.sources.Sourced` here."""
Count = Annotated[int, msgspec.Meta(ge=1)]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where wagate listens, and what the world calls it."""

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` or ``::`` for all."""
    port: Port = 8080
    """The port to listen on; 0 takes any free one."""
    public_url: str = ""
    """What the world calls us, as in ``https://wa.example.org``; Twilio's signatures, media links and so on need it."""
    trusted_proxies: list[str] = field(default_factory=list)
    """Addresses or networks whose ``X-Forwarded-*`` headers count."""
    max_body: Size = Size("10MiB")
    """Larger request bodies are answered 413."""
    cors_origins: list[str] = field(default_factory=list)
    """Origins whose browser pages may call the API, as in ``https://app.example.org``."""
    certfile: str = ""
    """A PEM certificate chain; with ``keyfile``, TLS without a proxy in front."""
    keyfile: str = ""
    """The private key of ``certfile``, as PEM."""
    drain: Duration = Duration("20s")
    """How long a stop waits for work in flight; what is not done then is taken up at the next start."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What wagate keeps on disk."""

    dir: Path = Path("data")
    """Database, embedded Redis, media and secrets; created with mode 0700. Relative to the folder of config.toml."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Where events, deliveries and all else are stored."""

    url: str = ""
    """Empty: SQLite in ``data.dir``; or ``postgresql://user:password@host/name``. While it is empty, the environment's
    ``DATABASE_URL`` counts."""


class Redis(msgspec.Struct, frozen=True, kw_only=True):
    """Where the queue is."""

    url: str = ""
    """Empty: an embedded Valkey in ``data.dir``; or ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``."""


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """The two secrets of a gateway. Both are made at first start when they are not set."""

    admin_token: str = ""
    """The token that may do everything. Unset: made at first start, kept in ``data.dir`` (0600), printed once."""
    secret_key: str | list[str] = ""
    """Encrypts stored credentials: a Fernet key, or any passphrase of 16 characters and more. A list is a rotation: the
    first encrypts, all decrypt. Unset: made at first start, kept in ``data.dir``."""

    def __repr__(self) -> str:
        return "Auth(admin_token=•••, secret_key=•••)"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How events are handed to their targets."""

    timeout: Duration = Duration("10s")
    """How long one attempt may take."""
    max_retries: Count = 3
    """Attempts in all: at once, then 5 s × 2^(n-1) after the n-th failure, plus 0…20 % jitter."""
    max_delay: Duration = Duration("6h")
    """No wait is longer, for those who set ``max_retries`` to 30."""
    recover: Duration = Duration("24h")
    """What failed in this window is replayed, in order, once its target answers again; ``0s``: by hand only."""
    order: Literal["strict", "skip"] = "strict"
    """``strict``: what may still succeed holds its chat; ``skip``: the chat goes on at once."""
    proxy: str = ""
    """The only proxy used for requests to targets; those of the environment are ignored."""
    allow_http: bool = False
    """Let targets be plain ``http``."""
    allow_networks: list[str] = field(default_factory=list)
    """Networks (CIDR) exempt from the private-address guard."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """How much is worked on at once."""

    concurrency: Count = 64
    """Handlers at once, per process."""
    lease: Duration = Duration("10s")
    """What a dead process held is taken up by another after this long."""
    max_depth: Count = 50000
    """Ids kept in Redis; the rest waits in the tables."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Files that come with messages, and files to send."""

    fetch: bool = True
    """Fetch every file when its message comes; ``false``: only when somebody asks for it."""
    max_size: Size = Size("100MiB")
    """Larger files are not fetched, and refused when they are uploaded."""
    dir: Path = Path("media")
    """Where they are kept; relative to ``data.dir``. Several processes on one database need one that they share."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long things are kept."""

    events: Duration = Duration("30d")
    """Events, and deliveries that are done."""
    failed: Duration = Duration("90d")
    """Deliveries that failed for good."""
    media: Duration = Duration("30d")
    """Files that came in, and files that were uploaded to be sent."""
    sessions: Duration = Duration("90d")
    """Sessions that are idle and were never connected."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one caller may ask."""

    api: Rate = Rate("600/min")
    """Per token, management routes."""
    queue: Rate = Rate("off")
    """Per token, ``/queue``."""
    messages: Rate = Rate("off")
    """Per token, ``/messages``."""
    intake: Rate = Rate("off")
    """Per account, webhooks coming in; per client at ``/webhook/inbound``."""
    auth: Rate = Rate("20/min")
    """Failed sign-ins per address."""
    accounts: Count = 50
    """Accounts per client."""
    body: Size = Size("256KiB")
    """Larger bodies of management routes are answered 413; webhooks coming in, messages and files have limits of
    their own (``server.max_body``, ``media.max_size``)."""
    body_bytes: Size = Size("64MiB")
    """Bytes of request bodies in memory at once, of all callers; beyond that, 503 with ``Retry-After``."""
    connections: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Connections at once; 0: as the limit of open files allows. The one that is idle for longest makes room."""
    webhooks: Count = 1000
    """Webhooks per client, of each connector that has some."""
    tokens: Count = 100
    """Tokens per client."""
    streams: Count = 100
    """Streams of sessions that one client, or one view token, may have open in a process."""
    uploads: Count = 10000
    """Files to send that one client may keep."""
    stored: Size = Size("20GiB")
    """Bytes of all files of one client; what comes in counts, and still comes in."""
    reserve: Size = Size("1GiB")
    """Free bytes of the media folder's disk that uploads leave for what comes in."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is logged."""
    format: Literal["auto", "console", "json"] = "auto"
    """``auto``: console on a terminal, JSON otherwise."""


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """All of config.toml."""

    server: Server = Server()
    data: Data = Data()
    database: Database = Database()
    redis: Redis = Redis()
    auth: Auth = Auth()
    delivery: Delivery = Delivery()
    queue: Queue = Queue()
    media: Media = Media()
    retention: Retention = Retention()
    limits: Limits = Limits()
    log: Log = Log()
    accounts: dict[str, dict[str, Unread]] = field(default_factory=dict)
    """``[accounts.<name>]``: ``client``, ``provider``, and the provider's own keys. Accounts may also be made by API;
    config wins for the names it has."""
    plugins: dict[str, dict[str, Unread]] = field(default_factory=dict)
    """``[plugins.<name>]``: a connector is on when its table is here; its keys are the plugin's own."""


class Config(Tables, frozen=True, kw_only=True):
    """A loaded configuration: its tables, and where they came from. ``Config()`` is all defaults."""

    file: Path = Path("config.toml")
    """The file that was read, or would have been."""
    secrets: frozenset[str] = frozenset()
    """Every value that must not appear in logs or answers; see `wagate.config.redact`."""

    def __repr__(self) -> str:
        return f"Config(file={str(self.file)!r})"
