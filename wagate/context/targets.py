"""Targets for people: by name, with their figures; and what can be done to one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import structlog

from wagate.clock import Clock
from wagate.consumers.control import Control
from wagate.context.endpoints import EVERY, OF_NO_NUMBER
from wagate.errors import PluginError, UnavailableError
from wagate.events import EVENT_KINDS, Event
from wagate.events.kinds import GROUP_PREFIX
from wagate.hooks.contracts import Handler, TargetName
from wagate.hooks.views import DeliveryView, RequestView
from wagate.outbound.context import OUTBOUND
from wagate.rules.targets import Standing
from wagate.storage.database import Database
from wagate.storage.deliveries.getting import endpoints_getting, targets_by_id
from wagate.storage.deliveries.survey import Glance, LoneReceivers, Survey, glance, survey_targets
from wagate.storage.deliveries.target_list import (
    TargetRow,
    get_target,
    list_targets,
    named_targets,
    some_targets,
)
from wagate.storage.deliveries.targets import target_states
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.statement import first_id

MOST: Final = 10_000
"""Receivers that one look takes by name."""
KINDS: Final = (EVENT_KINDS - OF_NO_NUMBER) | {f"{GROUP_PREFIX}join"}
"""Of events of a number; all about groups are wanted alike."""
SOMEBODY: Final = "12025550100@c.us"
"""A chat with nobody: a number for examples."""

log = structlog.get_logger("wagate.targets")


class TargetDesk:
    """Pass ``client_id`` None only for the admin. All but `all` and `page` raise NotFoundError."""

    def __init__(
        self,
        database: Database,
        control: Control,
        live: LiveDirectory,
        handlers: Mapping[str, Handler],
        clock: Clock,
    ) -> None:
        """``handlers``: by name; they may be filled in later."""
        self._database = database
        self._control = control
        self._live = live
        self._handlers = handlers
        self._clock = clock
        self._lone = LoneReceivers()

    async def all(self, *, client_id: int | None) -> Sequence[TargetRow]:
        """Every target, by id."""
        return await self.page(client_id=client_id)

    async def page(
        self,
        *,
        client_id: int | None,
        connector: str | None = None,
        state: Standing | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Sequence[TargetRow]:
        """Some, by id, from behind ``after``; a limit of None: all."""
        found = await self._database.browse(
            list_targets,
            self._clock.now(),
            client_id=client_id,
            handler=connector,
            standing=state,
            after=after,
            limit=limit,
        )
        return [self._named(row) for row in found]

    async def survey(self, *, client_id: int | None, begin: int = 0, most: int) -> Survey:
        """How all are, which need somebody, and so many receivers, worst first, from behind the first ``begin``."""
        found = await self._database.browse(
            survey_targets, self._clock.now(), client_id=client_id, begin=begin, most=most, lone=self._lone
        )
        for row in (*found.shown, *found.urgent):
            self._named(row)
        return found

    async def glance(self, ids: Collection[str], clients: Collection[int]) -> Glance:
        """The totals of these clients and of all, these targets, and all that may need somebody."""
        found = await self._database.browse(glance, self._clock.now(), ids, clients, lone=self._lone)
        for row in (*found.named.values(), *found.urgent):
            self._named(row)
        return found

    async def getting(self, account_id: str) -> tuple[TargetRow, Sequence[TargetRow]]:
        """What waits to leave by this account; and `MOST` receivers that get its events, used or not, on or off.

        Of endpoints the table says so; the loop asks only connectors that have none of this client's.
        """
        account = self._live.now.by_id.get(account_id)
        sending = TargetRow(id=f"{OUTBOUND}:{account_id}")
        if account is None:
            return sending, ()
        numbers = {EVERY, account.phone, account.name} - {""}
        found = await self._database.browse(endpoints_getting, account.client_id, numbers, KINDS)
        ids = {f"{connector}:{own_id}" for connector, own_id in found if connector in self._handlers}
        for name in self._handlers.keys() - {connector for connector, _ in found}:
            ids |= self._wanting(name, account)
        wanted = [sending.id, *sorted(ids - {sending.id})[:MOST]]
        rows = await self._database.browse(targets_by_id, wanted, self._clock.now(), client_id=account.client_id)
        sending = rows.pop(sending.id, sending)
        return sending, [self._named(row) for row in rows.values()]

    async def get(self, target_id: str, *, client_id: int | None) -> TargetRow:
        """One."""
        row = await self._database.browse(get_target, target_id, self._clock.now(), client_id=client_id)
        return self._named(row)

    async def some(self, *, client_id: int | None, most: int, find: str = "", urls: bool = True) -> Sequence[TargetRow]:
        """Up to so many, by name: for a form to choose from; with this in their name, URL or id. No figures.

        ``urls`` False: their URLs, which may have tokens, are not searched.
        """
        found = await self._database.browse(some_targets, client_id=client_id, most=most, find=find, urls=urls)
        return sorted((self._named(row) for row in found), key=lambda row: row.name.lower())

    async def names(self, ids: Sequence[str]) -> Mapping[str, str]:
        """What people call these targets, which the caller may see."""
        found = await self._database.browse(named_targets, ids)
        return {target_id: self._named(row).name for target_id, row in found.items()}

    async def standings(self, ids: Sequence[str]) -> Mapping[str, Standing]:
        """How these are that were ever tried, whether their endpoints are on or not."""
        found = await self._database.browse(target_states, ids)
        return {target_id: state.standing for target_id, state in found.items()}

    async def places(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The same with their addresses, for lines of text; what has no name of its own is called by its address."""
        found = [self._named(row) for row in (await self._database.browse(named_targets, ids)).values()]
        return {row.id: _place(row) for row in found}

    async def pause(self, target_id: str, *, by: str, client_id: int | None) -> TargetRow:
        """Send it nothing from now on: what comes in waits in order, and nothing is given up meanwhile."""
        row = await self.get(target_id, client_id=client_id)
        await self._control.pause(row, by=by)
        return await self.get(target_id, client_id=client_id)

    async def resume(self, target_id: str, *, client_id: int | None) -> TargetRow:
        """End its pause."""
        row = await self.get(target_id, client_id=client_id)
        await self._control.resume(row.id)
        return await self.get(target_id, client_id=client_id)

    async def probe(self, target_id: str, *, client_id: int | None) -> TargetRow:
        """If it is down, ask it now; the answer comes later."""
        row = await self.get(target_id, client_id=client_id)
        await self._control.probe(row.id)
        return await self.get(target_id, client_id=client_id)

    async def recover(self, target_id: str, *, since: float, client_id: int | None) -> int:
        """Replay what failed permanently there in the last ``since`` seconds, in order; how many."""
        row = await self.get(target_id, client_id=client_id)
        return await self._control.recover(row.id, since=since)

    async def request(self, delivery: DeliveryView) -> RequestView | None:
        """What the target is sent for a delivery; None: its connector shows none. UnavailableError."""
        rebuild = self._handlers[delivery.handler].request if delivery.handler in self._handlers else None
        try:
            return None if rebuild is None else await rebuild(delivery)
        except PluginError as error:
            log.warning("request not shown", plugin=error.plugin, delivery_id=delivery.id, reason=error.what)
            raise UnavailableError("its connector failed; see the gateway's log") from error

    def _wanting(self, handler: str, account: Account) -> set[str]:
        """Those of a connector that want something of this account, of whatever kind."""
        targets, now = self._handlers[handler].targets, self._clock.now()
        try:
            return {f"{handler}:{each.id}" for kind in KINDS for each in targets(_such(kind, account, now))}
        except PluginError as error:
            log.warning("receivers not known", plugin=error.plugin, account=account.name, reason=error.what)
            return set()

    def _named(self, row: TargetRow) -> TargetRow:
        if not row.name:
            named = self._describe(row.id)
            row.url = row.url or named.url
            row.name = named.name or _host(row.url) or row.id
        return row

    def _describe(self, target_id: str) -> TargetName:
        handler, _, own_id = target_id.partition(":")
        if handler == OUTBOUND:
            account = self._live.now.by_id.get(own_id)
            return TargetName(name="" if account is None else f"Sending from {account.name}")
        if handler not in self._handlers:
            return TargetName()
        try:
            return self._handlers[handler].describe(own_id)
        except PluginError as error:
            log.warning("target without a name", plugin=error.plugin, target=target_id, reason=error.what)
            return TargetName()


def _such(kind: str, account: Account, now: datetime) -> Event:
    """What an event of this kind is like, to ask who would get it."""
    return Event(
        id=first_id(now),
        kind=kind,
        account=account.name,
        account_id=account.id,
        phone=account.phone,
        provider=account.provider,
        client_id=account.client_id,
        tenant=account.tenant,
        created_at=now,
        timestamp=now,
        chat=SOMEBODY,
        sender=SOMEBODY,
        type="text",
    )


def _place(row: TargetRow) -> str:
    named = row.name if row.name not in {row.id, row.url, _host(row.url)} else ""
    url = row.url.partition("?")[0]  # what follows may be a token, and lines of text are passed on
    return f"{named} ({url})" if named and url else named or url or row.id


def _host(url: str) -> str:
    """Host and port of a URL: what people call that has no other name. Its path may be a secret."""
    with suppress(ValueError):  # a plugin's may be any text
        return urlsplit(url).netloc.rpartition("@")[2]
    return ""
