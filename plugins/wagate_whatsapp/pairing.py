"""Linking a number: a short-lived child shows QR codes or a code until somebody scans, for ten minutes.

A child of its own: as long as nobody scanned, the library's calls hang when the session is stopped, and after its last
code; a process can be ended.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, Final

import structlog
import trio

from wagate.clock import Clock
from wagate.events import SessionChange, SessionStatus
from wagate.hooks import Inlet
from wagate.hooks.providers import UNOFFICIAL
from wagate.parsing.fields import first_text
from wagate_whatsapp.number import Number, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import (
    ChildProcess,
    EngineDiedError,
    EngineRefusedError,
    Feed,
    Json,
    NotDoneError,
    child_process,
)
from wagate_whatsapp.reasons import CONNECTING, LEVELS, LINKED, judge, masked, refused, unreachable

PATIENCE: Final = 600.0
"""Seconds in which somebody has to scan; then codes come again on demand."""
DAY: Final = 86_400
SETTLE: Final = 10.0
"""Seconds for the first connection after the scan, in which keys are exchanged."""
STEADY: Final = 20.0
"""Seconds that a try must last for the next one to begin at once: WhatsApp is not dialled in a tight loop."""
PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0
TOLD: Final = "QR code generated, scan to connect"
EXPIRED: Final = "the code expired; request a new one"
REFUSED: Final = 1
"""PairStatus.ERROR."""
RAN_OUT: Final = "timeout"
OUTDATED: Final = "err-client-outdated"
"""Words of whatsmeow (qrchan.go); here its events don't come, so that for the rest its log has to say why."""

log = structlog.get_logger("wagate.plugins.whatsapp")


