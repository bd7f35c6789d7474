"""What a process can't do for an account, since another one holds its connection, is done there: an errand, by Redis.

Each process has one list, where errands come, and the answers to its own. What is in it is encrypted with the gateway's
key, so a Redis that others read shows no text, and nobody else sends errands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import msgspec
import structlog
import trio
from redis import Redis
from redis.exceptions import RedisError
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import (
    AccountStoppedError,
    ConfigError,
    NoAnswerError,
    NotSentError,
    OutcomeUnknownError,
    QueueError,
    SendError,
    SendRefusedError,
    StorageError,
)
from wagate.events import Media
from wagate.hooks.asks import Ask
from wagate.hooks.listening import Sink
from wagate.hooks.messages import Edit, Signal
from wagate.hooks.providers import Finding, Profile, Provider, ProviderAccount
from wagate.http import on_behalf_of
from wagate.outbound import carried
from wagate.outbound.handover import as_send_error
from wagate.plugins.registry import Providers
from wagate.queue.redis import RedisThread, connect, is_refusal
from wagate.storage.database import Database
from wagate.storage.owners.accounts import holder_of
from wagate.storage.owners.live import LiveDirectory

TAKEN: Final = 3.0
"""Seconds after which an errand that nobody has taken is taken back."""
LONGEST: Final = 60.0
"""Seconds that an errand may take where it is done; a file's longer."""
LOOK: Final = 3.0
"""Seconds between two looks at whether who took an errand still holds the account; an answer may be as late as that."""
BLOCK: Final = 2.0
RETRY: Final = 1.0
KEPT: Final = 30 * 24 * 3600
"""Seconds that Redis keeps the life of a process that is gone."""
KEEP: Final = 24 * 3600.0
"""Seconds after which a process that runs has its life kept for `KEPT` from then on."""
LAST_WORD: Final = 2.0
"""Seconds in which a stop tells those who wait that what they asked for was broken off."""
ERRORS: Final[dict[type[SendError], tuple[str, ...]]] = {
    NotSentError: ("after", "slow"),
    SendRefusedError: ("window",),
    AccountStoppedError: (),
    NoAnswerError: (),
    OutcomeUnknownError: (),
}
"""What a provider may raise, the narrower before the wider → what it carries besides the details of all."""
DETAILS: Final = ("reason", "code", "http_status", "response")
NAMES: Final = {each.__name__: each for each in ERRORS}

BROKEN_OFF: Final = "the gateway that held this number took this on, and was stopped"

log = structlog.get_logger("wagate.errands")


@dataclass(frozen=True)
class Form:
    """What a function of a provider takes before the account, and what it gives."""

    takes: tuple[Any, ...] = ()
    gives: Any = None
    longest: float = LONGEST


FORMS: Final = {
    "signal": Form((Signal,)),
    "revoke": Form((str, str)),
    "edit": Form((Edit,)),
    "control": Form((str,)),
    "qr": Form((), str),
    "profile": Form((str,), Profile),
    "number_of": Form((str,), str),
    "pair_code": Form((str,), str),
    "check": Form((), tuple[Finding, ...]),
}
"""By the field of `Provider`; messages have their own way, see `wagate.consumers.elsewhere`."""
FETCH: Final = "fetch_media"
"""A field, too; the file itself is carried on the disk."""
FETCHING: Final = Form((Media, str), int, carried.LONGEST)


