"""The library's file of keys, read: the secrets of messages, which open votes and tell which sends a receipt is about.

It is read through the SQLite inside the library: with a second SQLite in one process, closing a file in one would drop
the locks of the other (https://sqlite.org/howtocorrupt.html, 2.2.1).
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

READ_ONLY = 0x1 | 0x10000
"""SQLITE_OPEN_READONLY, SQLITE_OPEN_FULLMUTEX"""
ROW = 100
COPIED = ctypes.c_void_p(-1)
"""SQLITE_TRANSIENT"""
_OF_MESSAGE = (
    "SELECT key FROM whatsmeow_message_secrets WHERE our_jid = ? AND chat_jid IN (?, ?) AND message_id = ? "
    "ORDER BY sender_jid IN (?, ?) DESC LIMIT 1"
)
"""Whatever JID its writer was noted under; source: whatsmeow, store/sqlstore/store.go."""


class Keys:
    """One number's. Any thread may ask."""

    def __init__(self, go: ctypes.CDLL, path: Path) -> None:
        self._go = go
        self._path = path
        self._db: ctypes.c_void_p | None = None
        self._closed = False
        self._lock = threading.Lock()

    def secret(self, message_id: str, us: str, chats: Sequence[str], writers: Sequence[str]) -> bytes:
        """The secret of a message in a chat (its JIDs); b'' when there is none. Never raises."""
        places, by = ([*map(_plain, given), "", ""][:2] for given in (chats, writers))
        with self._lock:
            try:
                return next(self._blobs(_OF_MESSAGE, [us, *places, message_id, *by]), b"")
            finally:
                if self._closed:  # a line that was still on its way
                    self._free()

    def close(self) -> None:
        """From here on the file is open only while somebody asks."""
        with self._lock:
            self._closed = True
            self._free()

    def _free(self) -> None:
        if self._db is not None:
            self._go.sqlite3_close_v2(self._db)
            self._db = None

    def _blobs(self, text: str, values: Sequence[str]) -> Iterator[bytes]:
        if self._db is None and not self._open():
            return
        go, statement = self._go, ctypes.c_void_p()
        try:
            if go.sqlite3_prepare_v2(self._db, text.encode(), -1, ctypes.byref(statement), None):
                go.sqlite3_errmsg.restype = ctypes.c_char_p
                print("keys not read:", go.sqlite3_errmsg(self._db), file=sys.stderr, flush=True)  # noqa: T201  (the log)
                return
            for number, value in enumerate(values, 1):
                raw = value.encode()
                go.sqlite3_bind_text(statement, number, raw, len(raw), COPIED)
            while go.sqlite3_step(statement) == ROW:
                size = go.sqlite3_column_bytes(statement, 0)
                yield ctypes.string_at(go.sqlite3_column_blob(statement, 0), size) if size else b""
        finally:
            go.sqlite3_finalize(statement)

    def _open(self) -> bool:
        if not self._path.exists():
            return False
        made: Any = ctypes.c_void_p()
        self._go.sqlite3_column_blob.restype = ctypes.c_void_p
        failed = self._go.sqlite3_open_v2(str(self._path).encode(), ctypes.byref(made), READ_ONLY, None)
        if failed:
            self._go.sqlite3_close_v2(made)
            return False
        self._db = made
        return True


def _plain(jid: str) -> str:
    """Without its device."""
    user, _, server = jid.partition("@")
    return f"{user.partition(':')[0]}@{server}"
