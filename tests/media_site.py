"""Files without the rest of a gateway: real database, real folder, real HTTP, a provider and its media host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import trio

from tests.rows import event, id_of, intake, route
from wagate.clock import Clock
from wagate.config.tables import Config, Data, Limits, Server
from wagate.config.tables import Media as MediaConfig
from wagate.config.units import Size
from wagate.config.vault import Vault
from wagate.events import Event, Media
from wagate.hooks.providers import MediaRequest, Provider, ProviderAccount
from wagate.http import Guard, HttpClient
from wagate.media.assemble import MediaSubsystem, make_media
from wagate.plugins.account_settings import NoSettings
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.events.intake import Stored, store
from wagate.storage.media import MediaRow
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.statement import run
from wagate.testing.rest import at_rest
from wagate.testing.server import FakeServer, Reply, Seen, running

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
VAULT = Vault(["a secret key for tests"])
Locate = Callable[[Media, ProviderAccount], Awaitable[MediaRequest]]


class StillClock(Clock):
    """Begins at the real time and then moves only when it is shifted: no try falls due because the machine is slow."""

    def __init__(self) -> None:
        super().__init__()
        self._began = datetime.now(UTC).timestamp()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def time(self) -> float:
        return self._began + self.ahead

    def monotonic(self) -> float:
        return self._began + self.offset


@dataclass
class MediaSite:
    """What a test talks to."""

    parts: MediaSubsystem
    database: Database
    server: FakeServer
    clock: Clock
    folder: Path
    told: list[Stored]
    """Events of late files."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By path; /file is a picture."""
    locate: Locate | None = None
    """What the provider says; None: the picture's URL with a token."""

    async def comes(self, raw: bytes = b"{}", **fields: Any) -> Event:
        """A message with a picture comes in."""
        media = fields.pop("media", Media(mimetype="image/jpeg", filename="a.jpg", provider_id="77"))
        made = event(**{"type": "image", "media": media, "provider": "fake", "created_at": self.clock.now()} | fields)
        stored = await self.put(made, raw)
        self.parts.fetcher.ring([stored])
        return made

    async def put(self, made: Event, raw: bytes = b"{}", dedupe_key: str = "") -> Stored:
        """Store an event, and tell nobody."""
        item = msgspec.structs.replace(intake(dedupe_key=dedupe_key, routes=()), event=made, raw=raw)
        return await self.database.write_bulk(store, item)

    async def row(self, made: Event) -> MediaRow:
        return await self.parts.store.get(made.id, client_id=None)

    async def until(self, made: Event, *statuses: str, attempts: int = 0) -> MediaRow:
        """Its row once it has one of these statuses and so many attempts that are over."""
        with trio.fail_after(60):
            while True:
                row = await self.row(made)
                over = row.error is None or not row.error.startswith("interrupted")
                if row.status in statuses and row.attempts >= attempts and over:
                    return row
                await trio.sleep(0.01)

    async def passes(self, seconds: float) -> None:
        """Let time pass, once what runs has come to rest, its threads too."""
        await at_rest()
        self.clock.shift(seconds)

    async def body(self, made: Event) -> bytes:
        held = await self.parts.store.open(made)
        return b"".join([chunk async for chunk in held.chunks()])

    @property
    def on_disk(self) -> list[str]:
        """Names of all files, those half written as ``incoming/…``."""
        files = (path for path in (self.folder / "media").rglob("*") if path.is_file())
        return sorted(f"incoming/{path.name}" if path.parent.name == "incoming" else path.name for path in files)


@asynccontextmanager
async def media_site(
    database: Database,
    folder: Path,
    *,
    fetching: bool = True,
    public_url: str = "https://wa.example",
    guard: Guard | None = None,
    clock: Clock | None = None,
    server: FakeServer | None = None,
    limits: Limits | None = None,
    **config: Any,
) -> AsyncIterator[MediaSite]:
    """Run it, with the account ``main`` of the provider ``fake``. ``config`` is that of ``[media]``."""
    clock = clock or StillClock()
    live, providers = LiveDirectory(database, VAULT.decrypt), Providers(public_url="")
    await database.write(_account, clock)
    await live.reload()

    async def answer(seen: Seen) -> Reply:
        return site.replies.get(seen.path, Reply(status=404))

    async def locate(media: Media, account: ProviderAccount) -> MediaRequest:
        if site.locate is not None:
            return await site.locate(media, account)
        url, token = f"{site.server.url}/file", {"Authorization": "Bearer t"}
        return MediaRequest(url=url, headers=token, mimetype=media.mimetype)

    providers.add(
        [Provider(name="fake", title="Fake", settings_type=NoSettings, secrets=frozenset(), locate_media=locate)]
    )
    http = HttpClient(guard=guard or Guard(allow_networks=(ip_network("127.0.0.0/8"),)), allow_http=True)
    made = Config(
        data=Data(dir=folder),
        server=Server(public_url=public_url),
        limits=limits or Limits(),
        media=MediaConfig(**{"max_size": Size("1MiB")} | config),
    )
    told: list[Stored] = []
    parts = make_media(
        made,
        clock,
        vault=VAULT,
        database=database,
        live=live,
        http=http,
        providers=providers,
        routes=lambda handler, target, event: (route(f"{handler}:{target.id}", event.chat),),
        ring=told.extend,
    )
    site = MediaSite(parts, database, server or FakeServer(answer), clock, folder, told, {"/file": Reply(body=JPEG)})
    async with running(site.server), trio.open_nursery() as nursery:
        if fetching:
            nursery.start_soon(parts.fetcher.run)
        try:
            yield site
        finally:
            nursery.cancel_scope.cancel()
            await http.aclose()


def _account(db: Any, clock: Clock) -> None:
    ensure_default_client(db, now=clock.now())
    now = clock.now().isoformat()
    text = (
        "INSERT INTO accounts (id, name, client_id, provider, source, created_at, updated_at) "
        "VALUES (?, ?, 1, 'fake', 'config', ?, ?) ON CONFLICT DO NOTHING"
    )
    run(db, text, [id_of("main"), "main", now, now])
