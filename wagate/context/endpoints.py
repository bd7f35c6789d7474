"""Registered endpoints of one connector: rows in the table, the active ones in memory, changed in place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import trio
from msgspec import UNSET

from wagate.clock import Clock
from wagate.consumers.control import Control
from wagate.errors import ConfigError
from wagate.events import Event, matches
from wagate.events.kinds import GROUP_PREFIX, MESSAGE, MESSAGE_ANY, WEBHOOK_DISABLED, WEBHOOK_FAILING
from wagate.hooks.views import Endpoint, EndpointChange, EndpointSecret, NewEndpoint, Page, WantingEndpoint
from wagate.storage.database import Database
from wagate.storage.owners.endpoints import (
    NewWebhook,
    WebhookChange,
    active_stamps,
    create_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
    patch_webhook,
    secrets_changed,
    target_id,
    webhooks_by_id,
)
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import WebhookRow

Crypt = Callable[[str], str]
EVERY = "*"
"""As ``phone_number``: all numbers of the client; as an event's name: all but message.any."""
OF_NO_NUMBER = frozenset({WEBHOOK_FAILING, WEBHOOK_DISABLED})
"""Events about a target: any of the client's endpoints may tell of them."""

Place = tuple[int, str, str]
"""(client id, number, event name)."""


