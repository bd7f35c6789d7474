"""How often an account's provider may be asked for files: few at once, and slowly after an error."""

from __future__ import annotations

from collections import Counter

MOST = 4
"""Files that are fetched at once, over all accounts."""
MOST_OF_ACCOUNT = 2
FIRST_REST = 5.0
LONGEST_REST = 320.0
"""Seconds. So an account whose every try fails makes 15 tries in its worst hour: 360dialog shuts out who makes 20."""


class Pace:
    """Counts what runs and what failed. After an error an account rests, then one file at a time until one comes."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._errors: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}

    @property
    def full(self) -> bool:
        """Whether nothing more may begin."""
        return self._running.total() >= MOST

    def may_begin(self, account: str, now: float) -> bool:
        """Whether a file of this account may be fetched now (``now`` on a monotonic clock)."""
        most = 1 if account in self._errors else MOST_OF_ACCOUNT
        return not self.full and self._running[account] < most and self._rests_until.get(account, 0.0) <= now

    def busy(self, now: float) -> set[str]:
        """Accounts of which nothing may begin."""
        return {each for each in {*self._running, *self._errors} if not self.may_begin(each, now)}

    def begin(self, account: str) -> None:
        """A try begins."""
        self._running[account] += 1

    def end(self, account: str) -> None:
        """A try is over."""
        self._running[account] -= 1
        self._running += Counter()  # drops what is zero

    def succeeded(self, account: str) -> None:
        """The provider gave a file: full speed again."""
        self._errors.pop(account, None)
        self._rests_until.pop(account, None)

    def failed(self, account: str, now: float, *, at_least: float = 0.0) -> None:
        """The provider gave an error; ``at_least``: seconds that it asked for."""
        count = self._errors.get(account, 0)
        self._errors[account] = count + 1
        rest = max(at_least, min(FIRST_REST * 4**count, LONGEST_REST))
        self._rests_until[account] = now + rest

    def next_start(self, now: float) -> float | None:
        """Seconds until the first resting account may go on; None when none rests."""
        return min((until - now for until in self._rests_until.values() if until > now), default=None)


def delay(attempts: int) -> float:
    """Seconds before the next try after so many: 5, 20, 80, 320, 1280."""
    return FIRST_REST * float(4 ** (attempts - 1))
