"""Who did what by API: each act that a route names is written down once it is done."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from quart import Response, g, request

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.hooks.contracts import Identity
from wagate.hooks.routes import Done, done_by_request
from wagate.storage.audit import Act, write_act
from wagate.storage.database import Database
from wagate.web.access.identity import WITHIN
from wagate.web.http.asgi import Networks, client_address

log = structlog.get_logger("wagate.api")

ADMIN = "admin"
STORED = "act_stored"
LONGEST = 500
"""Characters of a detail."""


class ActLog:
    """Writes acts into the audit. Pages of the dashboard write their own, in their own words."""

    def __init__(self, database: Database, clock: Clock, trusted_proxies: Networks) -> None:
        self._database = database
        self._clock = clock
        self._trusted_proxies = trusted_proxies

    async def after_request(self, response: Response) -> Response:
        """The act of the running request, if it did one. What could not be written down is in the log."""
        done, identity = done_by_request(), g.get("identity")
        if (
            done is None
            or identity is None
            or response.status_code >= HTTPStatus.BAD_REQUEST
            or WITHIN in request.scope
            or g.get(STORED)
        ):
            return response
        act = self._act(done, identity)
        try:
            await self._database.write(write_act, act)
        except StorageError as error:
            log.warning("act not written down", who=act.who, action=act.action, object=act.object, reason=str(error))
        return response

    def _act(self, done: Done, identity: Identity) -> Act:
        return Act(
            client_id=identity.client_id if done.owner is None else done.owner,
            who=name_of(identity),
            action=done.act,
            object=done.thing or "/".join(str(each) for each in (request.view_args or {}).values()),
            detail=done.detail[:LONGEST],
            address=address_of(self._trusted_proxies),
            created_at=self._clock.now(),
        )


def act_stored() -> None:
    """Say that the running request's act was written down in the transaction that did it."""
    setattr(g, STORED, True)


def address_of(trusted_proxies: Networks) -> str:
    """Where the running request comes from."""
    return client_address(request.scope, request.headers.get("X-Forwarded-For"), trusted_proxies)


def name_of(identity: Identity) -> str:
    """For the audit: ``admin``, or the client's slug."""
    return ADMIN if identity.admin else identity.tenant or "?"
