"""``run`` of the provider: link the number, hold its connection, take in what comes; and what can be done to it."""

from __future__ import annotations

import random
from typing import Final

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import NotSentError, SendRefusedError
from wagate.events import NewEvent, SessionChange
from wagate.hooks import Inlet, ProviderAccount
from wagate.parsing.fields import first_text
from wagate_whatsapp.engine import LONGEST_PAUSE, Engine
from wagate_whatsapp.number import Number, Numbers, WhatsAppSettings, settings_of
from wagate_whatsapp.pairing import Pairing, start_settings
from wagate_whatsapp.parse import HEARD, of_the_past, parse, read_elsewhere
from wagate_whatsapp.people import Us, moment
from wagate_whatsapp.process import ChildProcess, EngineDiedError, EngineRefusedError, Feed, Json, NotDoneError
from wagate_whatsapp.reasons import (
    BUSY,
    CONNECTED,
    CONNECTING,
    ENGINE_ENDED,
    LEVELS,
    NO_PROXY,
    NOBODY_SCANNED,
    STOPPED,
    Verdict,
    judge,
    masked,
    refused,
)

WATCHDOG: Final = 20.0
"""Seconds that a linked number may be without a connection until it is made anew: the library does not dial again when
the server closes right after linking, or when its first dial failed, and later waits 2 s longer each time, for ever."""
MOST_SPENT: Final = 100
"""Connections that came to nothing, after which the engine is started anew: of each the library keeps 0.3 MB and two
open files, whatever we do (neonize 0.5.2)."""
STUCK: Final = "can't be ended"
"""The engine's word for a connection that only its own end ends."""
APART: Final = 0.1
"""Seconds between two starts."""
RINGS: Final = 60.0
"""Seconds that a call rings at most."""
STARTING: Final = 8
"""Numbers whose start the engine works at: each opens its keys and dials, and fifty together take its threads."""
CALL_PATIENCE: Final = 5.0
LONGEST_WAIT: Final = 300.0
LOG_OUT_PATIENCE: Final = 20.0
CODE_PATIENCE: Final = 45.0

log = structlog.get_logger("wagate.plugins.whatsapp")


