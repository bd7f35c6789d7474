"""``/api/targets``: every place that deliveries go to, by name, and what can be done to one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType
from quart import Blueprint
from werkzeug.routing import BaseConverter

from wagate.context.targets import TargetDesk
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.views import Page
from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import TargetRow
from wagate.web.access.acts import name_of
from wagate.web.access.identity import RequestAuth
from wagate.web.api.lists import Limit


class TargetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver: a webhook, an inbox, a queue of jobs, a number's own sending."""

    id: str
    """``<connector>:<target>``."""
    connector: str
    """webhook, chatwoot, n8n …; ``outbound`` for what a number sends."""
    target: str
    """The connector's own id of it: a webhook's id …"""
    name: str
    """For people."""
    url: str
    """Its URL; empty if it has none."""
    client_id: int | None
    """Whose it is; null when nothing was ever sent there."""
    state: Standing
    """``failing``: its last try failed; ``down``: only probes are sent; ``paused`` by a person; ``disabled``."""
    waiting: int
    """Deliveries that are neither delivered nor given up."""
    oldest_waiting_at: datetime | None
    """When the oldest of them was stored."""
    failed: int
    """Failed permanently, of what was stored in the last 24 hours."""
    failing_since: datetime | None
    """First failure since the last success."""
    down_since: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    """Who paused it: ``admin``, or a client's slug."""
    next_probe_at: datetime | None
    """When it is tried again, while it is down."""
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    last_error: str | None


class TargetQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of which targets."""

    limit: Limit = 50
    cursor: str | None = None
    """`next_cursor` of the page before."""
    connector: str | None = None
    """webhook, n8n …"""
    state: Standing | UnsetType = UNSET


class RecoverRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far back."""

    since: Annotated[int, msgspec.Meta(ge=1, le=90 * 86400, description="seconds")] = 86400


class RecoverAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was replayed."""

    recovered: int
    """Deliveries that wait again, each at the end of its chat."""


class TargetConverter(BaseConverter):
    """A target's id in a path: it may have slashes, but does not end in the name of an act."""

    regex = r"[^/]+(?:/(?!(?:pause|resume|probe|recover)$)[^/]+)*"
    part_isolating = False


def targets_routes(auth: RequestAuth, targets: TargetDesk) -> Blueprint:
    """Targets: a client's token sees its own, the admin token all."""
    routes = Blueprint("targets", __name__, url_prefix="/api/targets")

    @routes.get("")
    @endpoint(query=TargetQuery, answers={200: Page[TargetAnswer]})
    async def index(query: TargetQuery) -> Page[TargetAnswer]:
        """All receivers, by id."""
        rows = await targets.page(
            client_id=auth.identity().client_id,
            connector=query.connector,
            state=None if query.state is UNSET else query.state,
            after=query.cursor,
            limit=query.limit + 1,
        )
        page = rows[: query.limit]
        return Page(data=[answer_of(row) for row in page], next_cursor=page[-1].id if len(rows) > len(page) else None)

    @routes.get("/<target:target_id>")
    @endpoint(answers={200: TargetAnswer})
    async def show(target_id: str) -> TargetAnswer:
        """One receiver."""
        return answer_of(await targets.get(target_id, client_id=auth.identity().client_id))

    @routes.post("/<target:target_id>/pause")
    @endpoint(answers={200: TargetAnswer}, act="pause")
    async def pause(target_id: str) -> TargetAnswer:
        """Send it nothing: what comes in waits in order, and nothing is given up, until it is resumed."""
        who = auth.identity()
        return _acted_on(await targets.pause(target_id, by=name_of(who), client_id=who.client_id))

    @routes.post("/<target:target_id>/resume")
    @endpoint(answers={200: TargetAnswer}, act="resume")
    async def resume(target_id: str) -> TargetAnswer:
        """End its pause. The time in which what waits may recover begins anew."""
        return _acted_on(await targets.resume(target_id, client_id=auth.identity().client_id))

    @routes.post("/<target:target_id>/probe")
    @endpoint(answers={200: TargetAnswer}, act="try now")
    async def probe(target_id: str) -> TargetAnswer:
        """If it is down, try it now. The answer does not wait for the outcome."""
        return _acted_on(await targets.probe(target_id, client_id=auth.identity().client_id))

    @routes.post("/<target:target_id>/recover")
    @endpoint(answers={200: RecoverAnswer}, body=RecoverRequest, body_optional=True, act="recover")
    async def recover(target_id: str, body: RecoverRequest) -> RecoverAnswer:
        """Resend what failed permanently there, in order."""
        row = await targets.get(target_id, client_id=auth.identity().client_id)
        count = await targets.recover(target_id, since=body.since, client_id=row.client_id)
        acts_on(row.id, owner=row.client_id, detail=f"{count} of the last {body.since} s")
        return RecoverAnswer(recovered=count)

    return routes


def _acted_on(row: TargetRow) -> TargetAnswer:
    acts_on(row.id, owner=row.client_id, detail=row.name)
    return answer_of(row)


def answer_of(row: TargetRow) -> TargetAnswer:
    """As the API shows it."""
    connector, _, own_id = row.id.partition(":")
    state = row.state
    return TargetAnswer(
        id=row.id,
        connector=connector,
        target=own_id,
        name=row.name,
        url=row.url,
        client_id=row.client_id,
        state=row.standing,
        waiting=row.waiting,
        oldest_waiting_at=row.oldest_at,
        failed=row.failed,
        failing_since=state.failing_since,
        down_since=state.down_since,
        paused_at=state.paused_at,
        paused_by=row.paused_by,
        next_probe_at=state.next_probe_at,
        last_success_at=state.last_success_at,
        last_attempt_at=state.last_attempt_at,
        last_error=state.last_error,
    )
