"""Files that no row has any more go from the disk."""

from __future__ import annotations

from wagate.clock import Clock
from wagate.media.files import FileStore
from wagate.storage.database import Database
from wagate.storage.media import hashes_in_use

YOUNG = 3600.0
"""Seconds in which a file is left alone: its row may not be committed yet."""
SLICE = 500


async def sweep_files(database: Database, files: FileStore, clock: Clock) -> int:
    """Delete files without a stored row, and what was left half written; how many."""
    deleted = await files.clear_incoming(YOUNG, clock.time())
    hashes = await files.older_than(YOUNG, clock.time())
    for start in range(0, len(hashes), SLICE):
        part = hashes[start : start + SLICE]
        used = await database.read(hashes_in_use, part)
        deleted += await files.delete([each for each in part if each not in used], YOUNG, clock.time())
    return deleted
