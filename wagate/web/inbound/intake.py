"""The hot path: what comes in from WhatsApp, as a plain ASGI app beside Quart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import msgspec
import structlog

from wagate.errors import MethodNotAllowedError, WagateError
from wagate.plugins.wall import broken
from wagate.web.http.asgi import App, ClientGoneError, Networks, Receive, Request, Scope, Send, respond
from wagate.web.http.bodies import Bodies, read_body
from wagate.web.http.large import LargeBodies, is_long
from wagate.web.problems import problem_of

log = structlog.get_logger("wagate.intake")


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
            raise MethodNotAllowedError(f"{request.method} is not possible here; use {', '.join(sorted(at.methods))}")
        keep = at.door.admit(request)
        with self._bodies.hold() as held:
            if is_long(request) and at.may_be_large(request):
                async with self._large.taking(request, receive, held, keep=keep) as on_disk:
                    request.on_disk = on_disk
                    return await at.door(request, b"" if on_disk is None else on_disk.rest())
            body = await read_body(request.scope, receive, self._max_body, held, keep=keep)
            return await at.door(request, body)
