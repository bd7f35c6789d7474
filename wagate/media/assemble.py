"""Everything about files, tied together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wagate.clock import Clock
from wagate.config import Config
from wagate.config.vault import Vault
from wagate.http import HttpClient
from wagate.media.fetch import Fetcher, LateFiles, Ring, Routes
from wagate.media.files import FileStore
from wagate.media.links import Links
from wagate.media.source import Source
from wagate.media.store import Media
from wagate.media.voice import Voices
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.media import hashes_in_use
from wagate.storage.owners.live import LiveDirectory

YOUNG = 3600.0
"""Seconds in which a file is left alone: its row may not be committed yet."""
SLICE = 500


@dataclass(frozen=True, kw_only=True)
class MediaSubsystem:
    """What a process has for files."""

    store: Media
    voices: Voices
    """Recordings as providers take them."""
    fetcher: Fetcher
    """`Fetcher.run` is to be supervised."""
    late: LateFiles
    files: FileStore
    database: Database

    async def sweep(self, now: datetime) -> int:
        """Delete files without a row, by their age at ``now``; how many."""
        return await sweep_files(self.database, self.files, now.timestamp())


def make_media(
    config: Config,
    clock: Clock,
    *,
    vault: Vault,
    database: Database,
    live: LiveDirectory,
    http: HttpClient,
    providers: Providers,
    routes: Routes,
    ring: Ring,
) -> MediaSubsystem:
    """Make them; nothing runs yet. Call inside trio. ``routes`` and ``ring`` are for who is told of late files."""
    files = FileStore(config.data.dir / config.media.dir.expanduser())
    source = Source(
        database=database, files=files, http=http, live=live, providers=providers, max_size=int(config.media.max_size)
    )
    late = LateFiles(database, clock, routes=routes, ring=ring)
    fetcher = Fetcher(source, late, clock, eager=config.media.fetch)
    links = Links(vault, clock, public_url=config.server.public_url)
    most = int(config.media.max_size)
    store = Media(database, files, fetcher, links, clock, late=late, http=http, caps=config.limits, max_size=most)
    return MediaSubsystem(
        store=store,
        voices=Voices(store),
        fetcher=fetcher,
        late=late,
        files=files,
        database=database,
    )


async def sweep_files(database: Database, files: FileStore, now: float) -> int:
    """Delete files without a stored row, and what was left half written; how many."""
    deleted = await files.clear_incoming(YOUNG, now)
    hashes = await files.older_than(YOUNG, now)
    for start in range(0, len(hashes), SLICE):
        part = hashes[start : start + SLICE]
        used = await database.read(hashes_in_use, part)
        deleted += await files.delete([each for each in part if each not in used], YOUNG, now)
    return deleted
