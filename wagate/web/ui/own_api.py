"""The dashboard as a client of the API, without a socket: a page's acts are checked as everybody's are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlencode

import msgspec
import trio
from quart import request

from wagate.errors import NotFoundError, RequestError, UnavailableError
from wagate.hooks.contracts import Identity
from wagate.web.access.idempotency import HEADER, REPLAYED
from wagate.web.access.identity import WITHIN, Within
from wagate.web.http.asgi import App
from wagate.web.http.bodies import WholeBody

PATIENCE: Final = 30.0
"""Seconds for an answer."""
AGAIN: Final = REPLAYED[0].lower().encode()
PASSED_ON: Final = frozenset({b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})
"""Headers of the page's request that the API sees, too: where it comes from, and what we are called."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What the API said."""

    status: int
    data: Any
    """JSON; None when there is no body."""
    replayed: bool = False
    """Whether it said so before, to the same form: what was done then is written down already."""

    @property
    def wrong(self) -> dict[str, str]:
        """Of a refusal that a form can mend: what is wrong, by field; '' is for what concerns no field."""
        if self.status < 400:
            return {}
        named = {each["field"]: each["detail"] for each in self.data.get("errors", [])}
        return named or {"": self.data["detail"]}

    def expect(self) -> Any:
        """The data. RequestError: it was refused."""
        if self.status < 400:
            return self.data
        detail = str(self.data["detail"])
        error = NotFoundError(detail) if self.status == NotFoundError.status else RequestError(detail)
        error.status = self.status
        raise error


class Asking(Protocol):
    """Who asks."""

    @property
    def identity(self) -> Identity:
        """Whose rights hold."""

    @property
    def cookie(self) -> str:
        """What rate limits count by."""


class OwnApi:
    """Calls the API as who looks at the page; the same rights, checks, limits and idempotency keys hold."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: Asking,
        query: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Answered:
        """What it answers; ``path``: as in a URL; ``key``: an Idempotency-Key. UnavailableError: nothing in time."""
        sent = b"" if body is None else msgspec.json.encode(body)
        headers = [each for each in request.scope["headers"] if each[0] in PASSED_ON]
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(sent))]
        if key:
            headers.append((HEADER.lower().encode(), key.encode("latin-1", "replace")))
        given = {name: value for name, value in (query or {}).items() if value not in {None, ""}}
        scope = {
            **request.scope,
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": urlencode(given).encode(),
            "headers": headers,
            WITHIN: Within(identity=who.identity, token=who.cookie),
        }
        status, chunks, replayed = 0, [], False

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, replayed
            status = message.get("status", status)
            replayed = replayed or any(name.lower() == AGAIN for name, _ in message.get("headers", ()))
            chunks.append(message.get("body", b""))

        with trio.move_on_after(PATIENCE):
            await self._app(scope, WholeBody(sent, _nothing_more), send)
        if not status:
            raise UnavailableError(f"there was no answer within {PATIENCE:g} s")
        whole = b"".join(chunks)
        return Answered(status=status, data=msgspec.json.decode(whole) if whole else None, replayed=replayed)


async def _nothing_more() -> Mapping[str, Any]:
    await trio.sleep_forever()
