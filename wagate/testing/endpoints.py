"""Registered endpoints in memory; held to the contract of the table by tests/contract/test_endpoints.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.errors import ConflictError, NotFoundError
from wagate.events import Event, matches
from wagate.events.kinds import WEBHOOK_DISABLED, WEBHOOK_FAILING
from wagate.hooks import Endpoint, EndpointChange, NewEndpoint, Page, WantingEndpoint


class FakeEndpoints:
    """`wagate.hooks.context.Endpoints`."""

    def __init__(self, tenant_of: Callable[[int], str], clock: Clock) -> None:
        self.rows: dict[str, Endpoint] = {}
        self.recovered: list[tuple[str, float]] = []
        """What was asked to be replayed: id, seconds."""
        self._tenant_of = tenant_of
        self._clock = clock

    def snapshot(self) -> Mapping[int, Sequence[Endpoint]]:
        """Active endpoints by client id."""
        active = [each for each in self.rows.values() if each.is_active]
        return {owner: [each for each in active if each.client_id == owner] for owner in {e.client_id for e in active}}

    def wanting(self, event: Event) -> Sequence[WantingEndpoint]:
        """Those that want an event."""
        numbers = {"*", event.phone, event.account}
        return [
            WantingEndpoint(id=each.id, max_retries=each.max_retries)
            for each in self.snapshot().get(event.client_id, ())
            if matches(each.events, event.kind)
            and (event.kind in {WEBHOOK_FAILING, WEBHOOK_DISABLED} or each.phone_number in numbers)
        ]

    def active(self, endpoint_id: str) -> Endpoint | None:
        """One of those in the snapshot."""
        found = self.rows.get(endpoint_id)
        return found if found is not None and found.is_active else None

    async def create(self, endpoint: NewEndpoint) -> Endpoint:
        """Store one."""
        now = self._clock.now()
        row = Endpoint(
            **msgspec.structs.asdict(endpoint),
            id=str(uuid7()),
            tenant_id=self._tenant_of(endpoint.client_id),
            is_active=True,
            status="active",
            failure_count=0,
            last_error=None,
            last_success_at=None,
            last_attempt_at=None,
            created_at=now,
            updated_at=now,
        )
        self._keep(row)
        return row

    async def get(self, endpoint_id: str) -> Endpoint:
        """One with its health."""
        if endpoint_id not in self.rows:
            raise NotFoundError("no such webhook")
        return self.rows[endpoint_id]

    async def page(
        self, *, client_id: int | None, limit: int, cursor: str | None, phone_number: str | None
    ) -> Page[Endpoint]:
        """A page, newest first."""
        found = [
            each
            for each in sorted(self.rows.values(), key=lambda each: each.id, reverse=True)
            if client_id in {None, each.client_id}
            and phone_number in {None, each.phone_number}
            and (cursor is None or each.id < cursor)
        ]
        return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)

    async def change(self, endpoint_id: str, change: EndpointChange) -> Endpoint:
        """Change what is set."""
        given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
        before = await self.get(endpoint_id)
        if given.pop("secrets_before", before.secrets) != before.secrets:
            raise ConflictError("the webhook's secrets were changed at the same moment; try again")
        if change.options is not UNSET:
            laid_over = before.options | change.options
            given["options"] = {name: value for name, value in laid_over.items() if value is not None}
        row = replace(before, **given, updated_at=self._clock.now())
        if change.is_active is True:
            row = replace(row, status="active", failure_count=0)
        self._keep(row)
        return row

    async def delete(self, endpoint_id: str) -> None:
        """Delete it."""
        await self.get(endpoint_id)
        del self.rows[endpoint_id]

    async def recover(self, endpoint_id: str, *, since: float) -> int:
        """Note that it was asked for."""
        self.recovered.append((endpoint_id, since))
        return 0

    def _keep(self, row: Endpoint) -> None:
        for other in self.rows.values():
            same = (other.client_id, other.phone_number, other.name) == (row.client_id, row.phone_number, row.name)
            if same and other.id != row.id:
                raise ConflictError(f"a webhook for {row.phone_number!r} with the name {row.name!r} exists")
        self.rows[row.id] = row
