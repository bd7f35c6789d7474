"""Try one delivery: run its handler, settle, write down, say what the queue is to do with its key."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from msgspec.structs import replace

from wagate.clock import Clock
from wagate.consumers.attempt import attempt
from wagate.consumers.flights import Flights
from wagate.consumers.memory import Memory
from wagate.consumers.metrics import ConsumerMetrics
from wagate.consumers.pool import Hand, Pool
from wagate.consumers.rates import Rates
from wagate.consumers.recorder import Recorder
from wagate.consumers.spool import outcome_of
from wagate.errors import PluginError, StorageError
from wagate.hooks.contracts import Delivery, Handler
from wagate.inbound.route import Router, unrouted
from wagate.queue.results import Ack, Delay, Park, Release, Result
from wagate.rules.admit import BURIED
from wagate.rules.settle import too_old, waited_too_long
from wagate.rules.states import Accepted, Failed, Happened, Killed, Policy, Postponed, Rejected, Settled, Status, Try
from wagate.storage.deliveries.lanes import Head
from wagate.storage.deliveries.outcomes import Outcome
from wagate.storage.deliveries.targets import Owner
from wagate.storage.events.intake import StoredDelivery

log = structlog.get_logger("wagate.delivery")

STUCK = 3600.0
"""Seconds between looks at a key whose head needs attention; whoever runs it again or cancels it rings."""
BROKEN = 30.0
"""Seconds a key waits when we failed ourselves."""

Ring = Callable[[Sequence[StoredDelivery]], Awaitable[None]]


class Deliverer:
    """Tries deliveries, one call each. Its methods return what the queue is told; Cancelled leaves the key in hand."""

    def __init__(
        self,
        *,
        handlers: Mapping[str, Handler],
        router: Router,
        policy: Policy,
        clock: Clock,
        pool: Pool,
        rates: Rates,
        recorder: Recorder,
        flights: Flights,
        metrics: ConsumerMetrics,
        ring: Ring,
        turned: Callable[[], None],
        switched_off: Callable[[], Awaitable[None]],
        done: Callable[[int, float], None],
        tried: Callable[[str, int, float | None], None],
        silent: Callable[[str], bool],
        memory: Memory,
    ) -> None:
        """``ring`` tells of new deliveries; ``turned`` is called when a target went down or came up.

        ``switched_off`` is called when an answer switched its endpoint off: what comes in now is not for it.
        ``done`` takes the client and the seconds since it came in, of each delivery done.
        ``tried`` takes target, client, and the seconds since it came in (None: it failed), of each try.
        ``silent`` says whether others may take us for dead, who had this key.
        """
        self._silent = silent
        self._memory = memory
        self._handlers = handlers
        self._router = router
        self._policy = policy
        self._clock = clock
        self._pool = pool
        self._rates = rates
        self._recorder = recorder
        self.flights = flights
        self._metrics = metrics
        self._ring = ring
        self._turned = turned
        self._switched_off = switched_off
        self._done = done
        self._tried = tried

    def seconds(self, head: Head) -> float:
        """How long one try may take."""
        return self._rates.limits(head.target_id).timeout or self._handlers[head.handler].timeout

    async def deliver(self, hand: Hand, head: Head) -> Result:
        """Try it."""
        return await self._guarded(hand, head, probe=False, buried=False)

    async def probe(self, hand: Hand, head: Head) -> Result:
        """Try it at a target that is down; `Pool.may_probe` said so."""
        try:
            return await self._guarded(hand, head, probe=True, buried=False)
        finally:
            self._pool.probed(hand.bucket)

    async def bury(self, hand: Hand, head: Head) -> Result:
        """Hold it for somebody without trying: whoever tried it died."""
        return await self._guarded(hand, head, probe=False, buried=True)

    async def _guarded(self, hand: Hand, head: Head, *, probe: bool, buried: bool) -> Result:
        if self._silent(hand.key) and not buried:
            # We stood still: the key may be another process's by now. The next pump knows.
            self._pool.unused(hand)
            await self.flights.put_back(head)
            self._pool.give_back(hand)
            return Release(key=hand.key, token=hand.token)
        try:
            told = await self._try(hand, head, probe=probe, buried=buried)
        except Exception:
            self._memory.forget(head.target_id)
            log.exception("delivery could not be settled", delivery_id=head.id, target=head.target_id)
            told = Delay(key=hand.key, token=hand.token, after=BROKEN)
        self._pool.drop(hand)
        return told

    async def _try(self, hand: Hand, head: Head, *, probe: bool, buried: bool) -> Result:
        started, began = self._clock.now(), time.perf_counter()
        with self.flights.flight(head):
            happened = Killed(error=BURIED) if buried else await self._run(head)
        if not isinstance(happened, Accepted):
            self._memory.forget(head.target_id)
        if happened is None:
            self._pool.unused(hand)
            return Ack(key=hand.key, token=hand.token, more=True)
        self._pace(head.target_id, happened)
        if isinstance(happened, Failed | Postponed) and too_old(head, head.target, self._policy, self._clock.now()):
            # It may have been given more time since it was loaded, or be about to be.
            head = replace(head, expires_at=await self._recorder.end_of(head.id))
        if isinstance(happened, Postponed):
            too_long = waited_too_long(happened, head, head.target, self._policy, self._clock.now())
            if too_long is None:
                if happened.own:
                    # The target was not asked: another one shows how it is.
                    self._pool.unused(hand)
                await self.flights.put_back(head)
                return Delay(key=hand.key, token=hand.token, after=happened.after, tried=True)
            happened = too_long
        seconds = time.perf_counter() - began
        tried = Try(
            happened=happened,
            delivery=head,
            started=started,
            now=self._clock.now(),
            probe=probe,
            chance=random.random(),  # noqa: S311  (jitter)
        )
        settled = await self._recorder.write_down(self._outcome(head, tried, seconds), tried)
        self.flights.written(head)
        if settled is not None and settled.status == Status.DELIVERED:
            self._memory.delivered(head)
        else:
            self._memory.forget(head.target_id)
        self._tell(hand, head, settled)
        self._log(head, tried, settled, seconds)
        if isinstance(happened, Rejected) and happened.disable:
            await self._announce_off(head)
        return self._result(hand, head, settled)

    def _pace(self, target_id: str, happened: Happened | Postponed) -> None:
        match happened:
            case Accepted():
                self._rates.accepted(target_id)
            case Failed(slow=True, after=after) | Postponed(slow=True, after=after):
                self._rates.slowed(target_id, after)

    def _outcome(self, head: Head, tried: Try, seconds: float) -> Outcome:
        return outcome_of(
            tried,
            self._policy,
            delivery_id=head.id,
            target_id=head.target_id,
            owner=Owner(head.handler, head.client_id),
            tried_before=head.attempt_count > 0 or head.first_attempt_at is not None,
            duration_ms=round(seconds * 1000),
        )

    def _result(self, hand: Hand, head: Head, settled: Settled | None) -> Result:
        """What the queue is told of a key whose try is written down; ``settled`` None: the try did not count."""
        if settled is None:
            # Somebody else settled it: the tables know what comes next.
            return Ack(key=hand.key, token=hand.token, more=True)
        if settled.final:
            return Ack(key=hand.key, token=hand.token, more=head.more or hand.again)
        if settled.stuck and self._policy.strict:
            return Delay(key=hand.key, token=hand.token, after=STUCK, tried=True)
        if settled.target.closed:
            return Park(key=hand.key, token=hand.token, target=hand.bucket, tried=True)
        if not self._policy.strict:
            return Ack(key=hand.key, token=hand.token, more=True)
        assert settled.next_retry_at is not None
        after = (settled.next_retry_at - self._clock.now()).total_seconds()
        return Delay(key=hand.key, token=hand.token, after=max(0.0, after), tried=True)

    async def _run(self, head: Head) -> Happened | Postponed | None:
        """What happened; None: it was routed, and others took its place."""
        handler = self._handlers[head.handler]
        if unrouted(head):
            return await self._route(handler, head)
        delivery = Delivery(
            id=head.id,
            event=head.event,
            target=head.target_id.partition(":")[2],
            attempt=head.attempt_count + 1,
            created_at=head.created_at,
        )
        return await attempt(handler, delivery, self.seconds(head))

    async def _route(self, handler: Handler, head: Head) -> Happened | None:
        try:
            routes = self._router.routes_to(handler.name, handler.targets(head.event), head.event)
        except Exception as error:
            log.exception("routing failed", plugin=handler.name, event_id=head.event.id)
            said = str(error) if isinstance(error, PluginError) else type(error).__name__
            return Failed(error=f"routing failed: {said}")
        await self._ring(await self._recorder.route(head.id, head.attempt_count, head.event, routes))
        return None

    def _tell(self, hand: Hand, head: Head, settled: Settled | None) -> None:
        if settled is None:
            return
        if settled.reopened:
            self._pool.open(hand.bucket)
            self._turned()
            log.info("target is up again", target=head.target_id)
        if settled.stuck:
            log.error("delivery needs somebody", delivery_id=head.id, target=head.target_id, reason=settled.error)
        if settled.opened:
            self._pool.shut(hand.bucket)
            self._turned()
            self._metrics.went_down(head.handler)
            log.warning("target is down", target=head.target_id, reason=settled.target.last_error)

    async def _announce_off(self, head: Head) -> None:
        log.warning("target is switched off", target=head.target_id)
        try:
            await self._switched_off()
        except StorageError as error:
            # What is routed to it until the next reload waits like all that was routed before.
            log.warning("endpoints not reloaded", reason=str(error))

    def _log(self, head: Head, tried: Try, settled: Settled | None, seconds: float) -> None:
        became = _word(settled)
        self._metrics.tried(head.handler, became, seconds)
        if became == "delivered":
            waited = (tried.started - head.created_at).total_seconds() + seconds
            self._metrics.delivered(head.handler, waited)
            self._done(head.event.client_id, waited)
            self._tried(head.target_id, head.client_id, waited)
        elif became != "stale":
            self._tried(head.target_id, head.client_id, None)
        log.info(
            "delivery",
            delivery_id=head.id,
            event_id=head.event.id,
            target=head.target_id,
            outcome=became,
            attempt=head.attempt_count + 1,
            probe=tried.probe,
            http_status=tried.happened.http_status,
            error=getattr(tried.happened, "error", None),
            ms=round(seconds * 1000),
        )


def _word(settled: Settled | None) -> str:
    """One word for logs and metrics."""
    if settled is None:
        return "stale"
    if settled.final:
        return "delivered" if settled.status == Status.DELIVERED else "failed"
    if settled.stuck:
        return "stuck"
    return "held" if settled.target.closed else "retry"
