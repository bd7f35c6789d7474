"""``wagate doctor``: the engine, its age, and how each number is."""

from __future__ import annotations

from typing import Final

import trio

from wagate.clock import Clock
from wagate.hooks import Finding, ProviderAccount
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.installed import PACKAGE, age_in_days
from wagate_whatsapp.number import Number, Numbers
from wagate_whatsapp.process import ChildProcess, EngineDiedError, NotDoneError
from wagate_whatsapp.reasons import UPDATE

OLD: Final = 60
"""Days: WhatsApp refuses old clients now and then (four times between December 2025 and June 2026)."""
MOST_SKEW: Final = 30.0
PATIENCE: Final = 10.0


class Checker:
    """`check` of the provider."""

    def __init__(self, engine: Engine, numbers: Numbers, clock: Clock) -> None:
        self._engine = engine
        self._numbers = numbers
        self._clock = clock

    async def __call__(self, account: ProviderAccount) -> list[Finding]:
        """What can be said without asking WhatsApp."""
        number = self._numbers.known(account.id)
        findings = [self._age(), await self._process()]
        if number is None:
            return [*findings, Finding(level="warn", what="session", detail="it was not begun by this process")]
        return [*findings, _session(number), *_clock_of(number)]

    def _age(self) -> Finding:
        days = age_in_days(self._clock.now())
        if days is not None and days > OLD:
            detail = f"{PACKAGE} was installed {days} days ago; WhatsApp refuses old versions without warning"
            return Finding(level="warn", what="engine's age", detail=detail, next_step=UPDATE)
        return Finding(
            level="ok", what="engine's age", detail=f"{PACKAGE}: {'not known' if days is None else days} days"
        )

    async def _process(self) -> Finding:
        child = self._engine.running
        if child is None:
            step = "see the log for engine_died, and what it printed"
            return Finding(level="fail", what="engine", detail="it does not run", next_step=step)
        try:
            return await self._asked(child)
        except (EngineDiedError, NotDoneError, trio.TooSlowError) as error:
            return Finding(
                level="fail", what="engine", detail=f"it does not answer: {error}", next_step="restart wagate"
            )

    async def _asked(self, child: ChildProcess) -> Finding:
        status = await child.ask("status", session="", patience=PATIENCE)
        waiting = sum(each["waiting"] for each in status["sessions"].values())
        detail = (
            f"version {status['version']}, {status['rss'] // 1_000_000} MB, {len(status['sessions'])} sessions, "
            f"{waiting} events waiting, died {self._engine.deaths} times"
        )
        if self._engine.deaths:
            return Finding(level="warn", what="engine", detail=detail, next_step="see the log for engine_died")
        return Finding(level="ok", what="engine", detail=detail)


def _session(number: Number) -> Finding:
    told = number.told or "no word yet"
    if number.connected:
        return Finding(level="ok", what="session", detail=f"connected; made anew {number.restarts} times")
    if not number.linked:
        return Finding(level="warn", what="session", detail=told, next_step="link the number: wagate pair <account>")
    return Finding(level="fail", what="session", detail=told, next_step="wait, or restart the session")


def _clock_of(number: Number) -> list[Finding]:
    """A clock that is ahead makes messages look late; one that is behind shows surely."""
    if number.skew is None or number.skew > -MOST_SKEW:
        return []
    detail = f"this machine's clock is {-number.skew:.0f} s behind WhatsApp's"
    return [Finding(level="warn", what="clock", detail=detail, next_step="switch on NTP")]
