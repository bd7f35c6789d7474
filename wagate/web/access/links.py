"""Links for people without a token: the secret is in the link alone, and what is stored is its hash."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final, Literal

from wagate.storage.passes import Kind, Link
from wagate.web.access.auth import token_hash

KEY: Final = "k"
"""The parameter with the secret, in the link and in its forms."""
LASTS: Final = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
"""How long a link lasts, by its word."""
Lasts = Literal["1h", "1d", "7d"]
PAGES: Final[dict[Kind, str]] = {"scan": "/ui/scan", "client": "/ui/enter"}
"""What a link opens."""


def new_link(
    kind: Kind,
    client_id: int,
    *,
    lasts: str,
    now: datetime,
    account_id: str = "",
    may_act: bool = False,
    note: str = "",
) -> tuple[str, Link]:
    """The secret of a new link, and what is stored of it. A word that is none lasts for an hour."""
    key = secrets.token_urlsafe(24)
    return key, Link(
        hash=token_hash(key),
        kind=kind,
        client_id=client_id,
        account_id=account_id,
        may_act=may_act,
        note=note.strip()[:100],
        created_at=now,
        expires_at=now + LASTS.get(lasts, LASTS["1h"]),
    )


def path_of(kind: Kind, key: str) -> str:
    """Of the link, below the gateway's address."""
    return f"{PAGES[kind]}?{KEY}={key}"
