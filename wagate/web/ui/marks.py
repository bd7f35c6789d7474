"""Times and states as elements."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup

from wagate.web.ui import words


def when(moment: datetime | None, now: datetime) -> Markup | str:
    """A time for people, exact in the title."""
    if moment is None:
        return "–"
    exact = moment.astimezone(UTC)
    text = words.ago(moment, now)
    iso = exact.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, f"{exact:%Y-%m-%d %H:%M:%S} UTC", text)


def age(moment: datetime | None, now: datetime) -> Markup | str:
    """For how long it has been so: ``14 min``; the browser counts on."""
    if moment is None:
        return ""
    text = words.duration((now - moment).total_seconds())
    return Markup('<time datetime="{}" data-age>{}</time>').format(moment.astimezone(UTC).isoformat(), text)


def mark(kind_and_word: tuple[str, str]) -> Markup:
    """A state: a shape, a word and a colour."""
    kind, word = kind_and_word
    return Markup('<span class="st {}">{}</span>').format(kind, word)
