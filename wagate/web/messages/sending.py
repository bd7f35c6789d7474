"""What every route that sends does: whose message it is, its file, its job, and how it went."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog
import trio

from wagate.context.deliveries import DeliveryLog
from wagate.errors import (
    BadGatewayError,
    ConflictError,
    NotFoundError,
    RequestError,
    SendError,
    SendRefusedError,
    UnprocessableError,
    WagateError,
)
from wagate.hooks.context import Accounts, Jobs, Messages
from wagate.hooks.contracts import ClientView
from wagate.hooks.messages import MessageView, OutFile, OutMedia, OutMessage, Signal
from wagate.http.errors import HttpError
from wagate.media.convert import Room
from wagate.media.files import Writing
from wagate.media.store import OF_FILE
from wagate.parsing.fields import mapping
from wagate.storage.outbox.sending import GIVEN_UP
from wagate.web.access.identity import RequestAuth
from wagate.web.messages.content import Draft

PATIENCE = 10.0
"""Seconds that a request waits for the provider."""
CHUNK = 64 * 1024
DONE = frozenset({"sent", "delivered", "read"})
"""Statuses of a message that the provider has taken."""

log = structlog.get_logger("wagate.api")


class Keep(Protocol):
    """`wagate.hooks.media.MediaStore.keep`."""

    def __call__(
        self, chunks: AsyncIterator[bytes], *, client_id: int, filename: str = "", mimetype: str = ""
    ) -> Awaitable[OutMedia]:
        """Take in a file to send."""


class FileOf(Protocol):
    """`wagate.media.store.Media.file_of`."""

    def __call__(self, message: OutMessage, client_id: int, fetch: bool = False) -> Awaitable[OutFile | None]:
        """The file of a message, ready."""


@dataclass(frozen=True, kw_only=True)
class SendingContext:
    """What sending needs beside the rest of the API."""

    messages: Messages
    keep: Keep
    jobs: Callable[[str], Jobs]
    """The jobs of a pull handler, by its name."""
    file_of: FileOf
    """`wagate.media.store.Media.file_of`."""
    room: Room
    """For files while they are converted."""
    check_link: Callable[[str], Awaitable[None]]
    """Raises HttpError when a file's URL leads where none may be sent."""


class JobDone(msgspec.Struct, frozen=True, kw_only=True):
    """The job that a message completes."""

    id: str
    lease_id: str | None = None


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A message that somebody asks to be sent."""

    draft: Draft
    client_id: int
    account: str | None = None
    """None: the chat's own, else one is chosen."""
    job: JobDone | None = None
    metadata: dict[str, Any] = {}
    key: str = ""
    """The same key of the same client is the same message, for ever; '' is none."""
    patience: float = PATIENCE
    """Seconds to wait for the provider."""


