"""Hand one message to one account's provider, and write down before and after how far it got."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import (
    AccountStoppedError,
    NoAnswerError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PluginError,
    SendError,
    SendRefusedError,
    StorageError,
    UnprocessableError,
)
from wagate.hooks.contracts import Receipt
from wagate.hooks.messages import OutFile, OutMessage, Sent
from wagate.hooks.providers import Outgoing, Provider
from wagate.http import on_behalf_of
from wagate.http.errors import HttpError, TimedOutError
from wagate.outbound import announce
from wagate.outbound.abilities import fit
from wagate.outbound.context import FileOf, OutboundContext, VoiceOf
from wagate.outbound.observed import Observed, SendMetrics
from wagate.plugins.wall import leaves, whose
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.outbox.sending import Began, Ended, Took, begin_sending, write_ended, write_sent
from wagate.storage.owners.directory import Account

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that a provider may take, an upload included."""

log = structlog.get_logger("wagate.message")
FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
WRITE_PATIENCE = 30.0
"""Seconds that one write may take."""

write_log = structlog.get_logger("wagate.outbound")


@dataclass(frozen=True, kw_only=True)
class Handover:
    """How messages are handed over."""

    context: OutboundContext
    file_of: FileOf
    voice_of: VoiceOf
    metrics: SendMetrics
    observed: Observed
    changed: Callable[[str], None]
    """Called with the id of a message when something became of it that people wait for."""

    async def __call__(self, row: MessageRow, message: OutMessage, account: Account) -> Receipt | None:
        """Send it; None: somebody else decided about it meanwhile.

        Raises:
            NotSentError, AccountStoppedError: certainly not sent; the message is queued again.
            SendRefusedError: never will be; the message failed.
            OutcomeUnknownError: nobody knows. The message is unknown; with an idempotent provider it is still sending,
                to be handed to the same account again.
        """
        provider = self.context.providers.need(account.provider)
        try:
            outgoing = await self._prepare(provider, row, message, account)
        except SendError as error:
            await self._failed(error, row, account, provider, began=False, seconds=0.0)
            raise
        began = Began(
            id=row.id,
            status=row.status,
            account=account.name,
            account_id=account.id,
            provider=provider.name,
            now=self.context.clock.now(),
        )
        if not await self.context.database.write_bulk(begin_sending, began):
            return None
        started = time.perf_counter()
        try:
            with on_behalf_of(row.client_id):
                sent = await _send(provider, outgoing)
        except SendError as error:
            await self._failed(error, row, account, provider, began=True, seconds=time.perf_counter() - started)
            raise
        await self._sent(sent, row, account, provider, time.perf_counter() - started)
        return Receipt(http_status=sent.http_status, response=sent.response)

    async def _prepare(self, provider: Provider, row: MessageRow, message: OutMessage, account: Account) -> Outgoing:
        """All that is needed; nothing has left yet when this fails, so its errors are certain."""
        try:
            seen = self.context.providers.account(account)
        except (UnprocessableError, PluginError) as error:
            raise AccountStoppedError(str(error)) from error
        try:
            fitted, _ = fit(provider, message)
            if fitted.type == "voice" and provider.opus_voice:
                fitted, _ = fit(provider, await self._held(self.voice_of(fitted, row.client_id), fitted))
            file = await self._file(fitted, row.client_id, provider.self_hosted)
        except UnprocessableError as error:
            raise SendRefusedError(error.detail) from error
        return Outgoing(id=row.id, message=fitted, account=seen, file=file, attempt=row.attempts + 1)

    async def _file(self, message: OutMessage, client_id: int, fetch: bool) -> OutFile | None:
        if message.media is None:
            return None
        return await self._held(self.file_of(message, client_id, fetch), message)

    async def _held(self, making: Awaitable[T], message: OutMessage) -> T:
        """What is made of a message's file; all that fails is certain: nothing has left."""
        try:
            return await making
        except NotFoundError as error:
            raise SendRefusedError(error.detail) from error
        except (SendError, UnprocessableError):
            raise
        except Exception as error:
            log.exception("file not made ready", message_type=message.type)
            raise NotSentError(f"its file could not be prepared: {type(error).__name__}") from error

    async def _sent(self, sent: Sent, row: MessageRow, account: Account, provider: Provider, seconds: float) -> None:
        self.observed.sent(account.id)
        now = self.context.clock.now()
        took = Took(
            id=row.id,
            account=account.name,
            account_id=account.id,
            provider=provider.name,
            provider_id=sent.message_id,
            intake=announce.sent(account, row, sent.message_id, self.context.router, now=now),
            now=now,
        )
        stored = await written(
            lambda: self.context.database.write_bulk(write_sent, took), self.context.clock, message_id=row.id
        )
        if stored is not None:
            self.context.ring([stored])
        self._note("sent", row, account, provider, seconds, http_status=sent.http_status)

    async def _failed(
        self, error: SendError, row: MessageRow, account: Account, provider: Provider, *, began: bool, seconds: float
    ) -> None:
        self.observed.failed(account.id, error, asked=began)
        status = _status_after(error, provider, row.status)
        ended = Ended(
            id=row.id,
            status=status,
            error=error.reason,
            code=error.code,
            window=isinstance(error, SendRefusedError) and error.window,
            now=self.context.clock.now(),
        )
        if began or status == "failed":  # before that, nothing has changed
            database = self.context.database
            await written(lambda: database.write(write_ended, ended), self.context.clock, message_id=row.id)
        certain = isinstance(error, NotSentError | AccountStoppedError)
        became = "not sent" if certain else "unknown" if status == "sending" else status
        self._note(
            became, row, account, provider, seconds, http_status=error.http_status, error=error.reason, code=error.code
        )

    def _note(
        self,
        outcome: str,
        row: MessageRow,
        account: Account,
        provider: Provider,
        seconds: float,
        *,
        http_status: int | None,
        error: str | None = None,
        code: str = "",
    ) -> None:
        self.metrics.tried(provider.name, outcome, seconds)
        self.changed(row.id)
        log.info(
            "message",
            message_id=row.id,
            client_id=row.client_id,
            account=account.name,
            provider=provider.name,
            type=row.type,
            source=row.source,
            outcome=outcome,
            attempt=row.attempts + 1,
            http_status=http_status,
            error=error,
            code=code or None,
            ms=round(seconds * 1000),
        )


