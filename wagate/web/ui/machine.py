"""``/ui/system``: this machine, and what the gateway knows of itself."""

from __future__ import annotations

import os
import shutil
import socket
from datetime import datetime
from pathlib import Path
from typing import Final

import trio
from quart import Blueprint

from wagate.config.tables import Retention
from wagate.storage.upkeep.copies import last_backup
from wagate.storage.upkeep.stored import Stored, stored
from wagate.web.health import LEAST_FREE
from wagate.web.ui import words
from wagate.web.ui.parts import Parts, admin_only

DAY: Final = 86_400.0
LEAST: Final = 2 * DAY
"""Seconds for which something must be stored, before a forecast is made of it."""
FAR: Final = 2 * 365 * DAY
KEPT: Final = (
    ("events", "Messages, and deliveries that are done"),
    ("failed", "Deliveries that failed permanently"),
    ("media", "Files"),
    ("sessions", "Numbers that were never linked"),
)
"""A field of `Retention` → what it is about."""


def pages(parts: Parts) -> Blueprint:
    """``/ui/system``."""
    routes = Blueprint("machine", __name__)

    @routes.get("/system")
    async def system() -> str:
        admin_only()
        disk = await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)
        found = await parts.database.browse(stored)
        return parts.page(
            "system",
            "system",
            disk=disk,
            stored=found,
            forecast=forecast(found, free=disk.free, keep=parts.retention.events, now=parts.now()),
            report=await parts.health.report(),
            uptime=parts.health.uptime(),
            folder=parts.folder,
            backup=await trio.to_thread.run_sync(last_backup, parts.folder),
            kept=kept(parts.retention),
            processes=parts.processes(),
            process=f"{socket.gethostname()}, process {os.getpid()}",
            memory=await trio.to_thread.run_sync(resident),
            loaded=parts.loaded(),
            warnings=parts.warnings(),
        )

    return routes


def kept(retention: Retention) -> list[tuple[str, str]]:
    """What is kept → for how long."""
    return [(text, words.duration(getattr(retention, name))) for name, text in KEPT]


def forecast(found: Stored, *, free: int, keep: float, now: datetime) -> str:
    """What becomes of the disk if as much comes in as came on average; '' when too little is known.

    Below `LEAST_FREE` it is full, whatever the database has deleted: others write to the disk, too.

    ``free``: bytes; ``keep``: seconds after which events are deleted, so that the database grows no further.
    """
    if free < LEAST_FREE:
        return "full: make room, or shorten retention"
    age = 0.0 if found.oldest_at is None else (now - found.oldest_at).total_seconds()
    if not found.here or age < LEAST:
        return ""
    pace = found.size / age
    left = free / pace
    if age + left >= keep:
        most = max(pace * keep, found.size)
        return f"room enough: it grows to about {words.size(most)}, then the oldest messages are deleted"
    return f"full in about {words.duration(left)}" if left < FAR else "room for years"


def resident() -> int | None:
    """Bytes of memory that this process holds; None: this system does not tell."""
    try:
        pages_held = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages_held * os.sysconf("SC_PAGE_SIZE")
