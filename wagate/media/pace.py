"""How often an account's provider, and any other host, may be asked for files: few at once, slowly after an error."""

from __future__ import annotations

from collections import Counter, deque

MOST = 16
"""Files that are fetched at once, over all accounts."""
MOST_OF_ACCOUNT = 4
FIRST_REST = 5.0
LONGEST_REST = 60.0
"""Seconds: somebody reads a text whose file has not come yet."""
LONGEST_COUNTED_REST = 320.0
"""Seconds, of a provider that counts errors: if its every answer is one, it gets 15 requests in its worst hour."""
HOUR = 3600.0
COUNTED_REST = 600.0
"""Seconds after each further error of a provider that counts them: 7 at most in an hour."""
SPARED = 8
"""Of the errors that it counts in an hour: those 7, and one to spare. The others are free."""
CAREFUL = 4
"""So many before the free ones are spent, one file at a time is asked for."""
MOST_REMEMBERED = 1000
"""Hosts and accounts that failed; those whose rest is over are forgotten first."""


class Pace:
    """Counts what runs and what failed, by account, and by account and host for hosts that are not the provider's.

    After an error that speaks of a host it rests, then it is asked for one file at a time until one comes. What speaks
    of one file alone slows nobody, unless the provider counts such errors: then each rests it once there were many.
    """

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._errors: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self._counted: dict[str, deque[float]] = {}
        self._careful_until: dict[str, float] = {}

    @property
    def full(self) -> bool:
        """Whether nothing more may begin."""
        return self._running.total() >= MOST

    def may_begin(self, account: str, now: float) -> bool:
        """Whether a file of this account may be fetched now (``now`` on a monotonic clock)."""
        careful = account in self._errors or self._careful_until.get(account, 0.0) > now
        most = 1 if careful else MOST_OF_ACCOUNT
        return not self.full and self._running[account] < most and self._rests_until.get(account, 0.0) <= now

    def busy(self, now: float) -> set[str]:
        """Accounts of which nothing may begin."""
        return {each for each in {*self._running, *self._rests_until} if not self.may_begin(each, now)}

    def rest(self, name: str, now: float) -> float:
        """Seconds for which an account, or a host of it, rests still."""
        return max(0.0, self._rests_until.get(name, 0.0) - now)

    def begin(self, account: str) -> None:
        """A try begins."""
        self._running[account] += 1

    def end(self, account: str) -> None:
        """A try is over."""
        self._running[account] -= 1
        self._running += Counter()  # drops what is zero

    def succeeded(self, name: str) -> None:
        """It gave a file: full speed again."""
        self._errors.pop(name, None)
        self._rests_until.pop(name, None)

    def failed(self, name: str, now: float, *, at_least: float = 0.0, counts: bool = False) -> None:
        """It gave an error; ``at_least``: seconds that it asked for; ``counts``: whether it counts its errors."""
        if len(self._errors) >= MOST_REMEMBERED:
            self._forget(now)
        count = self._errors.get(name, 0)
        self._errors[name] = count + 1
        longest = LONGEST_COUNTED_REST if counts else LONGEST_REST
        rest = max(at_least, min(FIRST_REST * 4 ** min(count, 5), longest))
        self._rests_until[name] = now + rest

    def count(self, account: str, now: float, *, most: int) -> None:
        """An error about one file, of a provider that closes its files for a while after ``most`` errors in an hour."""
        times = self._counted.setdefault(account, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        times.append(now)
        if len(times) > most - SPARED - CAREFUL:
            self._careful_until[account] = now + HOUR
        if len(times) > most - SPARED:
            self._rests_until[account] = max(self._rests_until.get(account, 0.0), now + COUNTED_REST)

    def next_start(self, now: float) -> float | None:
        """Seconds until the first resting account may go on; None when none rests."""
        return min((until - now for until in self._rests_until.values() if until > now), default=None)

    def _forget(self, now: float) -> None:
        for name in [each for each, until in self._rests_until.items() if until <= now]:
            self.succeeded(name)


def delay(attempts: int, *, of_host: bool = False) -> float:
    """Seconds before the next try after so many: 5, 20, 80, 320, 1280, and 1280 from then on.

    ``of_host``: what failed speaks of its host, which rests for itself; so the file is there when that may go on.
    """
    own = FIRST_REST * float(4 ** (min(attempts, 5) - 1))
    return min(own, LONGEST_REST) if of_host else own
