"""WhatsApp's shelf for files: where it is, and the key for it. WhatsApp tells the library, and no function gives it on.

But the library logs what the server answers. Source: whatsmeow, mediaconn.go, binary/xml.go (the form in the log).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

MARK = "<media_conn auth="
_FIELDS = {name: re.compile(rf'[ <]{name}="([^"]+)"') for name in ("auth", "auth_ttl", "hostname")}


@dataclass(frozen=True)
class Shelf:
    """Where files are put."""

    host: str
    """With a port, perhaps."""
    auth: str
    until: float
    """`time.monotonic`: the key is good for no longer."""


def shelf_of(logged: str) -> Shelf | None:
    """What a line of the library's log says of the shelf; None: nothing."""
    if MARK not in logged:
        return None
    found = {name: pattern.search(logged) for name, pattern in _FIELDS.items()}
    auth, lasts, host = (each[1] if each else "" for each in found.values())
    if not (auth and host and lasts.isdigit()):
        return None
    return Shelf(host=host, auth=auth, until=time.monotonic() + int(lasts))


def reaches(proxy: str) -> bool:
    """Whether there is a way through this proxy ('': none); https and socks5 are the library's alone."""
    return not proxy or proxy.startswith("http://")
