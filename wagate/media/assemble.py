"""Everything about files, tied together."""

from __future__ import annotations

from dataclasses import dataclass

from wagate.clock import Clock
from wagate.config import Config
from wagate.config.vault import Vault
from wagate.http import HttpClient
from wagate.media.fetch import Fetcher
from wagate.media.files import FileStore
from wagate.media.links import Links
from wagate.media.source import Source
from wagate.media.store import Media
from wagate.media.sweep import sweep_files
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.live import LiveDirectory


@dataclass(frozen=True, kw_only=True)
class MediaParts:
    """What a process has for files."""

    store: Media
    fetcher: Fetcher
    """`Fetcher.run` is to be supervised."""
    files: FileStore
    database: Database
    clock: Clock

    async def sweep(self) -> int:
        """Delete files without a row; how many."""
        return await sweep_files(self.database, self.files, self.clock)


def media_parts(
    config: Config,
    clock: Clock,
    *,
    vault: Vault,
    database: Database,
    live: LiveDirectory,
    http: HttpClient,
    providers: Providers,
) -> MediaParts:
    """Make them; nothing runs yet. Call inside trio."""
    files = FileStore(config.data.dir / config.media.dir.expanduser())
    source = Source(
        database=database, files=files, http=http, live=live, providers=providers, max_size=int(config.media.max_size)
    )
    fetcher = Fetcher(source, clock, eager=config.media.fetch)
    links = Links(vault, clock, public_url=config.server.public_url)
    most = int(config.media.max_size)
    store = Media(database, files, fetcher, links, clock, http=http, caps=config.limits, max_size=most)
    return MediaParts(store=store, fetcher=fetcher, files=files, database=database, clock=clock)
