"""The answers of polls, by the poll's id: a vote has only their hashes, and WhatsApp tells them once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

MOST = 2000
"""Polls that are kept, the latest ones."""


class Polls:
    """A file of one number: a line for each poll."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[str]] = {}
        self._lines = 0
        self._read()

    def keep(self, poll: str, options: list[str]) -> None:
        """Note one. That the disk takes no more is no reason to lose its message."""
        if self._known.get(poll) == options:
            return
        self._known[poll] = options
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        try:
            if self._lines > 2 * MOST:
                self._write(self._known, os.O_TRUNC)
            else:
                self._write({poll: options}, os.O_APPEND)
        except OSError as error:
            print("poll not kept:", error, file=sys.stderr, flush=True)  # noqa: T201  (this process's log)

    def options(self, poll: str) -> list[str]:
        """Its answers; [] when it is not known."""
        return self._known.get(poll, [])

    def _read(self) -> None:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                poll, options = json.loads(line)
            except (ValueError, TypeError):
                continue  # half a line, or what a disk made of it
            if isinstance(poll, str) and isinstance(options, list):
                self._known[poll] = options
        self._lines = len(lines)

    def _write(self, polls: dict[str, list[str]], how: int) -> None:
        content = b"".join(json.dumps(each).encode() + b"\n" for each in polls.items())
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | how, 0o600)
        try:
            os.write(file, content)
        finally:
            os.close(file)
        self._lines = self._lines + 1 if how == os.O_APPEND else len(polls)
