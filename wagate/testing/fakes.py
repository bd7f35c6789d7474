"""The other parts of a context, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from wagate.errors import ConflictError, NotFoundError
from wagate.hooks import AccountView, ClientView, DeliveryFilter, DeliveryView, Identity, Job, Page
from wagate.rules.filters import ALL_DELIVERIES

DEFAULT = ClientView(id=1, slug="default", name="Default")
ACME = ClientView(id=2, slug="acme", name="Acme")


class FakeAccounts:
    """`wagate.hooks.context.Accounts`; change ``accounts`` and ``owners`` as a test needs them."""

    def __init__(self) -> None:
        self.accounts = {
            "main": AccountView(name="main", client_id=DEFAULT.id, provider="meta", phone="5511888888888", metadata={}),
            "acme-main": AccountView(
                name="acme-main", client_id=ACME.id, provider="session", phone="15550001111", metadata={}
            ),
        }
        self.owners = {DEFAULT.id: DEFAULT, ACME.id: ACME}

    def get(self, name: str) -> AccountView | None:
        """One account."""
        return self.accounts.get(name)

    def by_phone(self, client_id: int, phone: str) -> AccountView | None:
        """A client's account with this number."""
        found = (each for each in self.accounts.values() if (each.client_id, each.phone) == (client_id, phone))
        return next(found, None)

    def client(self, client_id: int) -> ClientView | None:
        """One client."""
        return self.owners.get(client_id)

    def clients(self) -> Sequence[ClientView]:
        """All clients."""
        return list(self.owners.values())

    def of(self, client_id: int) -> Sequence[AccountView]:
        """All accounts of a client, by name."""
        return [each for _, each in sorted(self.accounts.items()) if each.client_id == client_id]


class FakeAuth:
    """`wagate.hooks.context.Auth`; ``who`` asks: None is the admin, else the client's id."""

    def __init__(self, accounts: FakeAccounts) -> None:
        self.who: int | None = None
        self._accounts = accounts

    def identity(self) -> Identity:
        """Whose token it is."""
        if self.who is None:
            return Identity(admin=True)
        return Identity(admin=False, client_id=self.who, tenant=self._accounts.owners[self.who].slug)

    def owner(self, tenant: str | None) -> ClientView:
        """The client that the request is about."""
        own = self._accounts.owners.get(self.who or DEFAULT.id)
        for each in [own] if self.who is not None or tenant is None else self._accounts.clients():
            if each is not None and tenant in {None, each.slug, str(each.id)}:
                return each
        raise NotFoundError(f"no client {tenant!r}")

    def may_see(self, client_id: int) -> bool:
        """Whether it may."""
        return self.who in {None, client_id}


