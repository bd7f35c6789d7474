"""Inboxes at work, and those that wait because an agent said so.

A pause outlasts the process, and holds for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import msgspec
import trio

from wagate.errors import ConfigError, ConflictError, NotFoundError, Postpone
from wagate.events import Event
from wagate.hooks import DeliveryFilter, PluginContext
from wagate_chatwoot.agents.texts import Texts, load_texts
from wagate_chatwoot.api.client import Chatwoot
from wagate_chatwoot.ledger import Ledger
from wagate_chatwoot.memory import Memory, OwnedStore
from wagate_chatwoot.settings import Inbox, Settings

WHERE = "plugins.chatwoot"

FORGET_FIRST: Final = 600.0
"""Seconds after the start, when there is other work."""
FORGET_EVERY: Final = 24 * 3600.0
PAUSED_AGAIN = 30.0
"""Seconds after which what waits is looked at again; after a resume it is rung for at once."""
REMEMBERED = 2.0
"""Seconds for which a process believes what it read last."""
MOST_LOOKED_AT = 5000
"""Deliveries among which the head of each chat is looked for; what is not found comes within `PAUSED_AGAIN`."""


@dataclass(frozen=True, kw_only=True)
class App:
    """One inbox, with all that works for it."""

    name: str
    """``app_id`` in the webhook's URL."""
    inbox: Inbox
    """Its settings."""
    context: PluginContext
    ledger: Ledger
    chatwoot: Chatwoot
    memory: Memory
    """What this process knows of its chats."""
    texts: Texts
    """In the inbox's locale."""
    pause: Pause
    """Whether an agent lets its messages wait."""
    keep: float
    """Seconds for which its ledger remembers messages: `Settings.keep`."""

    @property
    def incoming(self) -> str:
        """`Target.id` of what goes to Chatwoot."""
        return f"in/{self.name}"

    @property
    def outgoing(self) -> str:
        """`Target.id` of what comes from Chatwoot."""
        return f"out/{self.name}"

    @property
    def site(self) -> str:
        """Which of Chatwoot's inboxes it is; its table may have named another one before. Kept with what belongs there.

        Numbers of conversations are an account's, and those of another one are other people's. Ids of messages are the
        whole server's.
        """
        return f"{self.inbox.account_id}.{self.inbox.inbox_id}"

    def is_at(self, site: str) -> bool:
        """Whether this is the inbox; '' is what a version wrote that did not keep it."""
        return site in {"", self.site}

    def reaches(self, site: str) -> bool:
        """Whether the conversations there are of the same account, so that they are called here as they were there."""
        return not site or site.partition(".")[0] == str(self.inbox.account_id)

    @property
    def client_id(self) -> int | None:
        """Whose accounts it shows; None: there is no such client yet."""
        return owner_of(self.context, self.inbox)

    def shows(self, tenant: str, account: str) -> bool:
        """Whether it shows this account of this client (by slug)."""
        return bool(account) and tenant == self.inbox.client and account in (self.inbox.accounts or (account,))


class Apps(Mapping[str, App]):
    """All of them, by name."""

    def __init__(self, apps: Mapping[str, App], settings: Settings) -> None:
        self._apps = dict(apps)
        self.settings = settings

    def __getitem__(self, name: str) -> App:
        return self._apps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._apps)

    def __len__(self) -> int:
        return len(self._apps)

    def changed(self, settings: Settings) -> Callable[[], None] | None:
        """What puts these settings in force; None: they are of other inboxes, which begin with a restart.

        ConfigError: they can't be used.
        """
        check_inboxes(settings)
        if _places(settings) != _places(self.settings):
            return None
        apps = {name: _changed(app, settings, settings.inboxes[name]) for name, app in self._apps.items()}

        def take() -> None:
            self._apps, self.settings = apps, settings

        return take

    def showing(self, event: Event) -> list[App]:
        """Those that show the event's account."""
        return [app for app in self._apps.values() if app.shows(event.tenant, event.account)]


def _places(settings: Settings) -> dict[str, Inbox]:
    """What an inbox is; all else about it is how it behaves, and who may."""
    behaviour = msgspec.structs.asdict(Inbox(url="", account_id=1, token="", inbox_id=1))
    for field in ("url", "account_id", "inbox_id", "accounts", "client"):
        del behaviour[field]
    return {name: msgspec.structs.replace(inbox, **behaviour) for name, inbox in settings.inboxes.items()}


def _changed(app: App, settings: Settings, inbox: Inbox) -> App:
    """The same inbox, with what it remembers."""
    texts = load_texts(inbox.locale, settings.templates)
    chatwoot = Chatwoot(app.context.http, inbox)
    return replace(app, inbox=inbox, chatwoot=chatwoot, texts=texts, keep=float(settings.keep))


def elsewhere(app: App, site: str) -> str:
    """Why nothing is done about what an agent did, or is to be told, there: not `App.is_at`, or not `App.reaches`."""
    account, _, inbox = site.partition(".")
    now = f"inbox {app.inbox.inbox_id} of account {app.inbox.account_id}"
    return f"it belongs to inbox {inbox} of account {account} in Chatwoot; the table {app.name!r} now names {now}"


def settings_of(context: PluginContext) -> Settings:
    """The plugin's settings."""
    assert isinstance(context.settings, Settings)
    return context.settings


def make_apps(context: PluginContext) -> Apps:
    """Every inbox of the settings.

    Raises:
        ConfigError: two tables are one inbox, or an inbox can't be used as it is.
    """
    settings = settings_of(context)
    check_inboxes(settings)
    return Apps({name: _app(context, settings, name, inbox) for name, inbox in settings.inboxes.items()}, settings)


