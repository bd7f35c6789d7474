"""How sends went, as this process saw it: counted, and by account what no message's own record sums up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram

from wagate.clock import Clock
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError

Why = Literal["refused", "failing"]
"""The provider lets the account send nothing (wrong token, blocked, unpaid); or it does not answer, or not well."""
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was sent from the first of these failures to the last."""

    why: Why
    since: datetime
    last: datetime

    def lasts(self, span: timedelta) -> bool:
        """Whether so much time lies between the first and the last: one failure alone says little."""
        return self.last - self.since >= span


class Observed:
    """Of accounts, by id. Health asks it: an account for which another steps in has no failing target."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._troubles: dict[str, Trouble] = {}

    def sent(self, account: str) -> None:
        """Its provider took a message."""
        self._troubles.pop(account, None)

    def failed(self, account: str, error: SendError, *, asked: bool) -> None:
        """A message was not sent. ``asked``: its provider was asked."""
        why = _why(error, asked=asked)
        before = self._troubles.get(account)
        if why is None:
            if asked:
                self.sent(account)
        else:
            now = self._clock.now()
            same = before is not None and before.why == why
            self._troubles[account] = Trouble(why=why, since=before.since if same and before else now, last=now)

    def of(self, account: str) -> Trouble | None:
        """What is wrong with it; None: nothing that was seen."""
        return self._troubles.get(account)

    @property
    def all(self) -> Mapping[str, Trouble]:
        """Accounts with which something is wrong."""
        return self._troubles

    def refused(self) -> list[str]:
        """Accounts whose provider lets them send nothing."""
        return [account for account, trouble in self._troubles.items() if trouble.why == "refused"]

    def forget(self, account: str) -> None:
        """It is gone."""
        self._troubles.pop(account, None)


def _why(error: SendError, *, asked: bool) -> Why | None:
    """What an error says of its account; None: nothing, or that its provider answers."""
    if isinstance(error, AccountStoppedError):
        return "refused"
    answered = error.http_status is not None and error.http_status < 500
    slower = isinstance(error, NotSentError) and error.slow
    if asked and isinstance(error, NotSentError | OutcomeUnknownError) and not (answered or slower):
        return "failing"
    return None


class SendMetrics:
    """Messages handed to providers, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "wagate_messages",
            "Messages handed to providers, by outcome",
            ["provider", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "wagate_message_seconds", "Time spent in providers", ["provider"], registry=registry, buckets=_SECONDS
        )

    def tried(self, provider: str, outcome: str, seconds: float) -> None:
        """One message was handed over."""
        self._messages.labels(provider, outcome).inc()
        self._seconds.labels(provider).observe(seconds)
