"""Which account sends a message that names none, and which ones step in for it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import structlog
from msgspec import to_builtins

from wagate.clock import Clock
from wagate.hooks.contracts import AccountView
from wagate.hooks.messages import OutMessage
from wagate.outbound.abilities import takes
from wagate.outbound.context import Choose
from wagate.plugins.registry import Providers
from wagate.plugins.wall import whose
from wagate.storage.owners.directory import Account, Directory

log = structlog.get_logger("wagate.outbound")

REMEMBER = 30.0
"""Seconds for which an account that failed comes last: not every message is to find that out anew."""


def sendable(directory: Directory, providers: Providers, client_id: int) -> list[Account]:
    """A client's accounts that can send at all, in its order of fail-over."""
    return sorted(
        (
            account
            for account in directory.by_client.get(client_id, ())
            if (provider := providers.get(account.provider)) is not None and provider.send is not None
        ),
        key=lambda account: account.position,
    )


def choose(
    message: OutMessage,
    accounts: Sequence[Account],
    *,
    own: str | None,
    providers: Providers,
    choosers: Iterable[Choose],
) -> Account:
    """One of ``accounts`` (there is one at least): a plugin's choice, else the chat's ``own``, else a share by weight.

    A chat without an account of its own gets the same one each time, as long as the list stays as it is.
    """
    if len(accounts) == 1:
        return accounts[0]
    named = {account.name: account for account in accounts}
    chosen = _ask(message, accounts, choosers)
    for name in (chosen, own):
        if name is not None and name in named:
            return named[name]
    able = [account for account in accounts if message.type in providers.need(account.provider).abilities]
    return share(able or accounts, message.chat)


def share(accounts: Sequence[Account], chat: str) -> Account:
    """The chat's account by weighted rendezvous hashing; those of weight 0 only when there are no others.

    When an account comes or goes, only chats that were or will be its own move
    (https://en.wikipedia.org/wiki/Rendezvous_hashing#Weighted_rendezvous_hash).
    """
    weighted = [account for account in accounts if account.weight > 0]
    if not weighted:
        return accounts[0]
    return max(
        weighted, key=lambda account: (account.weight / -math.log(_chance(account.name, chat)), -account.position)
    )


def _chance(account: str, chat: str) -> float:
    """Between 0 and 1, both excluded; the same for the same pair."""
    digest = hashlib.blake2b(f"{account}\x1f{chat}".encode("utf-8", "replace"), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64


def _ask(message: OutMessage, accounts: Sequence[Account], choosers: Iterable[Choose]) -> str | None:
    views = [
        AccountView(
            name=account.name,
            client_id=account.client_id,
            provider=account.provider,
            phone=account.phone,
            metadata=to_builtins(account.metadata),
        )
        for account in accounts
    ]
    for ask in choosers:
        try:
            chosen = ask(deepcopy(message), views)
        except Exception as error:
            # A plugin fails alone: the next one, or the core, chooses.
            log.exception("choose_account failed", **whose(error))
            continue
        if chosen is not None:
            return chosen
    return None


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
        if account.id != first.id
        and message.type in providers.need(account.provider).abilities
        and takes(providers.need(account.provider), message)
    ]
    return sorted([first, *able], key=lambda account: failing(account.id))
