"""The parts of a multipart body, read while it comes: long files are counted and hashed, not held."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    """None: a field, not a file."""
    content_type: str
    content: bytes
    """Its first bytes."""
    size: int
    """Bytes of the whole part."""
    sha256: str
    """Of the whole part."""

    @property
    def text(self) -> str:
        """A field's value."""
        return self.content.decode()


@dataclass
class _Open:
    """A part that is being read."""

    head: Field | File
    content: bytearray = field(default_factory=bytearray)
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def close(self) -> Part:
        """The whole part."""
        return Part(
            name=self.head.name,
            filename=self.head.filename if isinstance(self.head, File) else None,
            content_type=self.head.headers.get("content-type", ""),
            content=bytes(self.content),
            size=self.size,
            sha256=self.digest.hexdigest(),
        )


class Parts:
    """Feed it the body as it comes; ``found`` are the parts that are whole. A body that is none has no parts."""

    def __init__(self, content_type: str, *, kept: int) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "") if kind == "multipart/form-data" else ""
        self._decoder = MultipartDecoder(boundary.encode()) if boundary else None
        self._kept = kept
        self._open: _Open | None = None
        self.found: list[Part] = []

    def feed(self, chunk: bytes | bytearray | None) -> None:
        """Take in a piece; None is the end. ValueError when it breaks multipart's rules."""
        if self._decoder is None:
            return
        self._decoder.receive_data(None if chunk is None else bytes(chunk))
        for event in iter(self._decoder.next_event, None):
            if isinstance(event, NeedData | Epilogue):
                break
            self._take(event)

    def _take(self, event: object) -> None:
        if isinstance(event, Field | File):
            self._open = _Open(event)
        elif isinstance(event, Data) and self._open is not None:
            part = self._open
            part.size += len(event.data)
            part.digest.update(event.data)
            part.content += event.data[: max(0, self._kept - len(part.content))]
            if not event.more_data:
                self.found.append(part.close())
                self._open = None


def fields(parts: Iterable[Part]) -> dict[str, str]:
    """The fields among them, by name; the last one of a name counts."""
    return {part.name: part.text for part in parts if part.filename is None}