class FakeDeliveries:
    """`wagate.hooks.context.Deliveries`; put `DeliveryView`s into ``rows``, oldest first."""

    def __init__(self) -> None:
        self.rows: list[DeliveryView] = []
        self.retried: list[str] = []
        self.cancelled: list[str] = []

    async def page(
        self, which: DeliveryFilter = ALL_DELIVERIES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[DeliveryView]:
        """A page, newest first."""
        found = [
            each
            for each in reversed(self.rows)
            if client_id in {None, each.event.client_id} and _fits(each, which) and (cursor is None or each.id < cursor)
        ]
        return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)

    async def get(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """One, by its id or its event's id."""
        for each in self.rows:
            if delivery_id in {each.id, each.event.id} and client_id in {None, each.event.client_id}:
                return each
        raise NotFoundError("no such delivery")

    async def retry(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Note it; the row waits again."""
        found = await self.get(delivery_id, client_id=client_id)
        if found.status == "delivered":
            raise ConflictError("it was delivered")
        self.retried.append(found.id)
        return self._put(replace(found, status="pending"))

    async def cancel(self, delivery_id: str, *, client_id: int | None) -> DeliveryView:
        """Note it; the row is cancelled."""
        found = await self.get(delivery_id, client_id=client_id)
        if found.status in {"delivered", "failed", "cancelled"}:
            raise ConflictError(f"it is final: {found.status}")
        self.cancelled.append(found.id)
        return self._put(replace(found, status="cancelled"))

    def _put(self, row: DeliveryView) -> DeliveryView:
        self.rows = [row if each.id == row.id else each for each in self.rows]
        return row


def _fits(row: DeliveryView, which: DeliveryFilter) -> bool:
    event = row.event
    said = {"handler": row.handler, "target": row.target, "status": row.status, "stuck": row.stuck}
    said |= {"account": event.account, "chat": event.chat, "message_id": event.message_id}
    wanted = {name: value for name, value in msgspec.structs.asdict(which).items() if value is not None}
    since, until = wanted.pop("since", row.created_at), wanted.pop("until", None)
    in_time = since <= row.created_at and (until is None or row.created_at < until)
    broke_so = wanted.pop("error", "").lower() in (row.error or "").lower()
    return in_time and broke_so and all(said[name] == value for name, value in wanted.items())


class FakeJobs:
    """`wagate.hooks.context.Jobs`; put queued `Job`s into ``rows``. Leases don't expire on their own."""

    def __init__(self) -> None:
        self.rows: list[Job] = []
        self.asked: list[tuple[list[str], float, float]] = []
        """Every `take`: targets, wait, lease."""

    async def take(self, targets: Sequence[str], *, wait: float, lease: float) -> Job | None:
        """The first one queued; never waits."""
        self.asked.append((list(targets), wait, lease))
        for job in self.rows:
            if job.status == "queued" and job.target in targets:
                taken = {"status": "processing", "lease_id": f"lease-{job.id}", "started_at": job.created_at}
                return self._put(replace(job, **taken))
        return None

    async def waiting(self, targets: Sequence[str]) -> int:
        """How many are queued."""
        return sum(job.status == "queued" and job.target in targets for job in self.rows)

    async def get(self, job_id: str, *, client_id: int | None) -> Job:
        """One job."""
        for job in self.rows:
            if job_id in {job.id, job.event.id} and client_id in {None, job.event.client_id}:
                return job
        raise NotFoundError("no such job")

    async def heartbeat(self, job_id: str, *, client_id: int | None, lease_id: str | None, lease: float) -> Job:  # noqa: ARG002
        """Nothing ends here, so nothing is lengthened; a stale lease is refused."""
        job = await self.get(job_id, client_id=client_id)
        if job.status != "processing" or lease_id not in {None, job.lease_id}:
            raise ConflictError("the lease has expired; take the job again", field="lease_id")
        return job

    async def finish(
        self,
        job_id: str,
        *,
        client_id: int | None,
        status: Literal["completed", "failed", "queued"],
        lease_id: str | None,
        result: Any = None,
        error: str | None = None,
    ) -> Job:
        """End it, or give it back. A failed one stays failed."""
        job = await self.heartbeat(job_id, client_id=client_id, lease_id=lease_id, lease=0)
        done = job.started_at if status == "completed" else None
        return self._put(replace(job, status=status, completed_at=done, result=result, error=error))

    async def retry(self, job_id: str, *, client_id: int | None) -> Job:
        """Queue it again."""
        job = await self.get(job_id, client_id=client_id)
        if job.status not in {"failed", "expired"}:
            raise ConflictError(f"the job is {job.status}")
        return self._put(replace(job, status="queued"))

    def _put(self, job: Job) -> Job:
        self.rows = [job if each.id == job.id else each for each in self.rows]
        return job


class FakeStore:
    """`wagate.hooks.context.Store`."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    async def get(self, key: str) -> Any | None:
        """A value, or None."""
        return self.rows.get(key)

    async def set(self, key: str, value: Any) -> None:
        """Store a value."""
        self.rows[key] = value

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self.rows.pop(key, None)

    async def set_all(self, values: Mapping[str, Any]) -> None:
        """Store values."""
        self.rows.update(values)

    async def items(self, prefix: str = "", *, most: int | None = None) -> Mapping[str, Any]:
        """Values by key, of keys that begin so, sorted."""
        return {key: self.rows[key] for key in (await self.keys(prefix))[:most]}

    async def forget(self, prefix: str, *, older: float) -> int:
        """Nothing is ever old here: only ``older=0`` forgets, all that begins so."""
        gone = [] if older else await self.keys(prefix)
        for key in gone:
            del self.rows[key]
        return len(gone)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Keys that begin so, sorted."""
        return sorted(key for key in self.rows if key.startswith(prefix))