class Listener:
    """`run`, `release`, `control`, `qr`, `pair_code` and `forget` of the provider."""

    def __init__(self, engine: Engine, numbers: Numbers, clock: Clock) -> None:
        self._engine = engine
        self._numbers = numbers
        self._clock = clock
        self._pairings: dict[str, Pairing] = {}
        self._turn = trio.Lock()
        """One number is started after the other: fifty logins at once look like a machine."""
        self._starting = trio.CapacityLimiter(STARTING)

    async def run(self, account: ProviderAccount, inlet: Inlet) -> None:
        """For ever: linked or not, stopped or not."""
        number = self._numbers.of(account.id)
        number.begin()
        number.inlet = inlet
        settings = settings_of(account)
        try:
            if settings.proxy and account.trust != "operator":
                # The engine dials it by itself, past the guard that keeps clients' URLs from leading inside.
                await self._tell(number, inlet, NO_PROXY)
                await trio.sleep_forever()
            while True:
                await self._phase(number, settings, inlet)
        finally:
            number.runs, number.inlet = False, None

    async def release(self, account: ProviderAccount) -> None:
        """Disconnect, and give back the folder with the keys: another gateway may hold the number from now on."""
        number = self._numbers.of(account.id)
        number.begun = False
        await self._stop(number)

    async def control(self, action: str, account: ProviderAccount) -> None:
        """``start``, ``stop``, ``restart``, ``logout``; its task does it."""
        number = self._numbers.known(account.id)
        if number is None or not number.runs:
            raise NotSentError("its session is not ready yet; try again")
        pairing = self._pairings.get(account.id)
        if action == "start" and pairing is not None and pairing.trying and not number.command:
            return  # codes that somebody looks at, or types, would be worth nothing any more
        number.ask(action)

    async def qr(self, account: ProviderAccount) -> str:
        """The code that waits; asked for when there is none and nobody is linked, codes come again."""
        number = self._numbers.known(account.id)
        if number is None:
            return ""
        if not number.qr and not number.linked and account.id not in self._pairings:
            number.ask("start")
        return number.qr

    async def pair_code(self, phone: str, account: ProviderAccount) -> str:
        """A code to be typed on the phone."""
        number = self._numbers.of(account.id)
        try:
            with trio.fail_after(CODE_PATIENCE):
                while number.runs and (number.command or number.obeys):  # a logout that was asked for before
                    await self._clock.sleep(0.05)
                if number.linked:
                    raise SendRefusedError("the number is already linked; log it out first")
                if account.id not in self._pairings:
                    number.ask("start")
                while (pairing := self._pairings.get(account.id)) is None:
                    await self._clock.sleep(0.05)
                return await pairing.code(phone)
        except (EngineDiedError, NotDoneError) as error:
            raise NotSentError(f"WhatsApp gave no code: {error}") from error
        except trio.TooSlowError as error:
            raise NotSentError("WhatsApp can't be reached") from error

    async def forget(self, account: ProviderAccount) -> None:
        """Log out, so that the phone no longer lists us, and wipe the keys."""
        number = self._numbers.of(account.id)
        if number.linked:
            await self._log_out(number)
        number.wipe()
        self._numbers.forget(account.id)

    async def _phase(self, number: Number, settings: WhatsAppSettings, inlet: Inlet) -> None:
        """What the number does now, until that is over or somebody asks for something else."""
        if number.command:
            number.obeys = True
            try:
                await self._obey(number, number.take_command())
            finally:
                number.obeys = False
        if number.halted:
            if (change := number.untold) is not None:
                await self._tell(number, inlet, change)
                number.halt(on=True)
            await number.asked.wait()
            return
        async with trio.open_nursery() as nursery:

            async def until_asked() -> None:
                await number.asked.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_asked)
            if number.linked:
                await self._hold(number, settings, inlet)
            else:
                await self._link(number, settings, inlet)
            nursery.cancel_scope.cancel()

    async def _obey(self, number: Number, command: str) -> None:
        number.halt(on=command == "stop", untold=STOPPED)
        if command == "logout" and number.linked:
            await self._log_out(number)
            number.unlink()
        elif command in {"stop", "restart"}:
            await self._stop(number)
        number.connected = False

    async def _stop(self, number: Number) -> None:
        """End its connection, as far as there is one."""
        if (child := self._engine.running) is None:
            return
        try:
            await child.ask("stop", session=number.id, patience=LOG_OUT_PATIENCE)
        except (EngineDiedError, NotDoneError, trio.TooSlowError) as error:
            log.warning("not stopped in order", account_id=number.id, reason=str(error))

    async def _log_out(self, number: Number) -> None:
        """Tell WhatsApp, as far as it can be reached; the keys are wiped either way."""
        child = self._engine.running
        if child is None:
            return
        for do in ("log_out", "abandon"):
            try:
                await child.ask(do, session=number.id, patience=LOG_OUT_PATIENCE)
            except (EngineDiedError, NotDoneError, trio.TooSlowError) as error:
                log.warning("not logged out in order", account_id=number.id, step=do, reason=str(error))

    async def _link(self, number: Number, settings: WhatsAppSettings, inlet: Inlet) -> None:
        pairing = self._pairings[number.id] = Pairing(number, settings, inlet, self._clock)
        try:
            linked = await pairing.run()
        finally:
            del self._pairings[number.id]
        if not linked:
            if not pairing.refused:
                await self._tell(number, inlet, NOBODY_SCANNED)
            await trio.sleep_forever()  # until somebody asks

    async def _hold(self, number: Number, settings: WhatsAppSettings, inlet: Inlet) -> None:
        """Hold the connection. What breaks it off is judged; the engine's own death is another beginning."""
        try:
            child = await self._engine.child()
            with child.feed(number.id) as feed:
                await Connection(number, settings, inlet, self._clock, turn=self._turn, starting=self._starting).hold(
                    child, feed
                )
        except EngineRefusedError as error:
            if number.told != (change := refused(str(error))).message:
                await self._tell(number, inlet, change)
            await self._clock.sleep(LONGEST_PAUSE)
        except EngineDiedError as error:
            log.warning("engine lost", account_id=number.id, reason=str(error))
            await self._tell(number, inlet, ENGINE_ENDED)
        finally:
            number.connected = False

    async def _tell(self, number: Number, inlet: Inlet, change: SessionChange) -> None:
        number.told = change.message
        await inlet.state(change)


