"""What is told, when, and in which words: pure functions over what is remembered and what needs attention now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, TypeGuard

import msgspec

from wagate.hooks import Need
from wagate_alerts.settings import Settings

CALM: Final = timedelta(minutes=1)
"""What is gone for so long is over."""
APART: Final = timedelta(minutes=1)
"""Between two messages on one line."""
MOST: Final = 500
"""Things remembered at once."""
MOST_WAITING: Final = 50
"""Parts that wait for a line that does not work; the oldest go."""
LONGEST_WAIT: Final = timedelta(hours=1)
"""Between two tries of a line that does not work."""
AWAY: Final = timedelta(minutes=2)
"""A shorter absence is a restart."""
SETTLED: Final = timedelta(minutes=1)
"""After an absence: by then what was down has been asked again."""
SHOWN: Final = 8
"""Parts that are told in full."""
LONGEST: Final = 600
"""Characters of one part."""


class Item(msgspec.Struct, kw_only=True):
    """One thing that needs attention."""

    kind: str
    who: str
    what: str
    detail: str
    page: str
    since: datetime
    told: bool = False
    gone_at: datetime | None = None
    """Since when it does not need anybody."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell."""

    kind: str
    over: bool = False
    title: str
    text: str
    at: datetime


class Line(msgspec.Struct, kw_only=True):
    """One channel, or one number of a channel of WhatsApp's: what waits for it, and how it is."""

    waiting: list[Part] = []
    dropped: int = 0
    """Parts that were too many."""
    tries: int = 0
    """That failed, since the last that did not."""
    next_at: datetime | None = None
    sent_at: datetime | None = None
    error: str = ""
    """Why the last try failed."""


class Memory(msgspec.Struct, kw_only=True):
    """What outlives a restart."""

    items: dict[str, Item] = {}
    """By the key of the need."""
    lines: dict[str, Line] = {}
    """By name."""
    back_at: datetime | None = None
    """When wagate came back from its last absence: what was wrong before may be over."""


def notice(memory: Memory, needs: Sequence[Need], now: datetime, settings: Settings) -> list[Part]:
    """Take in what needs attention now; what is to be told of it."""
    there = {each.key: each for each in needs}
    for key, need in there.items():
        _meet(memory, key, need, now)
    parts: list[Part] = []
    for key, item in list(memory.items.items()):
        if key not in there:
            item.gone_at = item.gone_at or now
            if not item.told:
                del memory.items[key]
            elif now - item.gone_at >= CALM and not settings.is_quiet(now, item.kind):
                parts.append(over(item, item.gone_at, now, settings))
                del memory.items[key]
        elif not item.told and _is_due(item, memory.back_at, now, settings):
            item.told = True
            parts.append(begun(item, now, settings))
    return parts


def _meet(memory: Memory, key: str, need: Need, now: datetime) -> None:
    since = min(need.since or now, now)
    item = memory.items.get(key)
    if item is None:
        if len(memory.items) >= MOST:
            return
        item = memory.items[key] = Item(
            kind=need.kind, who=need.who, what=need.what, detail=need.detail, page=need.page, since=since
        )
    item.gone_at = None
    item.since = min(item.since, since)
    item.who, item.what, item.detail = need.who, need.what, need.detail


def _is_due(item: Item, back_at: datetime | None, now: datetime, settings: Settings) -> bool:
    back_at = None if back_at is None or back_at > now else back_at  # a clock was ahead
    since = max(item.since, back_at or item.since)
    at_once = item.kind in settings.at_once and (back_at is None or now - back_at >= SETTLED)
    lasted = (now - since).total_seconds() >= settings.after or at_once
    return lasted and not settings.is_quiet(now, item.kind)


def begun(item: Item, now: datetime, settings: Settings) -> Part:
    """That something needs attention."""
    title = f"{item.who} {item.what}"
    text = f"{title}, since {moment(item.since, now, settings.where())}. {item.detail}".strip()
    return Part(kind=item.kind, title=title, text=f"{text}\n{item.page}", at=now)


def over(item: Item, ended: datetime, now: datetime, settings: Settings) -> Part:
    """That it needs nobody any more."""
    zone = settings.where()
    lasted = duration((ended - item.since).total_seconds())
    span = f"{moment(item.since, now, zone)} to {moment(ended, now, zone)}, {lasted}"
    title = f"Over: {item.who} {item.what}"
    return Part(kind=item.kind, over=True, title=title, text=f"{title} ({span}).", at=now)


def was_away(last: datetime | None, now: datetime) -> TypeGuard[datetime]:
    """Whether wagate was, since ``last``."""
    return last is not None and now - last >= AWAY


def returned(last: datetime | None, waiting: int, now: datetime, settings: Settings) -> list[Part]:
    """That wagate itself was away since ``last``; [] when that was short, or is not known."""
    if not was_away(last, now):
        return []
    zone, lasted = settings.where(), duration((now - last).total_seconds())
    span = f"from {moment(last, now, zone)} to {moment(now, now, zone)} ({lasted})"
    one = waiting == 1
    waited = f"{waiting:,} {'delivery' if one else 'deliveries'} waited, and {'is' if one else 'are'} being sent now."
    text = (
        f"wagate was away {span}. {waited if waiting else 'Nothing was waiting.'} Messages sent in the meantime arrive"
    )
    text += " when their sender tries again."
    return [Part(kind="gateway", title=f"wagate was away {span}", text=f"{text}\n/ui/", at=now)]


def put(line: Line, parts: Sequence[Part]) -> None:
    """Let them wait for the line."""
    line.waiting = [*line.waiting, *parts]
    if (many := len(line.waiting) - MOST_WAITING) > 0:
        line.waiting, line.dropped = line.waiting[many:], line.dropped + many


def due(line: Line, now: datetime, settings: Settings) -> list[Part]:
    """What is to be sent on this line now, in one message."""
    if line.sent_at is not None and timedelta() <= now - line.sent_at < APART:
        return []
    if line.next_at is not None and now < line.next_at <= now + LONGEST_WAIT:
        return []
    return [each for each in line.waiting if not settings.is_quiet(now, each.kind)]


def sent(line: Line, parts: Sequence[Part], now: datetime, *, error: str = "") -> None:
    """They left; ``error``: not quite, but they are not to be sent again."""
    line.waiting = [each for each in line.waiting if each not in parts]
    line.dropped, line.tries, line.next_at, line.sent_at, line.error = 0, 0, None, now, error


def failed(line: Line, error: str, now: datetime) -> None:
    """They did not: after a minute, two, four … they are tried again, with what came meanwhile."""
    line.tries += 1
    line.error = error
    line.next_at = now + min(APART * 2 ** min(line.tries - 1, 10), LONGEST_WAIT)


def troubles(memory: Memory) -> Iterator[tuple[str, str]]:
    """Lines that don't work: name, why."""
    yield from ((name, line.error) for name, line in sorted(memory.lines.items()) if line.error)


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
