"""Providers that listen without webhooks: one task for each of their accounts, in the process that holds its lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import NotFoundError, PluginError, StorageError, UnprocessableError, WagateError
from wagate.events import NewEvent, SessionChange, kinds
from wagate.hooks.providers import Provider, ProviderAccount
from wagate.http import on_behalf_of
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.receive import Receiver
from wagate.plugins.registry import Providers
from wagate.plugins.wall import whose
from wagate.storage.database import Database
from wagate.storage.owners.accounts import hold, note_phone
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.threads.chat_marks import mark_chat

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
FORGET_PATIENCE = 60.0
RELEASE_PATIENCE = 2.0
"""Seconds: what is left of a lease once it was found to be lost."""

log = structlog.get_logger("wagate.listen")
LEASE = 10.0
"""Seconds after which another process takes over from one that renews no more, as soon as it looks."""
RENEW = 3.0
"""Seconds from one asking to the next: a number is listened for again 13 s after its process died, and its own start
later. When an answer took longer, the next asking follows at once: answers that take less than 4 s lose nothing."""
COUNTED = 8.0
"""Seconds of a lease that its holder counts on, from when it asked for it; in the rest it ends what runs."""
LOOK = 0.5
"""Seconds between two looks at whether a lease has run out."""


@dataclass(kw_only=True, eq=False)
class Listener:
    """One account that is listened for."""

    account: Account
    provider: Provider
    seen: ProviderAccount
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    over: trio.Event = field(default_factory=trio.Event)


class AccountInlet:
    """`wagate.hooks.Inlet`, over the way in for every event."""

    def __init__(self, account_id: str, parts: Listening) -> None:
        self._id = account_id
        self._parts = parts

    async def take(self, events: Sequence[NewEvent]) -> None:
        """Store them in one commit. See the protocol."""
        account = self._account()
        owned = await self._parts.ignore_filter.taken_in((account, event) for event in events)
        stored = await self._parts.receiver.receive_all(owned, b"")
        log.info(
            "heard",
            account=account.name,
            provider=account.provider,
            events=len(events),
            stored=sum(not each.duplicate for each in stored),
        )

    async def archive(self, events: Sequence[NewEvent]) -> None:
        """Store messages of the past, and deliver them to nobody. See the protocol."""
        account = self._account()
        kept = await self._parts.ignore_filter.taken_in((account, event) for event in events)
        stored = await self._parts.receiver.archive_past(account, [event for _, event in kept])
        log.info("history", account=account.name, events=len(events), stored=sum(not each.duplicate for each in stored))

    async def state(self, change: SessionChange, **details: Any) -> None:
        """Store an event ``session.status``. See the protocol."""
        account = self._account()
        extra = {"name": account.name, "event": kinds.SESSION_STATUS, "status": change.status, **details}
        if change.message:
            extra["message"] = change.message
        event = NewEvent(kind=kinds.SESSION_STATUS, type="status", extra=extra, session=change)
        await self._parts.receiver.receive(account, [event], b"")
        log.info("session", account=account.name, status=change.status, message=change.message)

    async def seen(self, chat: str) -> None:
        """Nothing in the chat is unread any more. See the protocol."""
        account, now = self._account(), self._parts.clock.now()
        await self._parts.database.write(
            mark_chat, client_id=account.client_id, account=account.name, chat=chat, mark="read", now=now
        )

    async def number(self, phone: str) -> None:
        """Note our number. See the protocol."""
        account = self._account()
        if account.phone != phone:
            changed = await self._parts.database.write(note_phone, account.id, phone, now=self._parts.clock.now())
            if changed:
                await self._parts.live.reload()

    def _account(self) -> Account:
        """As it is now. StorageError: it was deleted, and its task is about to end."""
        found = self._parts.live.now.by_id.get(self._id)
        if found is None:
            raise StorageError("the account was deleted")
        return found


@dataclass(kw_only=True)
class Listening:
    """Starts and ends what listens, as accounts come and go."""

    providers: Providers
    live: LiveDirectory
    receiver: Receiver
    ignore_filter: IgnoreFilter
    database: Database
    clock: Clock
    holding: Holding | None = None
    """Says which accounts are this process's own; None: it is the only one."""
    _running: dict[str, Listener] = field(default_factory=dict)
    """By the account's id."""
    _listened: dict[str, tuple[Account, Provider]] = field(default_factory=dict)
    """Accounts of providers that listen, by id; some may be other processes'."""

    async def run(self, *, stop: trio.Event) -> None:
        """Listen for all accounts until ``stop`` is set; when it returns, nothing more is taken in."""
        changed = _Changed()
        self.live.on_accounts(changed.these)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until, stop, nursery.cancel_scope)
            if self.holding is not None:
                nursery.start_soon(self.holding.keep, lambda: tuple(self._listened), changed.everything)
            ids: Collection[str] | None = None
            while True:
                await self._settle(nursery, ids)
                ids = await changed.wait()

    async def _settle(self, nursery: trio.Nursery, ids: Collection[str] | None) -> None:
        """Make what runs fit these accounts as they are now; None: all of them."""
        ended: dict[str, Listener] = {}
        wanted = self._wanted(self._running.keys() | self.live.now.by_id.keys() if ids is None else ids)
        for id_, now in wanted.items():
            listener = self._running.get(id_)
            if listener is not None and (now is None or _identity(now[0]) != _identity(listener.account)):
                ended[id_] = listener
        async with trio.open_nursery() as ending:
            for id_, listener in ended.items():
                ending.start_soon(self._end, listener, wanted[id_])
        for id_, listener in ended.items():
            del self._running[id_]
            if id_ not in self.live.now.by_id:
                nursery.start_soon(self._forget, listener)
        for id_, now in wanted.items():
            if now is not None and id_ not in self._running and (begun := self._listener(*now)) is not None:
                self._running[id_] = begun
                nursery.start_soon(self._listen, begun)

    def elsewhere(self, account_id: str) -> bool:
        """Whether another process listens for the account, or is about to: its messages go out there."""
        return self.holding is not None and account_id in self._listened and not self.holding.holds(account_id)

    def _wanted(self, ids: Collection[str]) -> dict[str, tuple[Account, Provider] | None]:
        """Who is to be listened for by this process; None: for this one nobody here."""
        for id_ in ids:
            account = self.live.now.by_id.get(id_)
            provider = None if account is None else self.providers.get(account.provider)
            if account is not None and provider is not None and provider.listens:
                self._listened[id_] = account, provider
            else:
                self._listened.pop(id_, None)
        held = self.holding
        return {id_: self._listened.get(id_) if held is None or held.holds(id_) else None for id_ in ids}

    def _listener(self, account: Account, provider: Provider) -> Listener | None:
        try:
            seen = self.providers.account(account)
        except (UnprocessableError, NotFoundError) as error:
            log.warning("account can't be listened for", account=account.name, reason=str(error))
            return None
        except PluginError as error:
            log.exception("account can't be listened for", plugin=error.plugin, account=account.name, error=error.what)
            return None
        return Listener(account=account, provider=provider, seen=seen)

    async def _listen(self, listener: Listener) -> None:
        """Until it returns or is cancelled; again after an error, 1 s later, then doubling to a minute."""
        wait = FIRST_WAIT
        try:
            with listener.scope, on_behalf_of(listener.account.client_id):
                while True:
                    began = self.clock.monotonic()
                    if await self._once(listener):
                        return
                    if self.clock.monotonic() - began > LONGEST_WAIT:
                        wait = FIRST_WAIT
                    await self.clock.sleep(wait)
                    wait = min(2 * wait, LONGEST_WAIT)
        finally:
            listener.over.set()

    async def _once(self, listener: Listener) -> bool:
        """One run; whether it came to its end."""
        assert listener.provider.run is not None
        name = listener.account.name
        try:
            await listener.provider.run(listener.seen, AccountInlet(listener.account.id, self))
        except StorageError as error:
            log.warning("listening broke off", account=name, reason=str(error))
        except Exception as error:
            log.exception("listening failed", account=name, provider=listener.provider.name, **whose(error))
        else:
            return True
        return False

    async def _end(self, listener: Listener, now: tuple[Account, Provider] | None) -> None:
        """Until it no longer listens, and holds nothing that others may want: ``now`` says who does from here on."""
        listener.scope.cancel()
        await listener.over.wait()
        goes_on = listener.account.id in self.live.now.by_id
        if goes_on and (now is None or now[1].name != listener.provider.name):
            await self._release(listener)

    async def _release(self, listener: Listener) -> None:
        """Have the provider let go of an account that another process may hold; a stop does not cut it short."""
        if listener.provider.release is None:
            return
        name = listener.account.name
        try:
            with trio.fail_after(RELEASE_PATIENCE, shield=True), on_behalf_of(listener.account.client_id):
                await listener.provider.release(listener.seen)
        except trio.TooSlowError:
            log.warning("not released in time", account=name, seconds=RELEASE_PATIENCE)
        except WagateError as error:
            log.warning("not released", account=name, reason=str(error), **whose(error))
        except Exception:
            log.exception("not released", account=name)
        else:
            log.info("released", account=name)

    async def _forget(self, listener: Listener) -> None:
        """Have the provider wipe what it kept of an account that is gone."""
        if listener.provider.forget is None:
            return
        name = listener.account.name
        try:
            with trio.fail_after(FORGET_PATIENCE), on_behalf_of(listener.account.client_id):
                await listener.provider.forget(listener.seen)
        except trio.TooSlowError:
            log.warning("not forgotten in time", account=name, seconds=FORGET_PATIENCE)
        except WagateError as error:
            log.warning("not forgotten", account=name, reason=str(error), **whose(error))
        except Exception:
            log.exception("not forgotten", account=name)
        else:
            log.info("forgotten", account=name)


