"""One gateway for each data folder."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from wagate.config.secrets import make_folder
from wagate.errors import AlreadyRunningError, ConfigError

FILE: Final = "wagate.lock"
_PATIENCE: Final = 0.5
"""Seconds to try: `find_holder` of another process has the lock for an instant."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a data folder."""

    pid: int
    """Its process id, on ``host``."""
    host: str
    """The machine's name: a folder may be shared by several."""
    started_at: datetime
    """When it took the folder; aware UTC."""
    port: int
    """Where it listens; 0 for any free port."""


@contextmanager
def hold(folder: Path, *, port: int) -> Iterator[Holder]:
    """Hold the data folder (made if need be) until the context ends or the process dies, however it dies.

    Raises:
        AlreadyRunningError: another process has it; the message says which, and since when.
        ConfigError: the folder can't be made or written.
    """
    make_folder(folder)
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"data.dir: can't write {folder / FILE}: {error.strerror}") from error
    try:
        _take(descriptor, folder)
        holder = Holder(pid=os.getpid(), host=socket.gethostname(), started_at=datetime.now(UTC), port=port)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(holder) + b"\n", 0)
        yield holder
    finally:
        # The kernel lets go of the lock with the last descriptor; Python's are not inherited by children.
        os.close(descriptor)


def find_holder(folder: Path) -> Holder | None:
    """Who holds the folder now; None when nobody does."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _try_lock(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            raise AlreadyRunningError(f"{folder} is in use: {_describe(_read(descriptor))}")
        time.sleep(0.02)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return None  # it has the lock, and has not written yet


def _describe(holder: Holder | None) -> str:
    if holder is None:
        return "another wagate is starting there"
    since = holder.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"wagate runs there as process {holder.pid} on {holder.host}, port {holder.port}, since {since}"