class Sending:
    """Sends for the running request."""

    def __init__(
        self,
        auth: RequestAuth,
        accounts: Accounts,
        deliveries: DeliveryLog,
        outbound: SendingContext,
    ) -> None:
        self.auth = auth
        self.accounts = accounts
        self.messages = outbound.messages
        self._outbound = outbound
        self._deliveries = deliveries

    def owner(self, *, account: str | None, tenant_id: str | None) -> ClientView:
        """Whose message it is.

        Raises:
            NotFoundError: no such client or account, or it is none of the token's.
            UnprocessableError: the admin token names neither.
        """
        if tenant_id or not self.auth.identity().admin:
            return self.auth.owner(tenant_id or None)
        if not account:
            detail = "with the admin token, set tenant_id or account"
            raise UnprocessableError(detail, field="tenant_id")
        found = self.accounts.get(account)
        client = self.accounts.client(found.client_id) if found is not None else None
        if client is None:
            raise NotFoundError(f"no account {account[:100]!r}")
        return client

    async def submit(self, asked: Submission) -> MessageView:
        """The message, once it is sent, failed or unknown, or the patience is over. It is committed in any case.

        Its job is completed when it did not fail; when that can't be done any more, ``warnings`` says so.

        Raises:
            NotFoundError: no such account or job of this client.
            ConflictError: the job is final, was not taken, or its lease is stale. Nothing was sent.
            UnprocessableError: the provider can't do this; it names provider and ability. Or the file's URL is refused.
            TooLargeError: the file.
        """
        account = self.accounts.get(asked.account) if asked.account else None
        if asked.account and (account is None or account.client_id != asked.client_id):
            raise NotFoundError(f"no account {asked.account[:100]!r}")
        await self._check_link(asked.draft)
        jobs = await self._check_job(asked) if asked.job is not None else None
        message = asked.draft.message
        if asked.draft.file:
            told = message.media or OutMedia()
            kept = await self._outbound.keep(
                _chunks(asked.draft.file), client_id=asked.client_id, filename=told.filename, mimetype=told.mimetype
            )
            message = msgspec.structs.replace(message, media=kept)
        view = await self.messages.send(
            message,
            client_id=asked.client_id,
            account=asked.account or None,
            job_id=asked.job.id if asked.job is not None else None,
            key=asked.key,
            metadata=asked.metadata,
        )
        if asked.patience > 0 and (view.status in {"queued", "sending"} or view.part is not None):
            view = await self._waited(view, asked)
        if jobs is not None and view.status != "failed":
            view = await self._complete(asked, jobs, view)
        return view

    async def _waited(self, view: MessageView, asked: Submission) -> MessageView:
        """The message when its patience is over or it is known what became of it; of several parts, of all of them."""
        parts, began = [view.id, *(view.part.rest if view.part is not None else ())], trio.current_time()
        for number, id_ in enumerate(parts, 1):
            left = max(asked.patience - (trio.current_time() - began), 0.0)
            found = await self.messages.wait(id_, client_id=asked.client_id, seconds=left)
            if number == 1:
                view = found
            if found.status not in DONE:
                which = f" (part {number} of {len(parts)})" if len(parts) > 1 and found.error else ""
                error = f"{found.error}{which}" if found.error else None
                return msgspec.structs.replace(view, status=found.status, error=error, error_code=found.error_code)
        return view

    async def signal(self, signal: Signal, *, client_id: int, account: str | None) -> None:
        """Tell a chat something that is no message. NotFoundError, UnprocessableError, BadGatewayError."""
        try:
            await self.messages.signal(signal, client_id=client_id, account=account)
        except SendError as error:
            raise refused(error) from error

    async def revoke(self, message_id: str) -> None:
        """Take a message back from everyone. NotFoundError, ConflictError, UnprocessableError, BadGatewayError."""
        try:
            await self.messages.revoke(message_id, client_id=self.auth.identity().client_id)
        except SendError as error:
            raise refused(error) from error

    async def file_at_hand(self, draft: Draft, *, client_id: int) -> OutFile:
        """The file of a message that goes past the outbox, on this machine. UnprocessableError, BadGatewayError."""
        await self._check_link(draft)
        message = draft.message
        media = message.media or OutMedia()
        if draft.file:
            media = await self._outbound.keep(
                _chunks(draft.file), client_id=client_id, filename=media.filename, mimetype=media.mimetype
            )
        try:
            found = await self._outbound.file_of(msgspec.structs.replace(message, media=media), client_id, fetch=True)
        except SendError as error:
            raise refused(error, field=draft.link_at) from error
        if found is None or found.path is None:
            raise UnprocessableError("the file could not be fetched", field="file")
        return found

    def room(self) -> AbstractAsyncContextManager[Writing]:
        """A file that is gone after the block."""
        return self._outbound.room()

    async def edit(self, message_id: str, text: str) -> None:
        """Change a message's text. NotFoundError, ConflictError, UnprocessableError, BadGatewayError."""
        try:
            await self.messages.edit(message_id, text, client_id=self.auth.identity().client_id)
        except SendError as error:
            raise refused(error) from error

    async def _check_link(self, draft: Draft) -> None:
        """Providers fetch links themselves, and one in the operator's network would fetch what only it can reach."""
        media = draft.message.media
        if media is not None and media.url:
            try:
                await self._outbound.check_link(media.url)
            except HttpError as error:
                raise UnprocessableError(str(error), field=draft.link_at) from error

    async def _check_job(self, asked: Submission) -> Jobs:
        """The jobs that it is one of; refused before anything is sent."""
        assert asked.job is not None
        scope = self.auth.identity().client_id
        found = await self._deliveries.get(asked.job.id, client_id=scope)
        if found.mode != "pull" or found.event.client_id != asked.client_id:
            raise NotFoundError("no such job")
        jobs = self._outbound.jobs(found.handler)
        job = await jobs.get(found.id, client_id=scope)
        again = asked.key and mapping(job.result).get("key") == asked.key
        if job.status in {"completed", "failed", "expired"} and not again:
            raise ConflictError(f"the job is already final: {job.status}", field="job_id")
        if job.started_at is None:
            raise ConflictError("the job has not been taken; take it first", field="job_id")
        lease = asked.job.lease_id
        if lease and not again and (lease != job.lease_id or job.status != "processing"):
            raise ConflictError(
                "the lease has expired and the job went back to the queue; take it again", field="lease_id"
            )
        return jobs

    async def _complete(self, asked: Submission, jobs: Jobs, view: MessageView) -> MessageView:
        assert asked.job is not None
        result = {
            "message_sent": view.sent_at is not None,
            "response_message_id": view.message_id,
            "id": view.id,
            "key": asked.key or None,
        }
        try:
            await jobs.finish(
                asked.job.id,
                client_id=self.auth.identity().client_id,
                status="completed",
                lease_id=asked.job.lease_id or None,
                result=result,
            )
        except WagateError as error:
            # The message is on its way: an error now would have it sent twice.
            log.warning("job not completed", job_id=asked.job.id, message_id=view.id, error=str(error))
            return msgspec.structs.replace(view, warnings=[*view.warnings, f"the job was not completed: {error}"])
        return view