def _app(context: PluginContext, settings: Settings, name: str, inbox: Inbox) -> App:
    memory = Memory(context.clock, started=context.clock.time())
    store = OwnedStore(context.store, name, owner=partial(owner_of, context, inbox), forgotten=memory.clear)
    owned = replace(context, store=store)
    return App(
        name=name,
        inbox=inbox,
        context=owned,
        ledger=Ledger(store, name, site=f"{inbox.account_id}.{inbox.inbox_id}"),
        chatwoot=Chatwoot(context.http, inbox),
        memory=memory,
        texts=load_texts(inbox.locale, settings.templates),
        pause=Pause(owned, name),
        keep=float(settings.keep),
    )


def owner_of(context: PluginContext, inbox: Inbox) -> int | None:
    """Id of the client whose accounts an inbox shows; None: there is no such client yet."""
    return next((client.id for client in context.accounts.clients() if client.slug == inbox.client), None)


def bad_name(name: str) -> str:
    """Why an inbox can't be called so; ''."""
    wrong = not name or any(sign in name for sign in "/:?#% ")
    return "the name is part of a URL; use letters, digits, - and _" if wrong else ""


def check_inboxes(settings: Settings) -> None:
    """ConfigError: names and keys that can't work, in words for who wrote them."""
    seen: dict[tuple[str, int], str] = {}
    for name, inbox in settings.inboxes.items():
        where = f"{WHERE}.inboxes.{name}"
        if reason := bad_name(name):
            raise ConfigError(f"{where}: {reason}")
        if not inbox.url.startswith(("https://", "http://")):
            raise ConfigError(f'{where}.url: must be like "https://chat.example.org", not "{inbox.url}"')
        for each in inbox.files_from:
            if not each.startswith(("https://", "http://")):
                raise ConfigError(f'{where}.files_from: must be like "https://files.example.org", not "{each}"')
        key = (inbox.url.rstrip("/").lower(), inbox.inbox_id)
        if key in seen:
            raise ConfigError(f"{where}: configures the same inbox as {WHERE}.inboxes.{seen[key]}; remove one of them")
        seen[key] = name
        if len(set(inbox.accounts)) != len(inbox.accounts):
            raise ConfigError(f"{where}.accounts: names an account twice")


async def forget_old(context: PluginContext, apps: Apps) -> None:
    """A task: `Settings.keep` is how long the ledgers remember."""
    await context.clock.sleep(FORGET_FIRST)
    while True:
        for app in apps.values():
            rows = await app.ledger.forget(app.keep)
            if rows:
                context.log.info("old messages forgotten", inbox=app.name, rows=rows)
        await context.clock.sleep(FORGET_EVERY)


async def ring_resumed(apps: Apps) -> None:
    """A task: `Pause.ring` for inboxes that go on. Thousands of chats take longer than who resumes should wait."""
    async with trio.open_nursery() as nursery:
        for name in apps:
            nursery.start_soon(_ring_resumed, apps, name)


async def _ring_resumed(apps: Apps, name: str) -> None:
    while True:
        await apps[name].pause.resumed()
        for target in (apps[name].incoming, apps[name].outgoing):
            await apps[name].pause.ring(target, client_id=apps[name].client_id)


class Pause:
    """Of one inbox, in both directions."""

    def __init__(self, context: PluginContext, inbox: str) -> None:
        self._context = context
        self._key = f"{inbox}/paused"
        self._paused = False
        self._until = float("-inf")
        self._resumed = trio.Event()

    async def on(self) -> bool:
        """Whether messages wait."""
        now = self._context.clock.monotonic()
        if now >= self._until:
            self._paused = await self._context.store.get(self._key) is not None
            self._until = now + REMEMBERED
        return self._paused

    async def hold(self) -> None:
        """For a delivery that must not run now: Postpone, which spends no attempt and keeps its place."""
        if await self.on():
            raise Postpone("an agent paused the queue", after=PAUSED_AGAIN)

    async def put(self, *, paused: bool) -> bool:
        """Pause or resume; whether that changed anything. Committed when it returns; `ring_resumed` does the rest."""
        before = await self._context.store.get(self._key) is not None
        if paused:
            await self._context.store.set(self._key, value=True)
        else:
            await self._context.store.delete(self._key)
        self._paused, self._until = paused, self._context.clock.monotonic() + REMEMBERED
        if before and not paused:
            self._resumed.set()
        return before != paused

    async def resumed(self) -> None:
        """Wait until it has ended by `put`, since this returned last."""
        await self._resumed.wait()
        self._resumed = trio.Event()

    async def ring(self, target: str, *, client_id: int | None) -> int:
        """Call the first delivery of each chat that waits for a target, after a pause; how many."""
        heads: dict[tuple[str, str], str] = {}
        cursor, seen = None, 0
        while seen < MOST_LOOKED_AT:
            which = DeliveryFilter(handler=self._context.name, target=target, status="pending")
            page = await self._context.deliveries.page(which, client_id=client_id, limit=200, cursor=cursor)
            # Newest first: the last one of a chat that is seen is its head.
            heads |= {(each.event.account, each.event.chat): each.id for each in page.data}
            seen, cursor = seen + len(page.data), page.next_cursor
            if cursor is None:
                break
        for delivery_id in heads.values():
            try:
                await self._context.deliveries.retry(delivery_id, client_id=client_id)
            except (ConflictError, NotFoundError):
                continue  # it ran meanwhile
        return len(heads)
