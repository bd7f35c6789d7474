"""Whose webhook it is: one URL may bring what came for several numbers, also for some that no account has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import structlog

from wagate.events import NewEvent, kinds
from wagate.inbound.ignore import Owned
from wagate.plugins.registry import Providers
from wagate.storage.owners.directory import Account, Directory
from wagate.storage.refusals import NUMBER, STRANGER

_KEPT: Final = 100
"""Characters of a number in the log."""
_REMEMBERED: Final = 1000
"""Clients' providers whose numbers are kept at hand."""

log = structlog.get_logger("wagate.intake")


class Numbers:
    """Finds the account of each event by the provider's own id of the number."""

    def __init__(self, directory: Callable[[], Directory], providers: Providers) -> None:
        self._directory = directory
        self._providers = providers
        self._known: dict[tuple[int, str], tuple[Sequence[Account], dict[str, Account]]] = {}
        """By client and provider: the client's accounts, and those of the provider by their numbers."""

    def owned(self, account: Account, events: Iterable[NewEvent]) -> Iterator[Owned]:
        """Each event with its account; what is for a number that none of the client's accounts has is nobody's."""
        mine = self._providers.number(account)
        for event in events:
            if event.number in {"", mine} or not mine:
                yield account, event
                continue
            owner = self.sibling(account, event.number)
            if owner is not None:
                yield owner, event
            else:
                log.warning(
                    "webhook for a number of no account",
                    account=account.name,
                    provider=account.provider,
                    number=event.number[:_KEPT],
                )
                yield _nobody(account), _set_apart(account, event)

    def sibling(self, account: Account, number: str) -> Account | None:
        """Another account of the client and the provider, with this number."""
        own = self._directory().by_client.get(account.client_id, ())
        place = (account.client_id, account.provider)
        if place not in self._known or self._known[place][0] is not own:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[place] = own, self._by_number(own, account.provider)
        found = self._known[place][1].get(number)
        return None if found is account else found

    def _by_number(self, accounts: Sequence[Account], provider: str) -> dict[str, Account]:
        """The oldest of each number."""
        found: dict[str, Account] = {}
        for each in accounts:
            if each.provider == provider and (number := self._providers.number(each)):
                found.setdefault(number, each)
        return found


def _nobody(account: Account) -> Account:
    """No account of the client: nothing routes to it, and nothing can be sent from it."""
    return Account(
        id="",
        name="",
        client_id=account.client_id,
        tenant=account.tenant,
        provider=account.provider,
        phone="",
        metadata={},
        ignore={},
        webhook_secret="",
        source=STRANGER,
    )


def _set_apart(account: Account, event: NewEvent) -> NewEvent:
    """That something came, and for whom; what it was stays in the raw body."""
    return NewEvent(
        kind=kinds.UNKNOWN,
        type="unknown",
        # Two sessions in one group get the same message.
        provider_id=f"{event.number}/{event.chat}/{event.provider_id}" if event.provider_id else "",
        dedupe_kind=event.dedupe_kind or event.kind,
        variant=event.variant,
        timestamp=event.timestamp,
        extra={NUMBER: event.number, "account": account.name, "kind": event.kind},
        raw=event.raw,
    )
