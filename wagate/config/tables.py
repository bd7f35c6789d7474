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
    """The address that wagate listens on, and the one that others reach it at."""

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` or ``::`` for all."""
    port: Port = 8080
    """The port to listen on; 0 takes any free one."""
    public_url: str = ""
    """The URL at which others reach wagate, as in ``https://wa.example.org``. Media links and Twilio's
    signatures need it."""
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
    """How long a stop waits for work in flight. The next start takes up what is left."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What wagate keeps on disk."""

    dir: Path = Path("data")
    """Database, embedded Redis, media and secrets; created with mode 0700. Relative to the folder of config.toml."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """The database that stores events, deliveries and everything else."""

    url: str = ""
    """Empty: SQLite in ``data.dir``; or ``postgresql://user:password@host/name``. If it is empty, the environment's
    ``DATABASE_URL`` is used."""


class Redis(msgspec.Struct, frozen=True, kw_only=True):
    """The Redis that holds the queue."""

    url: str = ""
    """Empty: an embedded Valkey in ``data.dir``; or ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
    ``redis+cluster://host:6379,host2:6379``."""


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """The two secrets of a gateway. The first start makes those that are not set."""

    admin_token: str = ""
    """The token that may do everything. If unset, the first start makes one, keeps it in ``data.dir`` (0600) and
    prints it once."""
    secret_key: str | list[str] = ""
    """Encrypts stored credentials: a Fernet key, or a passphrase of at least 16 characters. A list is a rotation: the
    first encrypts, all decrypt. If unset, the first start makes one and keeps it in ``data.dir``."""

    def __repr__(self) -> str:
        return "Auth(admin_token=•••, secret_key=•••)"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How events are handed to their targets."""

    timeout: Duration = Duration("10s")
    """How long one attempt may take."""
    max_retries: Count = 3
    """Attempts in all: at once, then 5 s × 2^(n-1) after the n-th failure, plus 0…20 % jitter."""
    max_delay: Duration = Duration("6h")
    """The longest wait between two attempts."""
    recover: Duration = Duration("24h")
    """Deliveries that failed in this window are replayed in order once their target answers; ``0s``: only manually."""
    order: Literal["strict", "skip"] = "strict"
    """``strict``: a delivery that may still succeed holds back its chat; ``skip``: the chat goes on at once."""
    proxy: str = ""
    """The proxy for requests to targets (``http``, ``https``, ``socks5``). Proxies of the environment are ignored."""
    allow_http: bool = False
    """Allow targets with plain ``http``."""
    allow_networks: list[str] = field(default_factory=list)
    """Private networks (CIDR) that targets may be in."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """How much wagate works on at once."""

    concurrency: Count = 64
    """Handlers at once, per process."""
    lease: Duration = Duration("10s")
    """How long until another process takes up the work of one that died."""
    max_depth: Count = 50000
    """Ids in Redis at most; the rest waits in the tables."""
    shards: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Parts of the queue, each in a hash slot of its own, so that the nodes of a Redis Cluster share it. The same for
    all processes; change it while none runs."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Files that come with messages, and files to send."""

    fetch: bool = True
    """Fetch every file when its message comes in; ``false``: only when it is requested."""
    max_size: Size = Size("100MiB")
    """Larger files are not fetched, and uploads of them are refused."""
    dir: Path = Path("media")
    """The folder of the files, relative to ``data.dir``. Several processes on one database must share it."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long things are kept."""

    events: Duration = Duration("30d")
    """Events, and deliveries that are done."""
    failed: Duration = Duration("90d")
    """Deliveries that failed permanently, messages that failed, acts on many deliveries, and who did what."""
    media: Duration = Duration("30d")
    """Files that came in, and files that were uploaded to be sent."""
    sessions: Duration = Duration("90d")
    """Sessions that are idle and were never connected."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one caller may ask for."""

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
    """Connections at once; 0: as many as open files allow. Beyond that, the one idle for longest is closed."""
    webhooks: Count = 1000
    """Webhooks per client, for each connector."""
    tokens: Count = 100
    """Tokens per client."""
    streams: Count = 100
    """Streams of sessions that one client, or one view token, may have open in a process. So many `/ws` as well."""
    uploads: Count = 10000
    """Files to send that one client may keep."""
    stored: Size = Size("20GiB")
    """Bytes of all files of one client. Incoming files count, but are never refused."""
    reserve: Size = Size("1GiB")
    """Free bytes on the media folder's disk that uploads leave for incoming files."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """Logging."""

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
    """``[accounts.<name>]``: ``client``, ``provider``, and the provider's own keys. Accounts can also be made by API;
    for a name that both have, config.toml wins."""
    plugins: dict[str, dict[str, Unread]] = field(default_factory=dict)
    """``[plugins.<name>]``: a table turns its connector on; its keys are those of the plugin."""


class Config(Tables, frozen=True, kw_only=True):
    """A loaded configuration: its tables, and where they came from. ``Config()`` is all defaults."""

    file: Path = Path("config.toml")
    """The file that was read, or would have been."""
    secrets: frozenset[str] = frozenset()
    """Every value that must not appear in logs or answers; see `wagate.config.redact`."""
    without: tuple[str, ...] = ()
    """Plugins whose tables were left out."""

    def __repr__(self) -> str:
        return f"Config(file={str(self.file)!r})"