def check_not_failed(view: MessageView, draft: Draft) -> None:
    """Raise what a failed message is answered: 422 when it was refused, 502 when it was given up."""
    if view.status != "failed":
        return
    reason = view.error or "the provider did not take the message"
    kind = BadGatewayError if reason.startswith(GIVEN_UP) else UnprocessableError
    field = draft.link_at if reason.startswith(OF_FILE) else ""
    raise _with(kind(reason, field=field or None), code=view.error_code or "", id=view.id)


def refused(error: SendError, *, field: str = "") -> RequestError:
    """What a provider's refusal is answered: 422 when it said no, else 502. ``field``: what a no is about."""
    if isinstance(error, SendRefusedError):
        return _with(UnprocessableError(error.reason, field=field or None), code=error.code)
    return _with(BadGatewayError(error.reason), code=error.code)


def _with(error: RequestError, **members: str) -> RequestError:
    error.members = members
    return error


async def _chunks(file: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(file), CHUNK):
        yield file[start : start + CHUNK]


def patience_of(prefer: str) -> tuple[float, Mapping[str, str]]:
    """How long the ``Prefer`` header lets a request wait, and the headers that say so (RFC 7240)."""
    wanted = {name.strip().lower(): value.strip() for name, _, value in map(_parted, prefer.split(","))}
    seconds = wanted.get("wait", "")
    if seconds.isascii() and seconds.isdigit():
        return min(float(seconds[:3]), PATIENCE), {"Preference-Applied": f"wait={seconds}"}
    if "respond-async" in wanted:
        return 0.0, {"Preference-Applied": "respond-async"}
    return PATIENCE, {}


def _parted(preference: str) -> tuple[str, str, str]:
    return preference.partition(";")[0].partition("=")
