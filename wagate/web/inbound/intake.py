"""The hot path: what comes in from WhatsApp, as a plain ASGI app beside Quart.

In front of doors: the same POST again gets the same answer, and what this gateway itself delivers stays out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Protocol

import msgspec
import structlog

from wagate.errors import ConflictError, MethodNotAllowedError, NotFoundError, WagateError
from wagate.plugins.wall import broken
from wagate.storage.database import Database
from wagate.storage.events.listing import get_delivery
from wagate.web.access.auth import Authenticator, token_of
from wagate.web.access.idempotency import HEADER, REPLAYED, Form, Kept, Once
from wagate.web.http.asgi import App, ClientGoneError, Networks, Receive, Request, Scope, Send, respond
from wagate.web.http.bodies import Bodies, LargeBodies, is_long, read_body
from wagate.web.problems import problem_of

log = structlog.get_logger("wagate.intake")
DELIVERY_HEADER = "webhook-id"
"""Of Standard Webhooks; ours is the delivery's id."""


class Answer(msgspec.Struct, frozen=True):
    """What a door answers."""

    status: int
    body: bytes
    content_type: str = "application/json"
    note: str = ""
    """For the log line: what kind of thing it was."""
    headers: Mapping[str, str] = {}
    """Beside the content type."""


class Door(Protocol):
    """Where something comes in."""

    def admit(self, request: Request) -> bool:
        """Whether the body is worth keeping. Raises what can be refused without it, before it is read."""

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """The answer, once everything is committed."""


@dataclass(frozen=True)
class DoorAt:
    """A door and where it is."""

    methods: frozenset[str]
    path: re.Pattern[str]
    door: Door
    may_be_large: Callable[[Request], bool] = lambda _request: False
    """Whether the body may have a file inside, and so be larger than what is held in memory."""


class IntakeApp:
    """Finds the door, reads the body, answers; every error becomes a problem document, none a traceback."""

    def __init__(
        self,
        doors: tuple[DoorAt, ...],
        fallback: App,
        *,
        bodies: Bodies,
        large: LargeBodies,
        max_body: int,
        trusted_proxies: Networks,
        count: Callable[[str, int, float], None],
    ) -> None:
        """``fallback`` serves every other path; ``count`` takes (path's shape, status, seconds) for the metrics."""
        self._doors = doors
        self._fallback = fallback
        self._bodies = bodies
        self._large = large
        self._max_body = max_body
        self._trusted_proxies = trusted_proxies
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            for at in self._doors:
                if at.path.fullmatch(scope["path"]):
                    await self._serve(at, scope, receive, send)
                    return
        try:
            await self._fallback(scope, receive, send)
        except Exception:
            raise
        except BaseException as error:
            # What a plugin's answer raises while it is streamed ends that request, not the process.
            raise broken("wagate", f"the answer at {scope.get('path', '')}", error) from error

    async def _serve(self, at: DoorAt, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request = Request(scope, self._trusted_proxies)
        note = ""
        try:
            answer = await self._answer(at, request, receive)
            status, body, note = answer.status, answer.body, answer.note
            # What is echoed (a challenge) must never be taken for a page.
            headers = {"content-type": answer.content_type, "x-content-type-options": "nosniff", **answer.headers}
        except ClientGoneError:
            status, headers, body, note = 499, {}, b"", "client gone"
        except WagateError as error:
            status, headers, body = problem_of(error, request.path)
            note = str(error)[:200]
            if isinstance(error, MethodNotAllowedError):
                headers["allow"] = ", ".join(sorted(at.methods))
        except Exception:
            log.exception("intake failed", path=request.path)
            status, headers, body = problem_of(WagateError(), request.path)
        seconds = perf_counter() - began
        self._count(at.path.pattern, status, seconds)
        log.info("webhook in", path=request.path, status=status, ms=round(seconds * 1000, 1), note=note)
        if status != 499:
            await respond(send, status, body, headers)

    async def _answer(self, at: DoorAt, request: Request, receive: Receive) -> Answer:
        if request.method not in at.methods:
            raise MethodNotAllowedError(f"{request.method} is not allowed here; use {', '.join(sorted(at.methods))}")
        keep = at.door.admit(request)
        with self._bodies.hold() as held:
            if is_long(request) and at.may_be_large(request):
                async with self._large.taking(request, receive, held) as on_disk:
                    request.on_disk = on_disk
                    return await at.door(request, on_disk.rest())
            body = await read_body(request.scope, receive, self._max_body, held, keep=keep)
            return await at.door(request, body)


class OwnDeliveries:
    """Refuses deliveries of ours for good: each one taken in would make the next."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refuse(self, request: Request) -> None:
        """Of a sender who was believed: no stranger makes us look. ConflictError: it is ours. StorageError."""
        own_id = request.headers.get(DELIVERY_HEADER)
        if own_id is not None and await self._is_ours(own_id):
            raise ConflictError("this delivery came from this gateway: one of its webhooks leads back into it")

    async def _is_ours(self, own_id: str) -> bool:
        try:
            await self._database.read(get_delivery, own_id)
        except NotFoundError:
            return False
        return True


class OnceDoor:
    """Asks the door behind it once for each key of a caller; without a key, each time."""

    def __init__(self, door: Door, auth: Authenticator, once: Once) -> None:
        self._door = door
        self._auth = auth
        self._once = once

    def admit(self, request: Request) -> bool:
        """As the door."""
        return self._door.admit(request)

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """As the door, or as it answered before. Raises as `Once.run`."""
        headers = request.headers
        key = headers.get(HEADER.lower())
        if key is None:
            return await self._door(request, body)
        token = token_of(headers.get("authorization"), headers.get("x-api-key"))
        who = self._auth.identify(token, address=request.address)
        place = f"{'admin' if who.admin else who.client_id} {request.method} {request.path}"
        return await self._once.answer(partial(self._door, request, body), ANSWERS, key=key, place=place, asked=body)


async def _kept(answer: Answer) -> Kept:
    return Kept(answer.status, answer.content_type, answer.body)


def _again(kept: Kept) -> Answer:
    return Answer(kept.status, kept.body, kept.content_type, note="given again", headers=dict([REPLAYED]))


ANSWERS: Form[Answer] = Form(_kept, _again)
