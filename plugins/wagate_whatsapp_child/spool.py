"""What came and is not stored yet, on the disk: WhatsApp has its receipt already, and would not send it again."""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

COMPACT = 8 * 1024 * 1024
"""Bytes from which on a file that was never empty is written anew."""


@dataclass(frozen=True)
class Entry:
    """One event that waits."""

    number: int
    """Counted from 1 in this process."""
    code: int
    raw: bytes


class Spool:
    """The file of one account. Appending survives a kill at once, and a power cut after `sync`.

    Its own lock is the account's: whoever appends and hands over holds it, so that both have one order.
    """

    def __init__(self, path: Path) -> None:
        """Waits until the process that had it before is gone: it may still write down what it held."""
        self.lock = threading.RLock()
        self._path = path
        self._owner = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._count = 0
        self._size = 0
        self.waiting: deque[Entry] = deque()
        self._read()

    def append(self, code: int, raw: bytes) -> Entry:
        """Write one down; when the disk takes no more, it waits in memory alone."""
        entry = self._entry(code, raw)
        try:
            self._size += os.write(self._file, _line(entry))
        except OSError as error:
            print("not spooled:", error, file=sys.stderr, flush=True)  # noqa: T201  (this process's log)
        return entry

    def sync(self) -> None:
        """Onto the disk itself. Nobody who appends waits for it."""
        with self.lock:
            file = os.dup(self._file)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)

    def seen(self, number: int) -> None:
        """All up to this one are stored elsewhere."""
        with self.lock:
            while self.waiting and self.waiting[0].number <= number:
                self.waiting.popleft()
            if not self.waiting and self._size:
                os.ftruncate(self._file, 0)
                self._size = 0
            elif self._size > COMPACT and sum(len(each.raw) for each in self.waiting) < COMPACT // 4:
                self._rewrite()

    def close(self) -> None:
        """Give it free for another process."""
        os.close(self._file)
        os.close(self._owner)

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
        new = self._path.with_suffix(".new")
        file = os.open(new, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        content = b"".join(map(_line, self.waiting))
        os.write(file, content)
        os.fdatasync(file)
        new.replace(self._path)
        os.close(self._file)
        self._file, self._size = file, len(content)


def _line(entry: Entry) -> bytes:
    return b"%d %s\n" % (entry.code, base64.b64encode(entry.raw))
