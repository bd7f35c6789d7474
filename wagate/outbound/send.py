"""The handler of messages on their way out, whose targets are the accounts: a connector like any other, with a pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from wagate.errors import (
    AccountStoppedError,
    DeliveryError,
    NotFoundError,
    NotSentError,
    Postpone,
    Reject,
    Retry,
    SendError,
    SendRefusedError,
)
from wagate.hooks.contracts import Delivery, Handler, Receipt
from wagate.hooks.messages import OutMessage
from wagate.hooks.providers import SendLimits
from wagate.outbound.announce import FIXED, message_of
from wagate.outbound.choose import Failing, candidates, sendable
from wagate.outbound.context import OUTBOUND, OutboundContext
from wagate.outbound.handover import Handover, written
from wagate.outbound.new_chats import NewChats
from wagate.rate import TokenBuckets
from wagate.rules.states import SLOWER
from wagate.storage.outbox.messages import MessageRow, get_message
from wagate.storage.outbox.sending import LOST, Ended, write_ended
from wagate.storage.owners.directory import Account

IN_PLACE = 1.0
"""Seconds that a message waits for its turn while it is being handled; for longer ones it gives its slot back."""
SLOW_CHAT = 6.0
"""Seconds that a chat pauses when its provider says slower and not for how long."""
SLOW_ACCOUNT = 30.0
LOOK_AGAIN = 60.0
"""Seconds to the first probe of an account that somebody has to mend."""
PART_WAIT = 5.0
"""Seconds until a part of a text looks again whether the one before it has left."""
TIMEOUT = 115.0
"""Seconds for all accounts that may be tried for one message: less than a probe may take."""
MOST = 10_000
"""Turns and pauses that are kept; when there are more, those that are over go."""
FORGET = 60.0
"""Seconds after which a turn that nobody took is forgotten."""


class _Record(TypedDict):
    """What a provider answered, for the attempt's record."""

    http_status: int | None
    response: str | None


class Sender:
    """Sends what is due."""

    def __init__(self, context: OutboundContext, hand_over: Handover, *, given_up: Callable[[], None]) -> None:
        """``given_up`` is called when a message failed permanently: its connectors are to be told."""
        self._context = context
        self._hand_over = hand_over
        self._given_up = given_up
        self._limits = Limits()
        self._new_chats = NewChats(context, hand_over.changed)
        self._failing = Failing(context.clock)

    @property
    def handler(self) -> Handler:
        """What the consumers call. Its deliveries are made by `Outbox.send` alone."""
        return Handler(name=OUTBOUND, targets=lambda _event: (), handle=self.handle, timeout=TIMEOUT, lasting=True)

    async def handle(self, delivery: Delivery) -> Receipt | None:
        """Send the message of one delivery, or find out what became of it.

        Raises Retry, Reject, Postpone.
        """
        try:
            row = await self._context.database.read(get_message, delivery.event.message_id)
        except NotFoundError as error:
            raise Reject("the message was deleted: retention.events is shorter than its wait") from error
        match row.status:
            case "queued":
                return await self._first_of(row, delivery)
            case "sending":
                return await self._once_more(row)
            case "failed":
                raise Reject(row.error or "failed")
            case "unknown":
                raise Reject(f"outcome unknown: {row.error}")
            case _:
                return Receipt()

    async def _first_of(self, row: MessageRow, delivery: Delivery) -> Receipt | None:
        """Try one account after the other, as long as it certainly was not sent."""
        message = message_of(row)
        await self._check_before(row, message)
        errors: dict[str, SendError] = {}
        for account in await self._accounts(row, message, delivery):
            limits = self._context.providers.limits(account)
            # The line of an account that only steps in is not for it: its own may work again sooner.
            if not await self._new_chats.may_begin(row, account, limits, waits=account.id == delivery.target):
                continue
            await self._wait_turn(row, account)
            try:
                receipt = await self._hand_over(row, message, account)
            except (NotSentError, AccountStoppedError) as error:
                errors[account.id] = error
                await self._new_chats.went(row, account, sent=False)
                if isinstance(error, NotSentError) and error.slow:
                    break
                self._failing.note(account.id)
            except SendError as error:
                await self._new_chats.went(row, account, sent=not isinstance(error, SendRefusedError))
                raise self._verdict(error, account.id, row.chat) from error
            else:
                await self._new_chats.went(row, account, sent=True)
                self._failing.forget(account.id)
                return receipt
        # What is wrong with the account that the chat waits for decides what happens to that account.
        which = delivery.target if delivery.target in errors else next(iter(errors))
        raise self._verdict(errors[which], which, row.chat) from errors[which]

    async def _check_before(self, row: MessageRow, message: OutMessage) -> None:
        """A part of a text goes only after the one before it.

        Raises:
            Reject: that one was not sent, so this one fails, too. Postpone: that one waits still.
        """
        part = message.part
        if part is None or not part.after:
            return
        try:
            before = await self._context.database.read(get_message, part.after)
        except NotFoundError:
            return  # past retention
        if before.status == "failed":
            reason = f"part {part.number - 1} of {part.of} was not sent: {before.error}"
            await self._write("failed", reason, row)
            self._given_up()
            raise Reject(reason)
        if before.status in {"queued", "sending"}:  # with order = "skip" chats go on over what waits
            raise Postpone("the part before it is still waiting", after=PART_WAIT, own=True)

    async def _once_more(self, row: MessageRow) -> Receipt | None:
        """A try of it broke off. Only a provider that drops repeats gets it again, through the same account."""
        account = self._context.live.now.by_id.get(row.account_id)
        provider = self._context.providers.get(row.provider)
        if account is None or provider is None or not provider.idempotent or account.provider != row.provider:
            await self._write("unknown", LOST, row)
            raise Reject(f"outcome unknown: {LOST}")
        await self._wait_turn(row, account)
        try:
            return await self._hand_over(row, message_of(row), account)
        except SendError as error:
            raise self._verdict(error, account.id, row.chat) from error

    async def _accounts(self, row: MessageRow, message: OutMessage, delivery: Delivery) -> list[Account]:
        context = self._context
        first = context.live.now.by_id.get(delivery.target)
        if first is None or first.client_id != row.client_id:
            await self._write("failed", f"the account {row.account!r} is gone", row)
            self._given_up()
            raise Reject(f"the account {row.account!r} is gone")
        if delivery.event.extra.get(FIXED):
            return [first]
        others = sendable(context.live.now, context.providers, row.client_id)
        return candidates(first, others, message, providers=context.providers, failing=self._failing)

    async def _wait_turn(self, row: MessageRow, account: Account) -> None:
        """Until its account and its chat may send again. Postpone: that takes longer."""
        limits = self._context.providers.limits(account)
        clock = self._context.clock
        while seconds := self._limits.turn(row.id, account.id, row.chat, limits, clock.monotonic()):
            if seconds > IN_PLACE:
                raise Postpone("waits for its turn", after=seconds)
            await clock.sleep(seconds)

    def _verdict(self, error: SendError, account: str, chat: str) -> DeliveryError:
        """What the consumers are told: put off, again by the schedule, held until the account works, or over."""
        now = self._context.clock.monotonic()
        record: _Record = {"http_status": error.http_status, "response": error.response}
        match error:
            case NotSentError(slow="chat"):
                after = error.after or SLOW_CHAT
                self._limits.slow(account, chat, now + after)
                return Postpone(error.reason, after=after)
            case NotSentError(slow="account"):
                after = error.after or SLOW_ACCOUNT
                self._limits.slow(account, "", now + after)
                return Postpone(error.reason, after=after, slow=error.http_status in SLOWER)
            case NotSentError():
                return Retry(error.reason, after=error.after, **record)
            case AccountStoppedError():
                return Retry(error.reason, after=LOOK_AGAIN, down=True, **record)
            case SendRefusedError():
                self._given_up()
                return Reject(error.reason, **record)
        known = self._context.live.now.by_id.get(account)
        provider = self._context.providers.get(known.provider) if known is not None else None
        idempotent = provider is not None and provider.idempotent
        return Retry(error.reason, **record) if idempotent else Reject(f"outcome unknown: {error.reason}", **record)

    async def _write(self, status: str, reason: str, row: MessageRow) -> None:
        context = self._context
        ended = Ended(id=row.id, status=status, error=reason, code="", now=context.clock.now())
        await written(lambda: context.database.write(write_ended, ended), context.clock, message_id=row.id)
        self._hand_over.changed(row.id)


