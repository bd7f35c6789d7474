"""Whose webhook it is: one URL may bring what came for several numbers or sessions, some of which no account has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import structlog

from wagate.events import NewEvent, kinds
from wagate.hooks.providers import Finding
from wagate.inbound.ignore import Owned
from wagate.parsing.fields import identifier
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.accounts import claim_session
from wagate.storage.owners.directory import Account, Directory
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.refusals import NUMBER, STRANGER, StrangerRow, list_strangers

_KEPT: Final = 100
"""Characters of a number in the log."""
_REMEMBERED: Final = 1000
"""Clients' providers whose numbers are kept at hand."""

log = structlog.get_logger("wagate.intake")
_STEP: Final = "add an account for it, or have the provider send only events for accounts here"


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


class EngineSessions:
    """Remembers the session of each account that names none."""

    def __init__(self, database: Database, numbers: Numbers) -> None:
        self._database = database
        self._numbers = numbers
        self._known: dict[str, str] = {}

    async def number(self, account: Account, document: dict[str, Any]) -> str:
        """The session of a body, as `Numbers.owned` compares it; '': it is the account's, or the body doesn't say.

        An account with ``session_id`` is that session. One without is the session of its name, or, until that is
        seen, the one that was posted first. Raises StorageError.
        """
        named = identifier(document.get("sessionId"))
        if not named or account.settings.get("session_id") or self._numbers.sibling(account, named) is not None:
            return named
        known = self._known.get(account.id)
        if known is None or (named == account.name and known != named):
            own = named == account.name
            known = await self._database.write(claim_session, account.id, named, own=own)
            self._known[account.id] = known
        return "" if named == known else named


class Strangers:
    """Reads the table."""

    def __init__(self, database: Database, providers: Providers, live: LiveDirectory) -> None:
        self._database = database
        self._providers = providers
        self._live = live

    async def all(self, *, client_id: int | None) -> Sequence[StrangerRow]:
        """Those that still have no account, the latest first; ``client_id`` None: of all clients. StorageError."""
        found = await self._database.browse(list_strangers, client_id=client_id)
        return [each for each in found if not self._has_account(each)]

    async def look(self) -> Sequence[Finding]:
        """A look of the doctor's."""
        return [
            Finding(
                level="warn",
                what="number",
                detail=f"{each.number} of {each.provider} has no account; {each.events} events came to the URL of "
                f"account {each.account}, the last at {each.last_at:%Y-%m-%d %H:%M} UTC, and were not delivered",
                next_step=_STEP,
            )
            for each in await self.all(client_id=None)
        ]

    def _has_account(self, row: StrangerRow) -> bool:
        accounts = self._live.now.by_client.get(row.client_id, ())
        return any(each.provider == row.provider and self._providers.number(each) == row.number for each in accounts)
