"""The words of an alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wagate_alerts.rules import Part

SHOWN: Final = 8
"""Parts that are told in full."""
LONGEST: Final = 600
"""Characters of one part."""


def message(parts: Sequence[Part], *, dropped: int, public_url: str) -> tuple[str, str]:
    """Title and text of one message. Paths of pages become links, or are left out without a ``public_url``."""
    begun, ended = [each for each in parts if not each.over], [each for each in parts if each.over]
    shown = [*begun, *ended][:SHOWN]
    text = "\n\n".join(_linked(each.text, public_url) for each in shown)
    if left := len(parts) - len(shown) + dropped:
        text += f"\n\nAnd {left} more." + (f"\n{public_url.rstrip('/')}/ui/" if public_url else "")
    host = public_url.partition("://")[2].partition("/")[0]
    return f"{host or 'wagate'}: {_title(begun, ended)}", text


def _title(begun: Sequence[Part], ended: Sequence[Part]) -> str:
    if len(begun) + len(ended) == 1:
        return [*begun, *ended][0].title[:200]
    told = [f"{len(begun)} thing{'s need' if len(begun) > 1 else ' needs'} you"] if begun else []
    told += [f"{len(ended)} {'are' if len(ended) > 1 else 'is'} over"] if ended else []
    return ", ".join(told)


def _linked(text: str, public_url: str) -> str:
    said, _, page = text.rpartition("\n") if text.rpartition("\n")[2].startswith("/ui/") else (text, "", "")
    said = said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
    return f"{said}\n{public_url.rstrip('/')}{page}" if page and public_url else said


def moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    """``02:14``, with the day when it is another one, and the zone's name."""
    here = at.astimezone(zone)
    other_day = here.date() != now.astimezone(zone).date()
    return (f"{here.day} {here:%b} " if other_day else "") + f"{here:%H:%M} {here.tzname() or ''}".rstrip()


def duration(seconds: float) -> str:
    """``28 s``, ``14 min``, ``2 h 41 min``, ``3 days``."""
    left = max(int(seconds), 0)
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60} min"
    if left < 2 * 86400:
        minutes = left % 3600 // 60
        return f"{left // 3600} h" + (f" {minutes} min" if minutes else "")
    return f"{left // 86400} days"