class EndpointTable:
    """`wagate.hooks.context.Endpoints` for one connector."""

    def __init__(
        self,
        connector: str,
        *,
        database: Database,
        live: LiveDirectory,
        control: Control,
        clock: Clock,
        encrypt: Crypt,
        decrypt: Crypt,
        most: int | None = None,
    ) -> None:
        """``most``: endpoints of one client (``limits.webhooks``)."""
        self._most = most
        self._connector = connector
        self._database = database
        self._live = live
        self._control = control
        self._clock = clock
        self._encrypt = encrypt
        self._decrypt = decrypt
        self._index = EndpointIndex()
        self._changing = trio.Lock()
        """Two changes that share a commit are told in any order: what was written last must be taken up last."""
        self._made: dict[str, Endpoint] = {}
        """Those that were asked for: secrets are decrypted then."""
        live.on_endpoints(self.take_up)

    def snapshot(self) -> Mapping[int, Sequence[Endpoint]]:
        """Active endpoints by client id: all of them, so that it takes time; `wanting` does not."""
        active: dict[int, list[Endpoint]] = defaultdict(list)
        for row in sorted(self._index.rows.values(), key=lambda row: row.id):
            active[row.client_id].append(self._kept(row))
        return active

    def wanting(self, event: Event) -> Sequence[WantingEndpoint]:
        """Those that want an event, in the order of their making; quick, however many there are."""
        rows = (self._index.rows[each] for each in self._index.wanting(event))
        return [WantingEndpoint(id=row.id, max_retries=row.max_retries) for row in rows]

    def active(self, endpoint_id: str) -> Endpoint | None:
        """One of those in the snapshot."""
        row = self._index.rows.get(endpoint_id)
        return None if row is None else self._kept(row)

    async def take_up(self, changed: Collection[str] | None) -> None:
        """Take up what others changed; None: nobody can say what."""
        if changed is None:
            await self.reload()
            return
        before = {each: self._index.rows.get(each) for each in changed}
        found = await self._database.read(webhooks_by_id, self._connector, sorted(changed))
        now = {row.id: row for row in found}
        for each, row in before.items():
            # What was made or changed here meanwhile is newer than what was read.
            if self._index.rows.get(each) is row:
                self._put(now[each]) if each in now else self._drop(each)

    async def reload(self) -> None:
        """Look at all of them: only what is new is read whole."""
        before = dict(self._index.rows)
        stamps = await self._database.read(active_stamps, self._connector)
        changed = [each for each, stamp in stamps.items() if each not in before or before[each].updated_at != stamp]
        found = await self._database.read(webhooks_by_id, self._connector, changed) if changed else []
        # What was made or changed here meanwhile is newer than what was read.
        for gone in before.keys() - stamps.keys():
            if self._index.rows.get(gone) is before[gone]:
                self._drop(gone)
        for row in found:
            if self._index.rows.get(row.id) is before.get(row.id):
                self._put(row)

    def _kept(self, row: WebhookRow) -> Endpoint:
        if row.id not in self._made:
            self._made[row.id] = self._endpoint(row)
        return self._made[row.id]

    def _put(self, row: WebhookRow) -> None:
        self._drop(row.id)
        if row.is_active:
            self._index.put(row)

    def _drop(self, endpoint_id: str) -> None:
        self._made.pop(endpoint_id, None)
        self._index.drop(endpoint_id)

    async def create(self, endpoint: NewEndpoint) -> Endpoint:
        """Store one. ConflictError when (client, phone_number, name) is taken."""
        new = NewWebhook(
            client_id=endpoint.client_id,
            phone_number=endpoint.phone_number,
            name=endpoint.name,
            webhook_url=endpoint.webhook_url,
            max_retries=endpoint.max_retries,
            events=endpoint.events,
            secrets=self._seal(endpoint.secrets),
            metadata=endpoint.metadata,
            options=endpoint.options,
        )
        row = await self._database.write(create_webhook, self._connector, new, now=self._clock.now(), most=self._most)
        self._put(row)
        return self._endpoint(row)

    async def get(self, endpoint_id: str) -> Endpoint:
        """One with its health. NotFoundError."""
        return self._endpoint(await self._database.read(get_webhook, self._connector, endpoint_id))

    async def page(
        self, *, client_id: int | None, limit: int, cursor: str | None, phone_number: str | None
    ) -> Page[Endpoint]:
        """A page, newest first."""
        page = await self._database.browse(
            list_webhooks,
            self._connector,
            limit=limit,
            cursor=cursor,
            client_id=client_id,
            phone_number=phone_number,
        )
        return Page(data=[self._endpoint(row) for row in page.data], next_cursor=page.next_cursor)

    async def change(self, endpoint_id: str, change: EndpointChange) -> Endpoint:
        """Change what is set; switching one on again clears its failed or disabled state and lets go what waited."""
        fields: dict[str, Any] = {name: value for name, value in _set_fields(change) if value is not UNSET}
        if "secrets" in fields:
            fields["secrets"] = self._seal(fields["secrets"])
        if "secrets_before" in fields:
            fields["secrets_before"] = await self._sealed(endpoint_id, fields["secrets_before"])
        async with self._changing:
            row = await self._database.write(
                patch_webhook, self._connector, endpoint_id, WebhookChange(**fields), now=self._clock.now()
            )
            self._put(row)
        await self._control.changed(target_id(self._connector, endpoint_id))
        return self._endpoint(row)

    async def delete(self, endpoint_id: str) -> None:
        """Delete it and cancel what waits for it."""
        async with self._changing:
            await self._database.write(delete_webhook, self._connector, endpoint_id, now=self._clock.now())
            self._drop(endpoint_id)
        await self._control.changed(target_id(self._connector, endpoint_id))

    async def recover(self, endpoint_id: str, *, since: float) -> int:
        """Replay what failed permanently in the last ``since`` seconds, in order; how many."""
        return await self._control.recover(target_id(self._connector, endpoint_id), since=since)

    async def _sealed(self, endpoint_id: str, secrets: Sequence[EndpointSecret]) -> str:
        """These secrets as they are stored: each time they are sealed, that looks different. ConflictError."""
        row = await self._database.read(get_webhook, self._connector, endpoint_id)
        if self._open(row.secrets) != list(secrets):
            raise secrets_changed()
        return row.secrets

    def _seal(self, secrets: Sequence[EndpointSecret]) -> str:
        return self._encrypt(msgspec.json.encode(secrets).decode())

    def _open(self, sealed: str) -> list[EndpointSecret]:
        try:
            return msgspec.json.decode(self._decrypt(sealed), type=list[EndpointSecret]) if sealed else []
        except ConfigError:  # Who can't be signed for can still be shown, given a new secret, and deleted.
            return []

    def _endpoint(self, row: WebhookRow) -> Endpoint:
        return Endpoint(
            id=row.id,
            client_id=row.client_id,
            tenant_id=row.tenant,
            phone_number=row.phone_number,
            name=row.name,
            webhook_url=row.webhook_url,
            is_active=row.is_active,
            status=row.status,
            failure_count=row.failure_count,
            max_retries=row.max_retries,
            events=row.events,
            metadata=row.metadata,
            options=row.options,
            secrets=self._open(row.secrets),
            last_error=row.last_error,
            last_success_at=row.last_success_at,
            last_attempt_at=row.last_attempt_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def _set_fields(change: EndpointChange) -> list[tuple[str, Any]]:
    return [(name, getattr(change, name)) for name in change.__struct_fields__]


class EndpointIndex:
    """Active endpoints. What a look-up costs depends on those found alone."""

    def __init__(self) -> None:
        self.rows: dict[str, WebhookRow] = {}
        """By id."""
        self._at: defaultdict[Place, set[str]] = defaultdict(set)

    def put(self, row: WebhookRow) -> None:
        """This one is as it says now."""
        self.drop(row.id)
        self.rows[row.id] = row
        for place in _places(row):
            self._at[place].add(row.id)

    def drop(self, endpoint_id: str) -> None:
        """This one is gone, or switched off."""
        row = self.rows.pop(endpoint_id, None)
        for place in _places(row) if row is not None else ():
            self._at[place].discard(endpoint_id)
            if not self._at[place]:
                del self._at[place]

    def wanting(self, event: Event) -> Sequence[str]:
        """Ids of those that want an event, in the order of their making."""
        numbers = {""} if event.kind in OF_NO_NUMBER else {EVERY, event.phone, event.account} - {""}
        names = {event.kind, EVERY, MESSAGE_ANY if event.kind == MESSAGE else "", _group(event.kind)} - {""}
        places = ((event.client_id, number, name) for number in numbers for name in names)
        found = {each for place in places for each in self._at.get(place, ())}
        return sorted(each for each in found if matches(self.rows[each].events, event.kind))


def _places(row: WebhookRow) -> Iterator[Place]:
    for name in row.events:
        yield row.client_id, row.phone_number, name
        yield row.client_id, "", name


def _group(kind: str) -> str:
    return f"{GROUP_PREFIX}*" if kind.startswith(GROUP_PREFIX) else ""