async def _send(provider: Provider, outgoing: Outgoing) -> Sent:
    """The provider's answer, or what is certain without one."""
    if provider.send is None:
        raise NotSentError(f"{provider.name} can't send messages")
    try:
        with trio.fail_after(PATIENCE):
            return await provider.send(outgoing)
    except trio.TooSlowError as error:
        raise OutcomeUnknownError(f"no answer from {provider.name} within {PATIENCE:g} s") from error
    except Exception as error:
        said = as_send_error(error)
        if isinstance(said, OutcomeUnknownError) and said is not error:
            log.warning(
                "send broke off",
                message_id=outgoing.id,
                provider=provider.name,
                **whose(error),
                exc_info=error,
            )
        raise said from error


def _status_after(error: SendError, provider: Provider, before: str) -> str:
    match error:
        case NotSentError() | AccountStoppedError():
            # Of an earlier try nobody knows: it stays with its account and its provider.
            return before
        case SendRefusedError():
            return "failed"
        case _:
            return "sending" if provider.idempotent else "unknown"


def as_send_error(error: BaseException) -> SendError:
    """A foreign error as what is certain after it; a SendError is what it says.

    A request that certainly did not leave was not sent. All else may have been.
    """
    said = next((each for each in leaves(error) if isinstance(each, SendError | HttpError)), error)
    match said:
        case SendError():
            return said
        case HttpError(sent=False):
            return NotSentError(said.reason)
        case TimedOutError():
            return NoAnswerError(said.reason)
        case HttpError():
            return OutcomeUnknownError(said.reason)
        case PluginError():
            return OutcomeUnknownError(str(said))
        case _:
            return OutcomeUnknownError(f"the provider's code failed: {type(said).__name__}")


async def written(write: Callable[[], Awaitable[T]], clock: Clock, *, message_id: str) -> T:
    """What ``write`` returns, once the database takes it; between two tries it can be cancelled."""
    wait = FIRST_WAIT
    while True:
        try:
            # Also at a stop: the provider has decided, and only this says so.
            with trio.fail_after(WRITE_PATIENCE, shield=True):
                return await write()
        except (StorageError, trio.TooSlowError) as error:
            write_log.warning("message not written yet", message_id=message_id, reason=str(error), wait=wait)
        await clock.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
