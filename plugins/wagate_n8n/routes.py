"""``/queue``: take a job, tell how it went."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from quart import Blueprint

from wagate.hooks import Job, PluginContext, endpoint
from wagate.hooks import finish as go_on_without_client
from wagate_n8n.answers import JobState, NextJob, answer_of, linked, next_job, no_job
from wagate_n8n.queue import settings_of, target_of

PREFIX = "/queue"
LEASE = 60
"""Seconds of a lease when the worker does not say."""

Outcome: TypeAlias = Literal["completed", "failed", "queued"]
Tenant = Annotated[
    str, Meta(description="With the admin token: slug or id of the client; if omitted: any client's job.")
]
Lease = Annotated[
    int, Meta(ge=5, le=3600, description="Seconds to finish the job; after that it returns to the queue.")
]
Wait = Annotated[int, Meta(ge=0, le=60, description="Seconds to wait for a job when there is none.")]
LeaseId = Annotated[str, Meta(description="From the answer with the job; a stale one is refused.")]


class NextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /queue/next-job``."""

    tenant_id: Tenant | None = None
    wait: Wait = 0
    lease: Lease = LEASE


class FinishJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``PATCH /queue/job/{job_id}``."""

    status: Annotated[str, Meta(pattern="^(completed|failed|queued)$")]
    """completed counts once; failed is tried again until its attempts run out; queued gives the job back unspent."""
    result: Any = None
    """Any JSON, shown with the job."""
    error: str | None = None
    lease_id: LeaseId | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /queue/job/{job_id}/heartbeat``."""

    lease_id: LeaseId | None = None
    lease: Lease = LEASE


def make_routes(context: PluginContext) -> Blueprint:
    """All of ``/queue``."""
    blueprint = Blueprint(context.name, __name__, url_prefix=PREFIX)
    _add_taking(blueprint, context)
    _add_jobs(blueprint, context)
    return blueprint


def _add_taking(blueprint: Blueprint, context: PluginContext) -> None:
    @blueprint.get("/next-job")
    @endpoint(answers={200: NextJob}, problems=(404,), query=NextQuery)
    async def take(query: NextQuery) -> Any:
        """Take the next job under a lease, one job of a chat at a time; wait for one if asked to."""
        targets = _targets(context, query.tenant_id)
        job = await context.jobs.take(targets, wait=query.wait, lease=query.lease)
        return no_job(await context.jobs.waiting(targets)) if job is None else next_job(_linked(context, job))


def _add_jobs(blueprint: Blueprint, context: PluginContext) -> None:
    @blueprint.get("/job/<job_id>")
    @endpoint(answers={200: JobState}, problems=(404,))
    async def show(job_id: str) -> Any:
        """A job's state, by its id or its event's id."""
        return answer_of(_linked(context, await context.jobs.get(job_id, client_id=_scope(context))))

    @blueprint.patch("/job/<job_id>")
    @endpoint(answers={200: JobState}, problems=(404, 409), body=FinishJob)
    async def finish(job_id: str, body: FinishJob) -> Any:
        """Tell how a job went."""
        go_on_without_client()  # Its chat waits for what comes after the commit.
        job = await context.jobs.finish(
            job_id,
            client_id=_scope(context),
            status=cast(Outcome, body.status),
            lease_id=body.lease_id,
            result=body.result,
            error=body.error,
        )
        return answer_of(_linked(context, job))

    @blueprint.post("/job/<job_id>/heartbeat")
    @endpoint(answers={200: JobState}, problems=(404, 409), body=Heartbeat, body_optional=True)
    async def heartbeat(job_id: str, body: Heartbeat) -> Any:
        """Lengthen a job's lease, from now on."""
        job = await context.jobs.heartbeat(job_id, client_id=_scope(context), lease_id=body.lease_id, lease=body.lease)
        return answer_of(_linked(context, job))

    @blueprint.post("/job/<job_id>/retry")
    @endpoint(answers={200: JobState}, problems=(404, 409))
    async def retry(job_id: str) -> Any:
        """Queue a failed or expired job again, at the end of its chat."""
        go_on_without_client()
        return answer_of(_linked(context, await context.jobs.retry(job_id, client_id=_scope(context))))


def _targets(context: PluginContext, tenant: str | None) -> list[str]:
    """Whose jobs may be taken: the token's own client's; the admin's choice, or everyone's."""
    if tenant is None and context.auth.identity().admin:
        served = settings_of(context).serves
        return [target_of(each.id) for each in context.accounts.clients() if served(each.slug)]
    return [target_of(context.auth.owner(tenant).id)]


def _scope(context: PluginContext) -> int | None:
    return context.auth.identity().client_id


def _linked(context: PluginContext, job: Job) -> Job:
    """The job with its file where the worker can fetch it."""
    return replace(job, event=linked(context, job.event))
