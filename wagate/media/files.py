"""Files on disk, by their hash: written once, read often, equal ones kept once."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from typing import IO, TypeVar

import msgspec
import trio

from wagate.errors import StorageError
from wagate.media.sniff import HEAD

GATHER = 256 * 1024
"""Bytes that are written at once: a trip to a thread costs as much as copying these."""
CHUNK = 64 * 1024
"""Bytes that are read at once."""
THREADS = 8
"""Reads and writes at once; a slow disk must not use up trio's common threads."""
INCOMING = "incoming"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is on disk for good."""

    sha256: str
    """Hex."""
    size: int
    head: bytes
    """Its first bytes, to tell its type."""


class Writing:
    """A file on its way in."""

    def __init__(self, store: FileStore, file: IO[bytes]) -> None:
        self._store = store
        self._file = file
        self._waiting = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self.head = b""
        """Its first bytes so far."""

    @property
    def path(self) -> Path:
        """Where it is meanwhile."""
        return Path(self._file.name)

    async def write(self, chunk: bytes) -> None:
        """Add a chunk. StorageError: the disk takes no more."""
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        self._waiting += chunk
        if len(self._waiting) >= GATHER:
            await self._store.run(self._flush)

    async def read(self, start: int, stop: int, most: int) -> AsyncGenerator[bytes, None]:
        """What was written from ``start`` to ``stop``, at most so many bytes at a time."""
        await self._store.run(self._flush)
        for at in range(start, stop, most):
            yield await self._store.run(partial(self._part, at, min(most, stop - at)))

    def _part(self, at: int, count: int) -> bytes:
        self._file.flush()
        return os.pread(self._file.fileno(), count, at)

    async def flushed(self) -> Path:
        """Where all that was written so far can be read. StorageError: the disk takes no more."""
        await self._store.run(self._flush_all)
        return self.path

    async def finish(self) -> Written:
        """All is written, with fsync, in its place. StorageError: it is not."""
        return await self._store.run(self._settle)

    def _flush(self) -> None:
        data, self._waiting = self._waiting, bytearray()
        self._size += len(data)
        self._hash.update(data)
        self._file.write(data)

    def _flush_all(self) -> None:
        self._flush()
        self._file.flush()

    def _settle(self) -> Written:
        self._flush_all()
        os.fsync(self._file.fileno())
        digest = self._hash.hexdigest()
        self._store.adopt(self.path, digest)
        return Written(sha256=digest, size=self._size, head=self.head)


class FileStore:
    """``<folder>/ab/abcdef…``: folders 0700, files 0600. What is on its way lies in ``<folder>/incoming``."""

    def __init__(self, folder: Path) -> None:
        """Call inside trio; nothing is made before it is needed."""
        self._folder = folder
        self._born = time.time()
        self._limiter = trio.CapacityLimiter(THREADS)
        # A file that comes again while its last row goes must not be deleted under it.
        self._lock = threading.Lock()
        self._coming: set[str] = set()
        """Names of this process's files on their way in. Their times don't tell: the kernel's clock lags some ms."""

    def path(self, sha256: str) -> Path:
        """Where the file with this hash is, or would be."""
        return self._folder / sha256[:2] / sha256

    async def has(self, sha256: str) -> bool:
        """Whether it is there."""
        return await self.run(self.path(sha256).is_file)

    async def free(self) -> int:
        """Free bytes of the disk that the folder is on, or will be."""
        return await self.run(self._free)

    def _free(self) -> int:
        place = next(each for each in (self._folder, *self._folder.parents) if each.exists())
        return shutil.disk_usage(place).free

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """Take in a file; without `Writing.finish` nothing of it stays. StorageError: the disk takes no more."""
        file = await self.run(self._open)
        try:
            yield Writing(self, file)
        finally:
            with trio.CancelScope(shield=True):
                await self.run(lambda: self._drop(file))

    async def run(self, act: Callable[[], T]) -> T:
        """Do something with the disk in a thread.

        Raises:
            StorageError: the disk can take no more, or fails.
        """
        try:
            return await trio.to_thread.run_sync(act, limiter=self._limiter)
        except FileNotFoundError:
            raise
        except OSError as error:
            full = "is full" if error.errno in _FULL else f"failed: {error.strerror}"
            raise StorageError(f"the media folder's disk {full}; the file was not stored") from error

    def adopt(self, file: Path, sha256: str) -> None:
        """Put a whole file in its place; in a thread."""
        place = self.path(sha256)
        _make(place.parent)
        with self._lock:
            if place.exists():
                os.utime(place)  # young again: the sweep leaves it alone until its new row is there
                return
            file.replace(place)
        _sync(place.parent)

    async def chunks(self, path: Path, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from ``start`` to ``stop`` of a file. FileNotFoundError when it is gone."""
        file = await self.run(lambda: path.open("rb"))
        try:
            await self.run(partial(file.seek, start))
            while start < stop and (chunk := await self.run(partial(file.read, min(CHUNK, stop - start)))):
                start += len(chunk)
                yield chunk
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(file.close)

    async def clear_incoming(self, age: float, now: float) -> int:
        """Delete what a dead process left half written more than ``age`` seconds ago; how many files."""
        folder = self._folder / INCOMING
        return await self.run(lambda: sum(_age(each, now) >= age and _unlink(each) for each in _files(folder)))

    async def clear_before_start(self) -> int:
        """Delete what was half written before this process began; only where no other process writes. How many."""
        return await self.run(self._clear_before_start)

    def _clear_before_start(self) -> int:
        with self._lock:
            left = [each for each in _files(self._folder / INCOMING) if each.name not in self._coming]
            return sum(_age(each, self._born) > 0 and _unlink(each) for each in left)

    async def older_than(self, age: float, now: float) -> list[str]:
        """Hashes of all files that were not written in the last ``age`` seconds."""
        return await self.run(lambda: [path.name for path in self._all() if _age(path, now) > age])

    async def delete(self, hashes: list[str], age: float, now: float) -> int:
        """Delete these, but none that was written in the last ``age`` seconds; how many."""
        return await self.run(lambda: sum(self._delete(each, age, now) for each in hashes))

    def _delete(self, sha256: str, age: float, now: float) -> bool:
        path = self.path(sha256)
        with self._lock:
            return _age(path, now) > age and _unlink(path)

    def _all(self) -> Iterator[Path]:
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if len(folder.name) == 2:
                yield from _files(folder)

    def _open(self) -> IO[bytes]:
        _make(self._folder / INCOMING)
        with self._lock:
            number, name = mkstemp(dir=self._folder / INCOMING)  # 0600
            self._coming.add(Path(name).name)
        os.close(number)
        return Path(name).open("r+b")

    def _drop(self, file: IO[bytes]) -> None:
        """Close it; take it away unless it was put in its place."""
        with suppress(OSError):
            file.close()
        _unlink(Path(file.name))
        self._coming.discard(Path(file.name).name)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (each for each in folder.iterdir() if each.is_file())


def _make(folder: Path) -> None:
    for each in (folder.parent, folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(each.parent)


def _sync(folder: Path) -> None:
    """Have a new name in a folder survive a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
