"""The request that the gateway and its floor are asked with: one message, as a session engine posts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.gateway import TOKEN

CHATS = 100
HEAD = (
    "POST /api/whatsapp/webhook/bench HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    f"Authorization: Bearer {TOKEN}\r\nContent-Length: %d\r\n\r\n"
)


def message(run: str) -> Callable[[int], bytes]:
    """The n-th message of a run, of one of a hundred chats, as a session engine posts it; it says when it was made."""

    def make(number: int) -> bytes:
        body = json.dumps(
            {
                "event": "message",
                "data": {
                    "message": {
                        "id": f"{run}-{number}",
                        "body": f"t={time.time():.6f} " + "x" * 80,
                        "from": f"55119{number % CHATS:08d}@c.us",
                        "to": "5511888880000@c.us",
                        "timestamp": 1749416383,
                    }
                },
            }
        ).encode()
        return (HEAD % len(body)).encode() + body

    return make
