"""What came, on its way to the gateway: on the disk until it is stored, and written as lines by one thread, in batches.

WhatsApp has its receipt already, and would not send it again; so no line leaves before what it tells is on the disk.
"""

from __future__ import annotations

import base64
import binascii
import errno
import fcntl
import json
import os
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

BATCH = 200
COMPACT = 8 * 1024 * 1024
"""Bytes from which on a file that was never empty is written anew."""

OWNED = 30.0
"""Seconds for which another process may still have the account: as long as it drains, less than who asked waits."""
LOOK = 0.05


class Line(NamedTuple):
    """One line; it is made when it is sent, not on the library's thread."""

    make: Callable[[], dict[str, Any] | list[dict[str, Any]]]
    """Several are written in their order; the last one has the number."""
    spool: Spool | None = None
    """Where it was written down before."""


class Outbox:
    """The way to the gateway."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self.failed = threading.Event()
        """Nobody reads any more."""

    def put(self, line: Line) -> None:
        """Never blocks."""
        self._lines.put(line)

    def tell(self, **fields: Any) -> None:
        """A line that is ready."""
        self.put(Line(lambda: fields))

    def run(self) -> None:
        """Write, until nobody reads."""
        while not self.failed.is_set():
            batch = [self._lines.get()]
            while len(batch) < BATCH and not self._lines.empty():
                batch.append(self._lines.get())
            for spool in {id(each.spool): each.spool for each in batch if each.spool is not None}.values():
                spool.sync()
            try:
                self._sock.sendall(b"".join(map(_written, batch)))
            except OSError:
                self.failed.set()


def _written(line: Line) -> bytes:
    try:
        made = line.make()
        several = made if isinstance(made, list) else [made]
        return b"".join(json.dumps(each, separators=(",", ":"), default=_text).encode() + b"\n" for each in several)
    except Exception as error:  # noqa: BLE001  (one event that can't be told must not stop the others; it stays spooled)
        return json.dumps({"event": "Untold", "error": repr(error)[:500]}).encode() + b"\n"


def _text(value: Any) -> str:
    """What JSON does not know: a text that is no UTF-8, which protobuf gives as bytes. TypeError: something else."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return value.decode("utf-8", "replace")


class Entry(NamedTuple):
    """One event that waits."""

    number: int
    """Counted from 1 in this process; 0: it is not in the spool."""
    code: int
    raw: bytes


class Spool:
    """The file of one account. Appending survives a kill at once, and a power cut after `sync`.

    Its own lock is the account's: whoever appends and hands over holds it, so that both have one order.
    """

    def __init__(self, path: Path) -> None:
        """Waits until the process that had it before is gone: it may still write down what it held.

        TimeoutError: it does not go. Each start that waited for ever would keep one of the threads.
        """
        self.lock = threading.RLock()
        self._path = path
        self._owner = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + OWNED
        while not _locked(self._owner):
            if time.monotonic() > deadline:
                os.close(self._owner)
                raise TimeoutError("another process still has the number")
            time.sleep(LOOK)
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._count = 0
        self._size = 0
        self._behind = False
        """Whether something that waits is not in the file: the disk took no more."""
        self._closed = False
        self.waiting: deque[Entry] = deque()
        self._read()

    def append(self, code: int, raw: bytes) -> Entry:
        """Write one down; when the disk takes no more, it waits in memory until `sync` finds room.

        Once it is closed, the file is another's, and the entry gets the number 0: it is written down nowhere.
        """
        if self._closed:
            print("not spooled: it is closed", file=sys.stderr, flush=True)  # noqa: T201  (this process's log)
            return Entry(0, code, raw)
        entry = self._entry(code, raw)
        if not self._behind:
            try:
                self._add(_line(entry))
            except OSError as error:
                self._fail(error)
        return entry

    def sync(self) -> None:
        """Onto the disk itself. Nobody who appends waits for it, unless the disk was full. Never raises."""
        try:
            with self.lock:
                if self._closed:
                    return
                if self._behind:
                    self._rewrite()
                file = os.dup(self._file)
            try:
                os.fdatasync(file)
            finally:
                os.close(file)
        except OSError as error:
            self._fail(error)

    def seen(self, number: int) -> None:
        """All up to this one are stored elsewhere. Never raises."""
        with self.lock:
            while self.waiting and self.waiting[0].number <= number:
                self.waiting.popleft()
            if self._closed:
                return
            try:
                if not self.waiting and self._size:
                    os.ftruncate(self._file, 0)
                    self._size = 0
                elif self._size > COMPACT and sum(len(each.raw) for each in self.waiting) < COMPACT // 4:
                    self._rewrite()
            except OSError as error:
                self._fail(error)
            self._behind = self._behind and bool(self.waiting)

    def close(self) -> None:
        """Write what is in memory alone, if there is room now, and give it free for another process. Never raises."""
        with self.lock:
            if self._closed:
                return
            if self._behind and self.waiting:
                try:
                    self._rewrite()
                except OSError as error:
                    self._fail(error)
            self._closed = True
            os.close(self._file)
            os.close(self._owner)

    def _add(self, line: bytes) -> None:
        """A whole line or none: behind half a line, the next one could not be read."""
        written = os.write(self._file, line)
        if written < len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _fail(self, error: OSError) -> None:
        self._behind = True
        print("not spooled:", error, file=sys.stderr, flush=True)  # noqa: T201  (this process's log)

    def _read(self) -> None:
        """What the last process left; half a last line is dropped."""
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            code, _, text = line.partition(b" ")
            try:
                self._entry(int(code), base64.b64decode(text, validate=True))
            except (ValueError, binascii.Error):
                continue  # a disk that lost a part of the file
        os.ftruncate(self._file, len(whole))
        self._size = len(whole)

    def _entry(self, code: int, raw: bytes) -> Entry:
        self._count += 1
        entry = Entry(self._count, code, raw)
        self.waiting.append(entry)
        return entry

    def _rewrite(self) -> None:
        """All that waits, in a new file. OSError: the old one stays."""
        new = self._path.with_suffix(".new")
        file = os.open(new, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        content = b"".join(map(_line, self.waiting))
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fdatasync(file)
            new.replace(self._path)
        except OSError:
            os.close(file)
            new.unlink(missing_ok=True)
            raise
        os.close(self._file)
        self._file, self._size, self._behind = file, len(content), False


def _line(entry: Entry) -> bytes:
    return b"%d %s\n" % (entry.code, base64.b64encode(entry.raw))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
