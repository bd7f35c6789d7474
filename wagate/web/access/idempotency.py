"""Idempotency-Key: the same POST again gets the same answer, whatever became of the connection."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
import trio
from outcome import acapture
from quart import Response, request
from quart.wrappers.response import DataBody

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import BadRequestError, ConflictError, UnavailableError, WagateError
from wagate.parsing.fields import fingerprint
from wagate.storage.database import Database
from wagate.storage.idempotency import InFlight, Mismatch, Replay, begin, finish, forget, renew

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~](?:[ -~]{0,253}[!-~])?$"
"""1 to 255 printable ASCII characters, no spaces at the ends."""
REPLAYED = ("Idempotent-Replayed", "true")
"""The header of an answer that is given again."""
LONGEST = 900.0
"""Seconds that a request with a key may run, also after its client has gone."""
RENEWED = 15.0
"""Seconds after which its claim on the key is renewed; much shorter than one that is not renewed stays in flight."""

log = structlog.get_logger("wagate.api")
T = TypeVar("T")
View = Callable[[], Awaitable[Response]]


@dataclass(frozen=True)
class Kept:
    """An answer as it is kept."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Form(Generic[T]):
    """How answers of one kind are kept and given again."""

    keep: Callable[[T], Awaitable[Kept | None]]
    """None: this one is no answer to give again, such as a refusal or a stream."""
    replay: Callable[[Kept], T]


async def submission_key() -> str:
    """What stands for the running request for ever, beside its client: '' without an Idempotency-Key.

    It holds the path and the body too: after a refusal, or a day, a key may come again with another body.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        return ""
    body: bytes = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    return fingerprint(key, request.path, hashlib.sha256(body).hexdigest())


class Once:
    """Keeps answers of 2xx for 24 h, encrypted, since they may hold secrets that are shown once."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._running: set[trio.CancelScope] = set()
        self._ends = math.inf

    def drain(self, seconds: float) -> None:
        """The gateway stops: what runs, or begins now, has so long, as requests without a key have."""
        self._ends = trio.current_time() + seconds
        for each in self._running:
            each.deadline = min(each.deadline, self._ends)

    async def run(self, view: View, *, who: str) -> Response:
        """The answer of ``view``, or the one it gave before to the same key and body of the same caller.

        Raises:
            BadRequestError: the key is empty, too long or not printable.
            ConflictError: it was used with another body, or its twin is being worked on.
        """
        key = request.headers.get(HEADER, "")
        body = await request.get_data(cache=True, as_text=False, parse_form_data=False)
        asked = request.query_string + b"\0" + body
        return await self.answer(view, PAGES, key=key, place=f"{who} {request.method} {request.path}", asked=asked)

    async def answer(self, work: Callable[[], Awaitable[T]], form: Form[T], *, key: str, place: str, asked: bytes) -> T:
        """The answer of ``work``, or the one given before; ``place`` is caller and path, ``asked`` what makes twins.

        Raises:
            BadRequestError, ConflictError: as `run`.
        """
        if not re.fullmatch(PATTERN, key):
            raise BadRequestError("a key has 1 to 255 printable ASCII characters", field=HEADER)
        digest = hashlib.sha256(asked).hexdigest()
        # The client may go away and ask again: what has begun is finished, so that its answer can be given then.
        with trio.CancelScope(shield=True, deadline=min(trio.current_time() + LONGEST, self._ends)) as scope:
            self._running.add(scope)
            try:
                return await self._answer(work, form, place, key, digest)
            finally:
                self._running.discard(scope)
        raise UnavailableError("the request took too long; send it again with the same key", retry_after=5)

    async def _answer(self, work: Callable[[], Awaitable[T]], form: Form[T], client: str, key: str, digest: str) -> T:
        begun = await self._database.write(begin, client=client, key=key, body_hash=digest, now=self._clock.now())
        match begun:
            case Replay(status, content_type, sealed):
                body = self._vault.decrypt(sealed.decode("ascii")).encode("latin-1")
                return form.replay(Kept(status, content_type, body))
            case Mismatch():
                raise ConflictError("this key was already used with another body; use a new key", field=HEADER)
            case InFlight():
                error = ConflictError("the first request with this key is still running; try again", field=HEADER)
                error.retry_after = 1
                raise error
        try:
            answer = await self._claimed(work, client, key)
        except BaseException:
            await self._forget(client, key)
            raise
        kept = await form.keep(answer)
        if kept is None:
            await self._forget(client, key)
        else:
            await self._keep(client, key, kept)
        return answer

    async def _claimed(self, work: Callable[[], Awaitable[T]], client: str, key: str) -> T:
        """Do the work, and keep the claim on the key until it is done."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._renew, client, key)
            done = await acapture(work)  # a nursery would put its error into a group
            nursery.cancel_scope.cancel()
        return done.unwrap()

    async def _renew(self, client: str, key: str) -> None:
        while True:
            await self._clock.sleep(RENEWED)
            try:
                await self._database.write(renew, client=client, key=key, now=self._clock.now())
            except WagateError as error:
                log.warning("claim on idempotency key not renewed", error=str(error))

    async def _keep(self, client: str, key: str, kept: Kept) -> None:
        sealed = self._vault.encrypt(kept.body.decode("latin-1")).encode("ascii")
        kind, status = kept.content_type, kept.status
        try:
            await self._database.write(finish, client=client, key=key, status=status, content_type=kind, body=sealed)
        except WagateError as error:
            # The work is done and committed; its caller must hear so.
            log.warning("answer not kept for its idempotency key", error=str(error))

    async def _forget(self, client: str, key: str) -> None:
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await self._database.write(forget, client=client, key=key)
        except WagateError as error:
            log.warning("idempotency key not let go; it is free in a minute", error=str(error))


async def _kept_page(response: Response) -> Kept | None:
    if 200 <= response.status_code < 300 and isinstance(response.response, DataBody):
        body = await response.get_data(as_text=False)
        return Kept(response.status_code, response.content_type or "", body)
    return None


def _page_again(kept: Kept) -> Response:
    return Response(kept.body, status=kept.status, headers=dict([REPLAYED]), content_type=kept.content_type)


PAGES: Form[Response] = Form(_kept_page, _page_again)
