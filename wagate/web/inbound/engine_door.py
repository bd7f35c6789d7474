"""``POST /webhook/inbound``: the engine's own format, from a BSP or a backend that holds a token."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from wagate.errors import NotFoundError, UnprocessableError
from wagate.hooks.contracts import Identity
from wagate.inbound.accounts import Accounts
from wagate.inbound.engine import parse_engine
from wagate.inbound.position import Positions
from wagate.inbound.receive import Receiver
from wagate.parsing.jsonbody import read_object
from wagate.storage.owners.directory import Client
from wagate.web.access.auth import Authenticator, token_of
from wagate.web.access.rate_limit import RateLimit
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer, OwnDeliveries

ENGINE_PATH = "/webhook/inbound"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``POST /webhook/inbound``."""

    status: str
    """accepted."""
    job_id: str
    """The pull job's id when a pull connector takes it, else the event's id."""
    queue_position: int
    """Waiting jobs of the tenant, this one included."""
    estimated_processing_time: str
    """p50–p95 of the tenant's last 100: ``2-5 seconds``."""


class EngineDoor:
    """Verify, parse, store; answer with the job's id and its place in the queue."""

    def __init__(
        self,
        auth: Authenticator,
        accounts: Accounts,
        receiver: Receiver,
        positions: Positions,
        limit: RateLimit,
        *,
        own: OwnDeliveries,
    ) -> None:
        self._own = own
        self._auth = auth
        self._accounts = accounts
        self._receiver = receiver
        self._positions = positions
        self._limit = limit

    def admit(self, request: Request) -> bool:
        """Only with a token. UnauthorizedError, TooManyRequestsError."""
        self._identify(request)
        return True

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """202 accepted, 200 for a duplicate with the first one's ids."""
        identity = self._identify(request)
        self._limit.spend(identity.tenant or "admin")
        await self._own.refuse(request)
        message = parse_engine(read_object(body))
        client = self._client(identity, message.tenant_id)
        account = await self._accounts.of_number(client, message.to)
        [stored] = await self._receiver.receive(account, [message.event], body)
        pull = stored.job_id != stored.event_id
        waiting, estimate = self._positions.of(client.id, added=0 if stored.duplicate else 1, pull=pull)
        accepted = Accepted(
            status="accepted", job_id=stored.job_id, queue_position=waiting, estimated_processing_time=estimate
        )
        status = HTTPStatus.OK if stored.duplicate else HTTPStatus.ACCEPTED
        note = f"{message.event.kind} {'duplicate of ' if stored.duplicate else ''}{stored.event_id}"
        return Answer(status, msgspec.json.encode(accepted), note=note)

    def _identify(self, request: Request) -> Identity:
        headers = request.headers
        token = token_of(headers.get("authorization"), headers.get("x-api-key"))
        return self._auth.identify(token, address=request.address)

    def _client(self, identity: Identity, tenant_id: str | None) -> Client:
        directory = self._accounts.directory
        if identity.admin:
            if tenant_id is None:
                raise UnprocessableError("with the admin token, set tenant_id", field="tenant_id")
            return directory.client(tenant_id)
        client = directory.clients[identity.client_id or 0]
        if tenant_id is not None and tenant_id not in {client.slug, str(client.id)}:
            raise NotFoundError(f"no client {tenant_id[:100]!r}")
        return client