class Pairing:
    """One number's, while it lasts."""

    def __init__(self, number: Number, settings: WhatsAppSettings, inlet: Inlet, clock: Clock) -> None:
        self._number = number
        self._settings = settings
        self._inlet = inlet
        self._clock = clock
        self._child: ChildProcess | None = None
        self._showing = trio.Event()
        self._asking = trio.Lock()
        self._given = ("", "", 0)
        """The last code to be typed: for which phone, the code, its number."""
        self._logged = ""
        """The library's last warning."""
        self.trying = False
        """Whether a try is going on: between two of them there is a pause."""
        self.refused = False
        """Whether WhatsApp, or the way there, refused the last try: its reason was told."""

    async def run(self) -> bool:
        """Show codes until the number is linked (True) or nobody scanned for long enough."""
        deadline, short = self._clock.monotonic() + PATIENCE, 0
        await self._inlet.state(CONNECTING)
        log.warning("a number is to be linked", account_id=self._number.id, risk=UNOFFICIAL)
        while not self._number.linked and (began := self._clock.monotonic()) < deadline:
            self.trying = True
            try:
                async with child_process(self._number.folder / "pairing.log") as child:
                    self._child, self._logged, self.refused = child, "", False
                    await self._codes(child, deadline)
            except (EngineDiedError, NotDoneError, trio.TooSlowError) as error:
                log.warning("pairing broke off", account_id=self._number.id, reason=str(error))
                unfit = isinstance(error, EngineRefusedError)
                await self._tell_refusal(refused(str(error)) if unfit else unreachable(str(error)))
            finally:
                self._child, self._number.qr, self.trying = None, "", False
                self._showing.set()  # who waits for a code learns that this try is over
                self._showing = trio.Event()
            short = 0 if self._clock.monotonic() - began > STEADY else short + 1
            if not self._number.linked:
                await self._clock.sleep(pause_after(short))
        return self._number.linked

    async def code(self, phone: str) -> str:
        """A code to be typed on the phone, once WhatsApp is reached. NotDoneError, EngineDiedError.

        WhatsApp knows the last one alone. Who asks while one is being made for the same phone gets that one: of two
        that are made at once nobody knows which is good.
        """
        await self._showing.wait()
        before = self._given[2]
        async with self._asking:
            if self._given[0] == phone and self._given[2] > before:
                return self._given[1]
            if self._child is None:
                raise EngineDiedError(EXPIRED)
            try:
                found: str = await self._child.ask("pair_code", session=self._number.id, phone=phone)
            except EngineDiedError as error:
                raise EngineDiedError(EXPIRED) from error
            self._given = (phone, found, self._given[2] + 1)
            return found

    async def _codes(self, child: ChildProcess, deadline: float) -> None:
        """One child's life: as many codes as the library has (about 160 s), or one scan."""
        number = self._number
        with child.feed(number.id) as feed:
            # A login that was begun and not finished is worth nothing.
            number.unlink()
            await child.ask("start", session=number.id, folder=str(number.folder), **start_settings(self._settings))
            while (left := deadline - self._clock.monotonic()) > 0:
                for line in await feed.lines(self._clock, left):
                    if await self._take(line):
                        await self._settle(child, feed)
                        return
                    if line["event"] == "Ended" or (line["event"] == "Login" and line["state"] != "success"):
                        try:
                            await self._over(line)
                        finally:
                            child.kill()
                        return
        child.kill()

    async def _take(self, line: Json) -> bool:
        """What one line says; whether the number is linked now."""
        if line["event"] == "QR":
            self._number.qr = line["code"]
            change = SessionChange(status=SessionStatus.QR_GENERATED, message=TOLD, qr=line["code"])
            await self._inlet.state(change, qr=line["code"])
            self._showing.set()
        elif line["event"] == "PairStatus" and line["status"] == REFUSED:
            text = f"The scan was refused: {first_text(line, 'error') or 'no reason given'}"
            await self._inlet.state(SessionChange(status=SessionStatus.AUTH_FAILURE, message=text))
        elif line["event"] == "Log" and line["level"] in LEVELS:
            self._logged = masked(line["text"])
        elif line["event"] == "Me" and line["jid"]:
            self._number.link(Us(jid=line["jid"], lid=line["lid"]))
        elif line["event"] == "PairStatus":
            if not self._number.linked:
                self._number.link(Us(jid=line["jid"]))
            await self._inlet.state(LINKED)
            await self._inlet.number(self._number.phone)
            return True
        return False

    async def _over(self, line: Json) -> None:
        """Why there are no more codes. NotDoneError: nobody could have scanned one."""
        state, error = first_text(line, "state"), first_text(line, "error")
        if state == OUTDATED and (verdict := judge({"event": "ClientOutdated"}, self._clock.now())) is not None:
            await self._tell_refusal(verdict.change)
        elif error or not (self._number.qr and state in {"", RAN_OUT}):
            raise NotDoneError(error or self._logged or state)

    async def _tell_refusal(self, change: SessionChange) -> None:
        self.refused, self._number.told = True, change.message
        await self._inlet.state(change)

    async def _settle(self, child: ChildProcess, feed: Feed) -> None:
        """Let the first connection come up, then end it in order: what comes over it goes to the spool."""
        with contextlib.suppress(EngineDiedError, NotDoneError, trio.TooSlowError):
            with trio.move_on_after(SETTLE):
                connected = False
                while not connected:
                    for line in await feed.lines(self._clock, SETTLE):
                        if line["event"] == "Me" and line["jid"]:
                            self._number.link(Us(jid=line["jid"], lid=line["lid"]))
                        connected = connected or line["event"] == "Connected"
            await child.ask("stop", session=self._number.id, patience=SETTLE)


def pause_after(short: int) -> float:
    """Seconds after so many short tries in a row: the first time none, then 5, 10 … 60."""
    return min(PAUSE * 2.0 ** min(short - 2, 10), LONGEST_PAUSE) if short > 1 else 0.0


def start_settings(settings: WhatsAppSettings) -> dict[str, Any]:
    """What the child is told of an account's settings."""
    days = math.ceil(settings.history / DAY)
    return {"proxy": settings.proxy, "device": settings.device, "history": days}