class _Changed:
    """Told by others, waited for by one."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._ids: set[str] | None = set()

    async def these(self, before: Mapping[str, Account | None]) -> None:
        if self._ids is not None:
            self._ids |= before.keys()
        self._event.set()

    async def everything(self) -> None:
        self._ids = None
        self._event.set()

    async def wait(self) -> set[str] | None:
        """Ids of accounts; None: it may be any."""
        await self._event.wait()
        ids, self._ids, self._event = self._ids, set(), trio.Event()
        return ids


def _identity(account: Account) -> tuple[Any, ...]:
    """What, when it changes, makes it another account for its provider."""
    return (account.name, account.provider, account.settings, account.source)


async def _until(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


class Holding:
    """What this process holds. ``holder`` is its name, the same after a restart."""

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._held: frozenset[str] = frozenset()
        self._ends = 0.0
        """When what is held is lost if it is not renewed; on the clock that goes on while the machine is suspended."""

    def holds(self, account_id: str) -> bool:
        """Whether this process may listen for the account now."""
        return account_id in self._held and self._clock.boottime() < self._ends

    async def renew(self, account_ids: Sequence[str]) -> bool:
        """Take what is free, keep what is held; whether anything changed. StorageError."""
        now, ends = self._clock.now(), self._clock.boottime() + COUNTED
        until = now + timedelta(seconds=LEASE)
        held = await self._database.write(hold, list(account_ids), self._holder, now=now, until=until)
        asked = self._clock.boottime()
        if asked >= ends:
            held = frozenset()  # it took so long that another may hold them by now
        lapsed = bool(self._held) and asked >= self._ends  # `holds` said so meanwhile, and somebody may have heard it
        changed, self._held, self._ends = lapsed or held != self._held, held, ends
        return changed

    async def keep(self, account_ids: Callable[[], Sequence[str]], changed: Callable[[], Awaitable[None]]) -> None:
        """Renew for ever; ``changed`` is called when something came or went. What can't be renewed in time is lost."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._lose, changed)
            while True:
                due = self._clock.monotonic() + RENEW
                try:
                    if await self.renew(account_ids()):
                        await changed()
                except StorageError as error:
                    log.warning("leases not renewed", reason=str(error))
                await self._clock.sleep(due - self._clock.monotonic())

    async def _lose(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Apart from the renewals, one of which may hang."""
        while True:
            if self._held and self._clock.boottime() >= self._ends:
                log.warning("leases lost", accounts=len(self._held), seconds=COUNTED)
                self._held = frozenset()
                await changed()
            await self._clock.sleep(LOOK)
