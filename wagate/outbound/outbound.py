"""The way out as one part of the process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from wagate.hooks.contracts import Handler
from wagate.metrics import CollectorRegistry
from wagate.outbound.context import OUTBOUND, Choose, FileOf, OutboundContext, VoiceOf
from wagate.outbound.handover import Handover
from wagate.outbound.observed import Observed, SendMetrics
from wagate.outbound.outbox import Outbox, Watch
from wagate.outbound.report import Reporter
from wagate.outbound.send import Sender
from wagate.storage.owners.directory import Account

Probe = Callable[[str], Awaitable[None]]


class Outbound:
    """Takes messages (`outbox`), sends them (`handler`), tells what became of them (`run`)."""

    def __init__(
        self, context: OutboundContext, registry: CollectorRegistry, file_of: FileOf, voice_of: VoiceOf, *, probe: Probe
    ) -> None:
        """``probe`` is called with the target of an account whose settings were changed."""
        self._context = context
        self._watch = Watch()
        self._reporter = Reporter(context, self._watch.ring)
        self.observed = Observed(context.clock)
        """How accounts' sends go."""
        hand_over = Handover(
            context=context,
            file_of=file_of,
            voice_of=voice_of,
            metrics=SendMetrics(registry),
            observed=self.observed,
            changed=self._watch.ring,
        )
        self.handler: Handler = Sender(context, hand_over, given_up=self._reporter.ring).handler
        """For the consumers."""
        self._probe = probe
        context.live.on_accounts(self._accounts_changed)

    def ask(self, choosers: Iterable[Choose]) -> None:
        """Ask these for the account of a message that names none; before anything runs."""
        self._context.choosers.extend(choosers)

    def outbox(self, source: str) -> Outbox:
        """The way in for one source: ``api``, or a plugin's name."""
        return Outbox(source, self._context, self._watch)

    async def _accounts_changed(self, before: Mapping[str, Account | None]) -> None:
        now = self._context.live.now.by_id
        for id_, old in before.items():
            if id_ not in now:
                self.observed.forget(id_)
            elif old is not None and now[id_] != old:
                await self._probe(f"{OUTBOUND}:{id_}")

    async def run(self) -> None:
        """Tell what became of messages; a task to be supervised."""
        await self._reporter.run()