@dataclass
class Limits:
    """Of this process. Times are seconds of a clock that never steps back."""

    _buckets: TokenBuckets = field(default_factory=TokenBuckets)
    """Of accounts, and of chats of accounts."""
    _turns: dict[str, float] = field(default_factory=dict)
    """Message → when it may go."""
    _slow: dict[str, float] = field(default_factory=dict)
    """Account, or chat of an account → until when it pauses."""

    def turn(self, message_id: str, account: str, chat: str, limits: SendLimits, now: float) -> float:
        """Seconds until this message may go; 0: now, and its turn is used up.

        A turn that is ahead is kept: the same message asks again when it has come. So chats that wait take turns.
        """
        pause = max(self._slow.get(account, now), self._slow.get(_lane(account, chat), now)) - now
        if pause > 0:
            return pause
        at = self._turns.get(message_id)
        if at is None:
            at = self._reserve(_lane(account, chat), limits.chat_per_second, limits.chat_burst, now)
            at = max(at, self._reserve(account, limits.per_second, limits.burst, now))
        if at > now:
            self._turns[message_id] = at
            self._prune(now)
            return at - now
        self._turns.pop(message_id, None)
        return 0.0

    def slow(self, account: str, chat: str, until: float) -> None:
        """Pause an account (``chat`` '') or one chat of it."""
        name = _lane(account, chat) if chat else account
        self._slow[name] = max(until, self._slow.get(name, until))

    def _reserve(self, bucket: str, per_second: float, burst: int, now: float) -> float:
        """When one more may go; it counts from now on."""
        if per_second <= 0:
            return now
        return self._buckets.take(bucket, interval=1 / per_second, burst=max(burst or int(per_second), 1), now=now)

    def _prune(self, now: float) -> None:
        if len(self._turns) > MOST:
            self._turns = {name: at for name, at in self._turns.items() if at > now - FORGET}
        if len(self._slow) > MOST:
            self._slow = {name: at for name, at in self._slow.items() if at > now}


def _lane(account: str, chat: str) -> str:
    return f"{account}|{chat}"
