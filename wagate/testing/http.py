"""A client that sends nothing: it notes requests and answers by script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import trio

from wagate.http.answer import Response
from wagate.http.client import HttpClient
from wagate.http.download import Downloaded, Sink
from wagate.http.errors import HttpError, TooLongError
from wagate.http.guard import Trust
from wagate.http.owner import OWNER
from wagate.http.url import check_url


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    method: str
    url: str
    headers: dict[str, str]
    """As given, names in lower case."""
    body: bytes
    timeout: float
    owner: int | None = None
    """The client on whose behalf it was made (`wagate.http.on_behalf_of`); None: the gateway's own."""

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return msgspec.json.decode(self.body)


class FakeHttp(HttpClient):
    """The guarded client without a network. ``script`` holds what comes next: a status, a Response, or an error.

    The last entry of ``script`` is used for ever. ``refused`` names the error that `check` raises for a URL.
    """

    def __init__(self, *script: int | Response | HttpError) -> None:
        super().__init__()
        self.script = list(script or (200,))
        self.refused: dict[str, HttpError] = {}
        self.sent: list[Sent] = []

    def answer(self, *script: int | Response | HttpError) -> None:
        """What comes from now on."""
        self.script = list(script)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        timeout: float = 10.0,  # noqa: ASYNC109  (the real one's signature)
        body_limit: int = 20_000,
        trust: Trust = "public",  # noqa: ARG002
    ) -> Response:
        """Note it, and answer with what comes next."""
        await trio.lowlevel.checkpoint()
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        self.sent.append(Sent(method=method, url=url, headers=lower, body=content, timeout=timeout, owner=OWNER.get()))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, HttpError):
            raise answer
        if isinstance(answer, int):
            return answered(answer)
        return msgspec.structs.replace(answer, body=answer.body[:body_limit])

    async def download(
        self,
        url: str,
        sink: Sink,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        limit: int,
        timeout: float = 600.0,  # noqa: ASYNC109  (the real one's signature)
        idle: float = 30.0,  # noqa: ARG002
        trust: Trust = "public",
    ) -> Downloaded:
        """A GET or POST that answers with what comes next; the body of a 200 goes to the sink in one piece."""
        method = "POST" if content else "GET"
        answer = await self.request(
            method, url, headers=headers, content=content, timeout=timeout, body_limit=limit + 1, trust=trust
        )
        body = answer.body if answer.status == 200 else b""
        if len(body) > limit:
            raise TooLongError(limit)
        if body:
            await sink(body)
        said = b"" if answer.status == 200 else answer.body
        return Downloaded(status=answer.status, headers=answer.headers, size=len(body), said=said)

    async def check(self, url: str, *, trust: Trust = "public") -> None:
        """The real check of the URL's form; then what ``refused`` says in place of the network."""
        await trio.lowlevel.checkpoint()
        check_url(url, allow_http=trust == "operator")
        if url in self.refused:
            raise self.refused[url]


def answered(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    """An answer that came whole."""
    return Response(status=status, headers=dict(headers or {}), body=body, truncated=False, duration_ms=1.0)
