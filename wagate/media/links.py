"""Links to files that anyone may follow for a while: signed, expiring, and equal for a day."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import ForbiddenError

PREFIX = "/media/"
PURPOSE = "media"
DAY = 86_400
VALID_DAYS = 7
"""A link holds so long at least, and a day more at most."""
_LONGEST = 32
"""Digits of a time."""


class Links:
    """Makes and checks them."""

    def __init__(self, vault: Vault, clock: Clock, *, public_url: str) -> None:
        """``public_url``: ``server.public_url``; without it a link is a path."""
        self._vault = vault
        self._clock = clock
        self._base = public_url.rstrip("/")

    def url(self, media_id: str, filename: str, *, since: datetime) -> str:
        """The link to a file of that time. Equal through each day after ``since``: a retry sends an equal body."""
        born = int(since.timestamp())
        days = max(0, int(self._clock.time() - born) // DAY)
        expires = born + (days + VALID_DAYS + 1) * DAY
        mac = self._vault.mac(_signed(media_id, str(expires)), purpose=PURPOSE)
        return f"{self._base}{PREFIX}{media_id}/{quote(filename, safe='')}?exp={expires}&sig={mac}"

    def are_ours(self, url: str) -> bool:
        """Whether it begins as the links that are made here do."""
        return bool(self._base) and url.startswith(self._base + PREFIX)

    def check(self, media_id: str, *, expires: str, mac: str) -> None:
        """Let a link pass. ForbiddenError when it is forged or has expired."""
        if len(expires) > _LONGEST or not self._vault.has_mac(_signed(media_id, expires), mac, purpose=PURPOSE):
            raise ForbiddenError("the signature of this link is wrong; use the link unchanged")
        if int(expires) <= self._clock.time():
            raise ForbiddenError(f"this link has expired; links are valid for {VALID_DAYS} days")


def _signed(media_id: str, expires: str) -> str:
    return f"{media_id}\n{expires}"
