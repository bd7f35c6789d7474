"""Who waits in this process for what becomes of a message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio


@dataclass
class Watch:
    """Events by message; those of messages nobody waits for are not kept."""

    _waiting: dict[str, list[trio.Event]] = field(default_factory=dict)

    @contextmanager
    def on(self, message_id: str) -> Iterator[trio.Event]:
        """Set as soon as something became of the message."""
        came = trio.Event()
        self._waiting.setdefault(message_id, []).append(came)
        try:
            yield came
        finally:
            self._waiting[message_id].remove(came)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    def ring(self, message_id: str) -> None:
        """Something became of it."""
        for came in self._waiting.get(message_id, ()):
            came.set()
