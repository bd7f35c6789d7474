"""What moves on a page: single words and figures, each with an id of its own. Lists, forms and buttons never do.

Times and states are elements, which the browser counts on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from markupsafe import Markup

from wagate.events import SESSION_STATES, SessionStatus
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.rows import AccountRow
from wagate.web.ui import words
from wagate.web.ui.linking import is_blocked
from wagate.web.ui.outside import kept_in

Leaves = Mapping[str, Markup]
"""An element's id → the whole element."""

TICKING: Final = re.compile(r">[^<]*</time>| (?:value|data-bar|data-count)=\"\d+\"|>\d+ s</b>")
"""What the browser counts on by itself."""


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
    return Markup('<span class="st {}">{}</span>').format(kind, kept_in(word))


class DeliveryFacts(Protocol):
    """What a delivery's row shows of it."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def stuck(self) -> bool: ...  # noqa: D102
    @property
    def attempt_count(self) -> int: ...  # noqa: D102
    @property
    def max_retries(self) -> int: ...  # noqa: D102


NO_SESSION: Final = ("off", "No session")
"""Of a number whose provider tells nothing of sessions, so far."""


def number_mark(row: AccountRow) -> tuple[str, str]:
    """How a number is: the mark's kind, and the word. Most providers have no session, and so nothing to say of it."""
    if row.status is SessionStatus.INITIALIZING and not row.ever_connected and not row.message:
        return NO_SESSION
    if row.status is SessionStatus.AUTH_FAILURE:
        return "bad", "Logged out"
    return ("bad", "Blocked by WhatsApp") if is_blocked(row) else words.NUMBERS[SESSION_STATES[row.status].group]


def delivery_mark(one: DeliveryFacts) -> tuple[str, str]:
    """How a delivery is."""
    return ("bad", "Needs action") if one.stuck else words.DELIVERIES[one.status]


TARGET: Final[Mapping[str, Callable[[TargetRow, datetime], Markup | str]]] = {
    "state": lambda row, _: mark(words.TARGETS[row.standing]),
    "waiting": lambda row, _: f"{row.waiting:,}",
    "oldest": lambda row, now: age(row.oldest_at, now),
    "failed": lambda row, _: f"{row.failed:,}",
    "success": lambda row, now: when(row.state.last_success_at, now),
    "tried": lambda row, now: when(row.state.last_attempt_at, now),
}
NUMBER: Final[Mapping[str, Callable[[AccountRow, datetime], Markup | str]]] = {
    "state": lambda row, _: mark(number_mark(row)),
    "in": lambda row, now: when(row.last_in_at, now),
    "out": lambda row, now: when(row.last_out_at, now),
}
DELIVERY: Final[Mapping[str, Callable[[DeliveryFacts, datetime], Markup | str]]] = {
    "state": lambda one, _: mark(delivery_mark(one)),
    "tries": lambda one, _: f"{one.attempt_count}/{one.max_retries}",
}


def leaf(name: str, value: Markup | str | int) -> Markup:
    """An element that may change while somebody looks at it."""
    return Markup('<span id="{}">{}</span>').format(name, value)


def target_leaf(row: TargetRow, part: str, now: datetime) -> Markup:
    """One of a receiver."""
    return leaf(f"t-{row.id}-{part}", TARGET[part](row, now))


def number_leaf(row: AccountRow, part: str, now: datetime) -> Markup:
    """One of a number."""
    return leaf(f"n-{row.id}-{part}", NUMBER[part](row, now))


def delivery_leaf(one: DeliveryFacts, part: str, now: datetime) -> Markup:
    """One of a delivery."""
    return leaf(f"d-{one.id}-{part}", DELIVERY[part](one, now))


def leaves_of(
    targets: Iterable[TargetRow],
    numbers: Iterable[AccountRow],
    deliveries: Iterable[DeliveryFacts],
    now: datetime,
) -> dict[str, Markup]:
    """All of these things."""
    found = {f"t-{row.id}-{part}": target_leaf(row, part, now) for row in targets for part in TARGET}
    found |= {f"n-{row.id}-{part}": number_leaf(row, part, now) for row in numbers for part in NUMBER}
    return found | {f"d-{one.id}-{part}": delivery_leaf(one, part, now) for one in deliveries for part in DELIVERY}


def changed(before: Leaves, after: Leaves) -> list[Markup]:
    """Those that say something new. How long ago something was is counted by the browser."""
    return [value for name, value in after.items() if not _same(before.get(name), value)]


def _same(before: Markup | None, after: Markup) -> bool:
    return before == after or (before is not None and _still(before) == _still(after))


def _still(leaf: Markup) -> str:
    return TICKING.sub("", leaf)
