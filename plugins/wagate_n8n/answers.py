"""Jobs as workers see them (the engine's own format)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from wagate.events import Event, Media, shown_media
from wagate.hooks import DeliveryView, Job, PluginContext, RequestView

NO_JOBS = "no_jobs"
POLL_AGAIN = "5s"
NOTE = (
    "wagate sends no request: a worker takes the job, and gets this, with the lease's id and end beside it. The link to"
    " a file is new each day."
)
_PHONE = "@c.us"
_OPAQUE = "@user"
_SHOWN_ELSEWHERE = frozenset({"message", "inline_file", "file_follows", "_data"})


class JobPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What happened."""

    from_: str = msgspec.field(name="from")
    """``+`` and digits of a number, else the id that the provider gives."""
    to: str
    """Number of the account, in the form of ``from``."""
    message: str
    """Text, else caption, else ''; always a string."""
    content: dict[str, Any]
    """The message as an object: as it came, else ``{"text": …}``."""
    tenant_id: str
    contact_name: str | None
    timestamp: datetime
    message_id: str
    event: str
    """message, message.ack …"""
    type: str
    """text, image …"""
    chat: str
    """Key of the chat: groups end in @g.us."""
    session: str
    """Name of the account."""
    provider: str
    media: Media | None
    reply_to: str | None
    metadata: dict[str, Any]
    """The account's."""
    details: dict[str, Any]
    """What this kind of event brings: ack, reaction …"""


class NextJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job under a lease, or ``no_jobs`` with the length of the queue."""

    status: str
    """processing, or no_jobs."""
    job_id: str | UnsetType = UNSET
    payload: JobPayload | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    processing_started_at: datetime | UnsetType | None = UNSET
    lease_id: str | UnsetType | None = UNSET
    """Send it when you finish the job: a worker whose lease has expired is refused."""
    lease_until: datetime | UnsetType | None = UNSET
    """Not finished by then, the job returns to the queue."""
    attempt_count: int | UnsetType = UNSET
    """Attempts that failed before."""
    queue_size: int | UnsetType = UNSET
    """With no_jobs: jobs that wait behind one that is being worked on, or for their retry."""
    next_poll_recommended: str | UnsetType = UNSET
    """With no_jobs."""


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """A job's state."""

    job_id: str
    status: str
    """queued, processing, completed, failed or expired."""
    created_at: datetime
    processing_started_at: datetime | None
    """When it was last taken."""
    completed_at: datetime | None
    processing_duration_ms: int | None
    """From there to its completion."""
    lease_until: datetime | None
    attempt_count: int
    result: Any
    """What the worker said."""
    error: str | None
    payload: JobPayload


def no_job(queue_size: int) -> NextJob:
    """Nothing can be taken now."""
    return NextJob(status=NO_JOBS, queue_size=queue_size, next_poll_recommended=POLL_AGAIN)


def next_job(job: Job) -> NextJob:
    """A job just taken."""
    return NextJob(
        status=job.status,
        job_id=job.id,
        payload=payload_of(job.event),
        created_at=job.created_at,
        processing_started_at=job.started_at,
        lease_id=job.lease_id,
        lease_until=job.lease_until,
        attempt_count=job.attempt_count,
    )


def answer_of(job: Job) -> JobState:
    """A job's state."""
    return JobState(
        job_id=job.id,
        status=job.status,
        created_at=job.created_at,
        processing_started_at=job.started_at,
        completed_at=job.completed_at,
        processing_duration_ms=_duration(job),
        lease_until=job.lease_until,
        attempt_count=job.attempt_count,
        result=job.result,
        error=job.error,
        payload=payload_of(job.event),
    )


def payload_of(event: Event) -> JobPayload:
    """The event in the engine's own format. Whoever it does not name is the other side or our own number."""
    sent = event.extra.get("message")
    ours = f"{event.phone}{_PHONE}" if event.phone else ""
    return JobPayload(
        from_=address(event.sender or (ours if event.from_me else event.chat)),
        to=address(event.recipient or (event.chat if event.from_me else ours)),
        message=event.content,
        content=sent if isinstance(sent, dict) else {"text": event.content},
        tenant_id=event.tenant,
        contact_name=event.contact_name,
        timestamp=event.timestamp,
        message_id=event.message_id,
        event=event.kind,
        type=event.type,
        chat=event.chat,
        session=event.account,
        provider=event.provider,
        media=event.media,
        reply_to=event.reply_to,
        metadata=event.metadata,
        details={name: value for name, value in event.extra.items() if name not in _SHOWN_ELSEWHERE},
    )


def linked(context: PluginContext, event: Event) -> Event:
    """The event with its file where the worker can fetch it."""
    return replace(event, media=shown_media(event, context.media.url(event)))


async def show_request(context: PluginContext, delivery: DeliveryView) -> RequestView:
    """`Handler.request`: the job as a worker gets it."""
    body = {"job_id": delivery.id, "payload": payload_of(linked(context, delivery.event))}
    return RequestView(line="GET /queue/next-job", body=msgspec.json.encode(body).decode(), note=NOTE)


def address(chat: str) -> str:
    """A chat key as this format writes it: ``+1234567890`` for a number, the bare opaque id, else the key."""
    local = chat.removesuffix(_PHONE)
    if local != chat:
        return f"+{local}" if local.isdigit() else local
    return chat.removesuffix(_OPAQUE)


def _duration(job: Job) -> int | None:
    if job.started_at is None or job.completed_at is None:
        return None
    return round((job.completed_at - job.started_at).total_seconds() * 1000)