class Connection:
    """One stretch of a number's connection, in one engine."""

    def __init__(
        self,
        number: Number,
        settings: WhatsAppSettings,
        inlet: Inlet,
        clock: Clock,
        *,
        turn: trio.Lock,
        starting: trio.CapacityLimiter,
    ) -> None:
        self._number = number
        self._settings = settings
        self._inlet = inlet
        self._clock = clock
        self._turn = turn
        self._starting = starting
        self._wait = WATCHDOG
        self._due: float | None = None
        """When it is to be made anew (monotonic); None: it is up."""

    async def hold(self, child: ChildProcess, feed: Feed) -> None:
        """Until it is logged out or replaced. EngineDiedError."""
        state = await self._start(child, anew=False)
        if state["connected"]:
            await self._state(child, Verdict(change=CONNECTED, connected=True))
        else:
            await self._state(child, Verdict(change=CONNECTING))
        while True:
            left = None if self._due is None else max(0.0, self._due - self._clock.monotonic())
            lines = await feed.lines(self._clock, left)
            if not lines:
                await self._renew(child)
            elif await self._take(child, lines):
                return

    async def _start(self, child: ChildProcess, *, anew: bool) -> Json:
        number, settings = self._number, start_settings(self._settings)
        try:
            async with self._starting:
                async with self._turn:  # they begin one after the other, and none waits for another to be up
                    await self._clock.sleep(APART)
                told = {"session": number.id, "folder": str(number.folder), "anew": anew, **settings}
                state: Json = await child.ask("start", **told)
        except (NotDoneError, trio.TooSlowError) as error:
            log.warning("not started", account_id=number.id, reason=str(error) or "no answer in time")
            if anew and (isinstance(error, trio.TooSlowError) or STUCK in str(error)):
                # The library dials and gets no answer: it has no limit for that, and can't be stopped meanwhile.
                child.retire()
            state = {"connected": False}
        return state

    async def _renew(self, child: ChildProcess) -> None:
        """Nothing came of it: once more, with a longer wait."""
        self._number.restarts += 1
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        log.info("connecting anew", account_id=self._number.id, again_in=round(self._wait))
        state = await self._start(child, anew=True)
        if state.get("spent", 0) >= MOST_SPENT:
            log.info("engine to be renewed", spent=state["spent"])
            child.retire()
        self._due = self._clock.monotonic() + self._wait * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)

    async def _take(self, child: ChildProcess, lines: list[Json]) -> bool:
        """Take in what came, in order; whether this connection is over for good."""
        waiting: list[NewEvent] = []
        seen, over = 0, False
        for line in lines:
            if line["event"] in HEARD:
                if secrets := line.get("secrets"):
                    read = self._number.references.read
                    line["references"] = {each: ours for each, secret in secrets.items() if (ours := read(secret))}
                waiting += parse(line, self._number.us)
                await self._note(child, line)
                if chat := read_elsewhere(line, self._number.us):
                    await self._keep(waiting)
                    waiting = []
                    await self._inlet.seen(chat)
            elif line["event"] == "History":
                await self._keep(waiting)
                waiting = []
                await self._inlet.archive(of_the_past(line["messages"], self._number.us))
            elif not over and (verdict := await self._said(child, line)) is not None:
                await self._keep(waiting)
                waiting = []
                await self._state(child, verdict)
                over = verdict.halted  # what the library did of itself after that is undone by the stop
            seen = max(seen, line.get("n") or 0)
        await self._keep(waiting)
        if seen:
            await child.seen(self._number.id, seen)
        return over

    async def _keep(self, events: list[NewEvent]) -> None:
        if events:
            await self._inlet.take(events)

    async def _said(self, child: ChildProcess, line: Json) -> Verdict | None:
        """A line that is no event."""
        number = self._number
        match line["event"]:
            case "Log":
                if line["level"] in LEVELS:
                    log.info("whatsmeow", account_id=number.id, level=line["level"], text=masked(line["text"]))
                return judge(line, self._clock.now())
            case "Disconnected" if number.told.startswith(BUSY):
                pass  # that is why
            case "Me" if line["jid"]:
                number.link(Us(jid=line["jid"], lid=line["lid"], platform=line["platform"]))
            case "QR":
                # The keys turned out to be none: the library would show codes now, and could not be stopped any more.
                await child.ask("abandon", session=number.id)
                number.unlink()
                return judge({"event": "LoggedOut"}, self._clock.now())
            case _:
                return judge(line, self._clock.now())
        return None

    async def _state(self, child: ChildProcess, verdict: Verdict) -> None:
        number = self._number
        number.connected, number.told = verdict.connected, verdict.change.message
        if verdict.connected:
            self._due, self._wait = None, WATCHDOG
            number.connections += 1
            await self._inlet.number(number.phone)
        elif verdict.silent:
            self._due = self._clock.monotonic()
        elif verdict.again:
            self._due = self._clock.monotonic() + verdict.again
        elif self._due is None or verdict.again is not None:
            self._due = self._clock.monotonic() + self._wait
        if verdict.halted:
            await self._halt(child, verdict)
        await self._inlet.state(verdict.change)
        if verdict.halted:
            number.halt(on=True)  # told

    async def _halt(self, child: ChildProcess, verdict: Verdict) -> None:
        """Nothing more until somebody starts it."""
        number = self._number
        number.halt(on=True, untold=verdict.change)  # first: whatever ends us now, it is not connected again
        try:
            await child.ask("abandon" if verdict.unlinked else "stop", session=number.id, patience=LOG_OUT_PATIENCE)
        except (EngineDiedError, NotDoneError, trio.TooSlowError) as error:
            log.warning("not stopped in order", account_id=number.id, reason=str(error))
        if verdict.unlinked:
            number.unlink()

    async def _note(self, child: ChildProcess, line: Json) -> None:
        """How far our clock is from WhatsApp's; and a call that is to be rejected."""
        at = moment(line)
        if at is None or not self._number.connected:
            return
        late = (self._clock.now() - at).total_seconds()
        self._number.hear(late)
        if line["event"] == "Receipt":
            self._number.receipt_at = self._clock.now()
        if line["event"] != "CallOffer" or not self._settings.reject_calls or late > RINGS:
            return
        try:
            await child.ask(
                "reject_call",
                session=self._number.id,
                sender=first_text(line, "sender"),
                call=first_text(line, "call"),
                patience=CALL_PATIENCE,
            )
        except (NotDoneError, trio.TooSlowError) as error:
            log.warning("call not rejected", account_id=self._number.id, reason=str(error))
