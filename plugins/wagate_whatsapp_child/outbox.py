"""Lines to the gateway: one thread writes them, in batches, each once what it tells is on the disk."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wagate_whatsapp_child.spool import Spool

BATCH = 200


@dataclass(frozen=True)
class Line:
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
        return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in several)
    except Exception as error:  # noqa: BLE001  (one event that can't be told must not stop the others; it stays spooled)
        return json.dumps({"event": "Untold", "error": repr(error)[:500]}).encode() + b"\n"
