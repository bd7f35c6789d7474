"""Secrets over time: the newest signs from now on, those before it one day more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from wagate.hooks import EndpointSecret

OVERLAP = timedelta(hours=24)
MOST = 10
"""Secrets that sign at once: each lengthens the header."""


def rotated(secrets: Sequence[EndpointSecret], new: str, *, now: datetime) -> list[EndpointSecret]:
    """The secrets after a rotation: ``new`` first, those still live end in 24 h at the latest, ended ones are gone."""
    end = now + OVERLAP
    before = [
        replace(each, expires_at=min(each.expires_at or end, end))
        for each in secrets
        if (each.expires_at is None or each.expires_at > now) and each.secret != new
    ]
    return [EndpointSecret(secret=new), *before[: MOST - 1]]