class Errand(msgspec.Struct, frozen=True, kw_only=True, tag="errand"):
    """Something to be done for an account."""

    id: str
    back: str
    """The list where the answer is waited for."""
    account_id: str
    do: str
    """A field of `Provider`, or the name of an `Ask`."""
    given: list[Any]
    until: float
    """Unix seconds: nobody waits any longer."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """An answer."""

    id: str
    value: Any = None
    error: str = ""
    """A name of `NAMES`; '': it was done."""
    details: dict[str, Any] = {}


@dataclass(eq=False)
class Waiting:
    """Who waits for an answer."""

    over: trio.Event = field(default_factory=trio.Event)
    done: Done | None = None


@dataclass(kw_only=True, eq=False)
class Errands:
    """Sends errands to whoever holds an account, and does those of others."""

    name: str
    """Of this process among others, as in `Holding`; '': there are no others."""
    redis: RedisThread
    database: Database
    vault: Vault
    providers: Providers
    live: LiveDirectory
    clock: Clock
    carrier: carried.Carrier
    elsewhere: Callable[[str], bool] = lambda _account_id: False
    """Whether another process holds an account; by its id."""
    _here: dict[str, Provider] = field(default_factory=dict)
    """Providers as their plugins made them, by name."""
    _waiting: dict[str, Waiting] = field(default_factory=dict)

    def route(self) -> None:
        """Have all providers that listen do things where their accounts are held."""
        for provider in self.providers.all if self.name else ():
            if provider.listens:
                self._here[provider.name] = provider
                self.providers.replace(self._routed(provider))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Errands come and go meanwhile."""
        async with trio.open_nursery() as nursery:
            if self._here:
                nursery.start_soon(self._serve)
                nursery.start_soon(self._keep_life)
            yield
            nursery.cancel_scope.cancel()

    def _routed(self, provider: Provider) -> Provider:
        calls: dict[str, Any] = {
            name: partial(self._call, here, name, form)
            for name, form in FORMS.items()
            if (here := getattr(provider, name)) is not None
        }
        if provider.fetch_media is not None:
            calls[FETCH] = partial(self._fetch, provider.fetch_media)
        answers = {
            ask: partial(self._call, here, ask.__name__, Form((ask,), ask.answer))
            for ask, here in provider.answers.items()
        }
        return replace(provider, answers=answers, **calls)

    async def _call(self, here: Callable[..., Awaitable[Any]], do: str, form: Form, /, *given: Any) -> Any:
        account: ProviderAccount = given[-1]
        if not self.elsewhere(account.id):
            return await here(*given)
        return await self._ask(do, form, *given)

    async def _fetch(self, here: carried.Fetch, media: Media, account: ProviderAccount, sink: Sink) -> None:
        if not self.elsewhere(account.id):
            await here(media, account, sink)
        else:
            await self.carrier.take(partial(self._ask, FETCH, FETCHING), media, account, sink)

    async def _ask(self, do: str, form: Form, /, *given: Any) -> Any:
        """Have it done where the account, which is given last, is held."""
        plain = [msgspec.to_builtins(each, enc_hook=str) for each in given[:-1]]
        done = await self._send(given[-1], do, plain, form.longest)
        if done.error:
            raise NAMES[done.error](**done.details)
        return None if form.gives is None else msgspec.convert(done.value, form.gives)

    async def _send(self, account: ProviderAccount, do: str, given: list[Any], longest: float) -> Done:
        """The answer of who holds the account.

        Raises:
            NotSentError: nobody holds it, or who does takes no errands; certainly not done.
            OutcomeUnknownError: Redis failed meanwhile.
        """
        holder = await self.database.read(holder_of, account.id, now=self.clock.now())
        if not holder:
            raise NotSentError("no gateway holds this number now", after=TAKEN, slow="account")
        left = min(trio.current_effective_deadline() - trio.current_time(), longest)
        errand = Errand(
            id=str(uuid7()),
            back=inbox_of(self.name),
            account_id=account.id,
            do=do,
            given=given,
            until=self.clock.now().timestamp() + left,
        )
        waiting = self._waiting[errand.id] = Waiting()
        try:
            return await self._delivered(errand, holder, waiting, longest)
        except QueueError as error:
            if is_refusal(error):
                raise NotSentError(str(error), after=TAKEN, slow="account") from error
            raise OutcomeUnknownError(str(error)) from error
        finally:
            del self._waiting[errand.id]

    async def _delivered(self, errand: Errand, holder: str, waiting: Waiting, longest: float) -> Done:
        inbox, sealed, life = inbox_of(holder), self._sealed(errand), await self._life(holder)
        await self._put(inbox, sealed)
        await _wait(waiting, TAKEN)
        if waiting.done is None and await self.redis.command("LREM", inbox, 1, sealed):
            raise NotSentError("the gateway that holds this number does not answer", after=TAKEN, slow="account")
        ended = "did not answer"
        with trio.move_on_after(longest):
            while waiting.done is None and await self._holds(holder, life, errand.account_id):
                await _wait(waiting, LOOK)
            ended = "is gone"
            await _wait(waiting, LOOK)
        if waiting.done is None:
            raise NoAnswerError(f"the gateway that held this number took this on, and {ended}")
        return waiting.done

    async def _holds(self, holder: str, life: str, account_id: str) -> bool:
        """Whether it still does, as far as is known, and in the same life: a restart keeps the name, no errands."""
        now = await self._life(holder)
        if life and now and now != life:
            return False
        try:
            return await self.database.read(holder_of, account_id, now=self.clock.now()) == holder
        except StorageError:
            return True

    async def _life(self, name: str) -> str:
        """Which life a process is in; '' when that is not known."""
        try:
            return str(await self.redis.command("GET", life_of(name)) or "")
        except QueueError:
            return ""

    async def _put(self, inbox: str, sealed: str) -> None:
        await self.redis.command("RPUSH", inbox, sealed)
        await self.redis.command("EXPIRE", inbox, int(LONGEST))  # of a process that never comes back

    async def _serve(self) -> None:
        """Take what comes, for ever, on a connection of its own."""
        limiter = trio.CapacityLimiter(1)
        inbox, life = inbox_of(self.name), str(uuid7())
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    await self.redis.command("SET", life_of(self.name), life, "EX", KEPT)
                    client = connect(await self.redis.home(inbox), timeout=BLOCK + 3.0)
                    try:
                        await self._take_all(client, inbox, nursery, limiter)
                    finally:
                        client.close()
                except (RedisError, OSError, QueueError) as error:
                    log.warning("errands_unreachable", reason=str(error))
                    await trio.sleep(RETRY)

    async def _keep_life(self) -> None:
        """Only what is there: a next start under the same name has written its own."""
        while True:
            await self.clock.sleep(KEEP)
            try:
                await self.redis.command("EXPIRE", life_of(self.name), KEPT)
            except QueueError as error:
                log.warning("life not kept", reason=str(error))

    async def _take_all(self, client: Redis, inbox: str, nursery: trio.Nursery, limiter: trio.CapacityLimiter) -> None:
        while True:
            pop = partial(client.blpop, [inbox], BLOCK)
            taken = await trio.to_thread.run_sync(pop, limiter=limiter, abandon_on_cancel=True)
            if taken is not None:
                self._taken(str(taken[1]), nursery)

    def _taken(self, sealed: str, nursery: trio.Nursery) -> None:
        try:
            found: Errand | Done = msgspec.json.decode(self.vault.decrypt(sealed), type=Errand | Done)
        except (ConfigError, msgspec.DecodeError) as error:
            log.warning("errand can't be read", reason=str(error))
            return
        if isinstance(found, Errand):
            nursery.start_soon(self._do, found)
        elif (waiting := self._waiting.get(found.id)) is not None:
            waiting.done = found
            waiting.over.set()

    async def _do(self, errand: Errand) -> None:
        left = min(errand.until - self.clock.now().timestamp(), carried.LONGEST)
        if left <= 0:
            return
        try:
            with trio.fail_after(left):
                value = await self._done_here(errand)
            done = Done(id=errand.id, value=msgspec.to_builtins(value, enc_hook=str))
        except trio.TooSlowError:
            return
        except trio.Cancelled:
            # Its next start has the same name, so who waits would take it for the one that does the errand.
            with trio.move_on_after(LAST_WORD, shield=True):
                await self._answer(errand, failed(errand.id, NoAnswerError(BROKEN_OFF)))
            raise
        except Exception as error:  # noqa: BLE001  (the edge of a plugin; who asked is told)
            done = failed(errand.id, as_send_error(error))
        await self._answer(errand, done)

    async def _answer(self, errand: Errand, done: Done) -> None:
        try:
            await self._put(errand.back, self._sealed(done))
        except QueueError as error:
            log.warning("errand not answered", reason=str(error))

    async def _done_here(self, errand: Errand) -> Any:
        account = self.live.now.by_id.get(errand.account_id)
        provider = None if account is None else self._here.get(account.provider)
        if account is None or provider is None:
            raise NotSentError("the gateway that holds this number does not know it yet", after=RETRY)
        do, takes = self._function(provider, errand.do)
        given = [msgspec.convert(each, kind, dec_hook=_made) for each, kind in zip(errand.given, takes, strict=True)]
        with on_behalf_of(account.client_id):
            return await do(*given, self.providers.account(account))

    def _function(self, provider: Provider, name: str) -> tuple[Callable[..., Awaitable[Any]], tuple[Any, ...]]:
        """What does it, and what it takes. SendRefusedError: this version has it not."""
        asked: dict[str, type[Ask]] = {each.__name__: each for each in provider.answers}
        if name in asked:
            return provider.answers[asked[name]], (asked[name],)
        if name == FETCH and provider.fetch_media is not None:
            return partial(self.carrier.bring, provider.fetch_media), FETCHING.takes
        found = getattr(provider, name) if name in FORMS else None
        if found is None:
            raise SendRefusedError("the gateway that holds this number is of another version", http_status=501)
        return found, FORMS[name].takes

    def _sealed(self, message: Errand | Done) -> str:
        return self.vault.encrypt(msgspec.json.encode(message).decode())


async def _wait(waiting: Waiting, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await waiting.over.wait()


def inbox_of(name: str) -> str:
    """The list of a process."""
    return f"{{wg:errands:{name}}}"


def life_of(name: str) -> str:
    """What a process writes when it starts to take errands: never the same again."""
    return f"{inbox_of(name)}:life"


def failed(errand_id: str, error: SendError) -> Done:
    """An error for who asked."""
    kind = next((each for each in ERRORS if isinstance(error, each)), OutcomeUnknownError)
    details = {name: value for name in DETAILS + ERRORS[kind] if (value := getattr(error, name, None)) is not None}
    return Done(id=errand_id, error=kind.__name__, details=details)


def _made(kind: type, value: Any) -> Any:
    return kind(value)
