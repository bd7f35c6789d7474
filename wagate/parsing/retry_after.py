"""Read the header Retry-After, which may hold anything."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""Seconds: the longest wait, whatever a header asks for."""


def seconds_asked_for(text: str | None, now: datetime | None = None) -> float | None:
    """Seconds from 0 to `LONGEST`; None when there is no number, and no date (RFC 9110, 10.2.3).

    Without ``now``, dates count for nothing.
    """
    plain = (text or "").strip()
    if plain.isascii() and plain.isdigit():
        return min(float(plain[:12]), LONGEST)
    if now is None or not plain or len(plain) > 100:
        return None
    try:
        moment = parsedate_to_datetime(plain)
        # A date without a zone is GMT, as the format says.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(0.0, (aware - now).total_seconds()), LONGEST)
    except (ValueError, TypeError, OverflowError):
        return None
