"""WhatsApp's shelf for files: where it is, and the key for it. WhatsApp tells the library, and no function gives it on.

But the library logs what the server answers. Source: whatsmeow, mediaconn.go, client.go (the logger's name),
binary/xml.go (the form: attributes in the order of their names; no text is escaped, so people can write tags).
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from wagate_whatsapp_child.library import LibraryError

RECEIVED = "Client/Recv"
"""The library's logger of what the server sends."""
_SOME = r'((?: [a-z0-9_:-]+="[^"<>]*")*)'
_ANSWER = re.compile(rf"<iq{_SOME}><media_conn{_SOME}><host{_SOME}/?>")
"""The whole start: further in, anybody's words may stand."""
_ATTRIBUTE = re.compile(r' ([a-z0-9_:-]+)="([^"<>]*)"')
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+whatsapp\.net")
_SECONDS = re.compile(r"[0-9]{1,9}")


class KeyRefusedError(LibraryError):
    """The shelf takes nothing with our key any more."""


class LateError(LibraryError):
    """There is no time left for it; of the shelf that says nothing."""


class Shelf(NamedTuple):
    """Where files are put."""

    host: str
    """One of WhatsApp's."""
    auth: str
    until: float
    """`time.monotonic`: the key is good for no longer."""


def shelf_of(name: str, logged: str) -> Shelf | None:
    """What a line of the library's log says of the shelf, by its logger's ``name``; None: nothing.

    The key and all files go to that host: only the server's own answer counts, and only a host of WhatsApp's.
    """
    if name != RECEIVED or (found := _ANSWER.match(logged)) is None:
        return None
    answer, known, host = (dict(_ATTRIBUTE.findall(each)) for each in found.groups())
    if (answer.get("from"), answer.get("type")) != ("s.whatsapp.net", "result"):
        return None
    auth, lasts, place = known.get("auth", ""), known.get("auth_ttl", ""), host.get("hostname", "")
    if not (auth and _SECONDS.fullmatch(lasts) and _HOST.fullmatch(place)):
        return None
    return Shelf(host=place, auth=auth, until=time.monotonic() + int(lasts))


def reaches(proxy: str) -> bool:
    """Whether there is a way through this proxy ('': none); https and socks5 are the library's alone."""
    return not proxy or proxy.startswith("http://")
