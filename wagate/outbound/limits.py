"""How fast accounts send: each message's turn, and pauses that providers asked for. Pure but for its memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from wagate.hooks.providers import SendLimits
from wagate.rate import TokenBuckets

MOST = 10_000
"""Turns and pauses that are kept; when there are more, those that are over go."""
FORGET = 60.0
"""Seconds after which a turn that nobody took is forgotten."""


@dataclass
class Limits:
    """Of this process. Times are seconds of a clock that never steps back."""

    _buckets: TokenBuckets = field(default_factory=TokenBuckets)
    """Of accounts, and of chats of accounts."""
    _turns: dict[str, float] = field(default_factory=dict)
    """Message → when it may go."""
    _slow: dict[str, float] = field(default_factory=dict)
    """Account, or chat of an account → until when it pauses."""

    def turn(self, message_id: str, account: str, chat: str, limits: SendLimits, now: float) -> float:
        """Seconds until this message may go; 0: now, and its turn is used up.

        A turn that is ahead is kept: the same message asks again when it has come. So chats that wait take turns.
        """
        pause = max(self._slow.get(account, now), self._slow.get(_lane(account, chat), now)) - now
        if pause > 0:
            return pause
        at = self._turns.get(message_id)
        if at is None:
            at = self._reserve(_lane(account, chat), limits.chat_per_second, limits.chat_burst, now)
            at = max(at, self._reserve(account, limits.per_second, limits.burst, now))
        if at > now:
            self._turns[message_id] = at
            self._prune(now)
            return at - now
        self._turns.pop(message_id, None)
        return 0.0

    def slow(self, account: str, chat: str, until: float) -> None:
        """Pause an account (``chat`` '') or one chat of it."""
        name = _lane(account, chat) if chat else account
        self._slow[name] = max(until, self._slow.get(name, until))

    def _reserve(self, bucket: str, per_second: float, burst: int, now: float) -> float:
        """When one more may go; it counts from now on."""
        if per_second <= 0:
            return now
        return self._buckets.take(bucket, interval=1 / per_second, burst=max(burst or int(per_second), 1), now=now)

    def _prune(self, now: float) -> None:
        if len(self._turns) > MOST:
            self._turns = {name: at for name, at in self._turns.items() if at > now - FORGET}
        if len(self._slow) > MOST:
            self._slow = {name: at for name, at in self._slow.items() if at > now}


def _lane(account: str, chat: str) -> str:
    return f"{account}|{chat}"
