"""``wagate doctor``: the engine, whether it is there and how old, and how each number is.

The engine is the package neonize, which brings whatsmeow as a shared library.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Final

import trio

from wagate.clock import Clock
from wagate.errors import NotInstalledError
from wagate.hooks import Finding, ProviderAccount
from wagate.hooks.providers import UNOFFICIAL
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.number import Number, Numbers
from wagate_whatsapp.process import ChildProcess, EngineDiedError, NotDoneError
from wagate_whatsapp.reasons import BLOCKED, OUTDATED, REPLACED, STOPPED
from wagate_whatsapp.versions import LEAST, PACKAGE, UPDATE, made, numbers

LEAST_GLIBC = (2, 34)
"""What the wheel's library asks for, though its name says manylinux2014 (`objdump -T`: pthread_create@GLIBC_2.34)."""
INSTALL = 'pip install "wagate[whatsapp]"'
OLD: Final = 60
"""Days: WhatsApp refuses old clients now and then (four times between December 2025 and June 2026)."""
MOST_SKEW: Final = 30.0
PATIENCE: Final = 10.0


def check_installed() -> str:
    """The package's version. NotInstalledError says what is missing, and the cure."""
    try:
        found = version(PACKAGE)
    except PackageNotFoundError as error:
        raise NotInstalledError(f"its engine is not installed: {INSTALL}, then restart wagate") from error
    if numbers(found) < LEAST:
        least = ".".join(map(str, LEAST))
        raise NotInstalledError(f"{PACKAGE} {found} is too old, {least} is needed: {INSTALL} --upgrade")
    libc = glibc()
    if libc == ():
        raise NotInstalledError("its engine needs glibc, and this system has another C library (Alpine's musl?)")
    if libc is not None and libc < LEAST_GLIBC:
        raise NotInstalledError(
            f"its engine needs glibc 2.34, and this system has {libc[0]}.{libc[1]}: Debian 12, Ubuntu 22.04 or newer"
        )
    return found


def glibc() -> tuple[int, ...] | None:
    """The C library's version; () when it is another one; None where there is none such (macOS)."""
    if os.uname().sysname != "Linux":
        return None
    try:
        told = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ()
    return numbers(told.removeprefix("glibc ")) if told.startswith("glibc ") else ()


def library() -> Path | None:
    """The library itself; None: it is not there."""
    folder = Path(str(distribution(PACKAGE).locate_file(PACKAGE)))
    return next((each for each in folder.glob(f"{PACKAGE}-*") if each.suffix in {".so", ".dylib"}), None)


class Checker:
    """`check` of the provider."""

    def __init__(self, engine: Engine, numbers: Numbers, clock: Clock) -> None:
        self._engine = engine
        self._numbers = numbers
        self._clock = clock

    async def __call__(self, account: ProviderAccount) -> list[Finding]:
        """What can be said without asking WhatsApp."""
        number = self._numbers.known(account.id)
        findings = [await trio.to_thread.run_sync(age, library(), self._clock.now()), await self._process()]
        if number is None:
            return [*findings, Finding(level="warn", what="session", detail="it was not started by this process")]
        return [
            *findings,
            _session(number, self._clock.now()),
            *_risk_of(number),
            *_twins_of(self._numbers.twins(number)),
            *_clock_of(number),
        ]

    async def _process(self) -> Finding:
        child = self._engine.running
        if child is None:
            why, step = self._engine.refused, "look for engine_died in the log, and for its output"
            return Finding(
                level="fail", what="engine", detail=why or "it is not running", next_step=UPDATE if why else step
            )
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
            return Finding(level="warn", what="engine", detail=detail, next_step="look for engine_died in the log")
        return Finding(level="ok", what="engine", detail=detail)


def age(library: Path | None, now: datetime) -> Finding:
    """How old it is: by what the library says of itself, else by when it was installed. Reads the file."""
    what = "engine's age"
    if library is None:
        return Finding(level="warn", what=what, detail=f"{PACKAGE} has no library for this system", next_step=INSTALL)
    since = made(library)
    if since is None:
        days = (now - datetime.fromtimestamp(library.stat().st_mtime, UTC)).days
        detail = f"{PACKAGE} was installed {days} days ago; how old it was then is not known"
    else:
        days = (now - since).days
        detail = f"whatsmeow of {since:%Y-%m-%d}, {days} days old"
    if days <= OLD:
        return Finding(level="ok", what=what, detail=detail)
    return Finding(
        level="warn", what=what, detail=f"{detail}; WhatsApp refuses old ones without warning", next_step=UPDATE
    )


def _session(number: Number, now: datetime) -> Finding:
    told = number.told or "no status yet"
    if number.connected:
        at = number.receipt_at
        receipt = "no receipt yet" if at is None else f"last receipt {max(0, (now - at).total_seconds()):.0f} s ago"
        return Finding(level="ok", what="session", detail=f"connected; {receipt}; restarted {number.restarts} times")
    if not number.linked:
        return Finding(level="warn", what="session", detail=told, next_step="link the number: wagate pair <account>")
    step = next((step for words, step in _STEPS.items() if told.startswith(words)), "wait, or restart the session")
    return Finding(level="fail", what="session", detail=told, next_step=step)


def _risk_of(number: Number) -> list[Finding]:
    """Who has the account in config.toml alone was never told."""
    return [] if number.linked else [Finding(level="ok", what="risk", detail=UNOFFICIAL)]


def _twins_of(count: int) -> list[Finding]:
    if not count:
        return []
    detail = f"{count} more of this gateway's accounts are linked to this number: whatever comes, comes for each"
    return [Finding(level="warn", what="number", detail=detail, next_step="delete the accounts that are too many")]


def _clock_of(number: Number) -> list[Finding]:
    if abs(number.skew) < MOST_SKEW:
        return []
    detail = (
        f"this machine's clock is {abs(number.skew):.0f} s {'ahead of' if number.skew > 0 else 'behind'} WhatsApp's"
    )
    return [Finding(level="warn", what="clock", detail=detail, next_step="switch on NTP")]


_STEPS: Final = {
    OUTDATED: f"{UPDATE}, then restart wagate",
    BLOCKED: "wait until then; write less, and to fewer people who did not write first",
    REPLACED: "stop the other one, then start the session",
    STOPPED.message: "start the session",
}
"""How a state begins → what to do about it."""
