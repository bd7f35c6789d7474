"""Whose webhooks are refused: for the metrics, and for ``wagate doctor``, which so sees wrong secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wagate.clock import Clock
from wagate.hooks.providers import Finding

MOST = 10_000
"""Accounts remembered; names are of accounts that exist, so it takes no guesser's words."""
SIGNATURE = "signature"
CHALLENGE = "challenge"
BODY = "body"


class Refusals:
    """Counts by account since this process began, until a webhook of that account is believed."""

    def __init__(self, clock: Clock, count: Callable[[str, str], None]) -> None:
        """``count`` takes (provider, reason) for the metrics."""
        self._clock = clock
        self._count = count
        self._refused: dict[str, tuple[int, float]] = {}

    def refused(self, account: str, provider: str, reason: str) -> None:
        """One webhook was refused; ``account`` is '' when there is none of that name."""
        self._count(provider, reason)
        if account and reason == SIGNATURE and (account in self._refused or len(self._refused) < MOST):
            times, _ = self._refused.get(account, (0, 0.0))
            self._refused[account] = (times + 1, self._clock.time())

    def believed(self, account: str) -> None:
        """One was not."""
        self._refused.pop(account, None)

    async def look(self) -> Sequence[Finding]:
        """What to tell about them: one finding for each account."""
        now = self._clock.time()
        told = [
            f"{name}: {times} refused since the last accepted one, the latest {max(0.0, now - last) / 60:.0f} min ago"
            for name, (times, last) in sorted(self._refused.items())
        ]
        step = "compare the secret here (app_secret, hmac_key, webhook_secret …) with the provider's; is there a proxy?"
        return [Finding(level="fail", what="signature", detail=each, next_step=step) for each in told] or [
            Finding(level="ok", what="signature", detail="no webhooks are being refused")
        ]
