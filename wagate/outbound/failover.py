"""Which accounts may send a message, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wagate.clock import Clock
from wagate.hooks.messages import OutMessage
from wagate.plugins.registry import Providers
from wagate.storage.owners.directory import Account

REMEMBER = 30.0
"""Seconds for which an account that failed comes last: not every message is to find that out anew."""


@dataclass
class Failing:
    """Accounts that failed lately, by id; in this process."""

    clock: Clock
    _until: dict[str, float] = field(default_factory=dict)

    def note(self, account: str) -> None:
        """It sent nothing just now."""
        self._until[account] = self.clock.monotonic() + REMEMBER

    def forget(self, account: str) -> None:
        """It sends."""
        self._until.pop(account, None)

    def __call__(self, account: str) -> bool:
        """Whether it failed lately."""
        return account in self._until and self._until[account] > self.clock.monotonic()


def candidates(
    first: Account,
    others: Sequence[Account],
    message: OutMessage,
    *,
    providers: Providers,
    failing: Callable[[str], bool],
) -> list[Account]:
    """``first``, then the ``others`` that can send this message, in their order; those that are failing come last."""
    able = [
        account
        for account in others
        if account.id != first.id and message.type in providers.need(account.provider).abilities
    ]
    return sorted([first, *able], key=lambda account: failing(account.id))
