"""``/media`` and ``/api/media``: files in and out, streamed, as a plain ASGI app beside Quart.

Files never change, and can be asked for in part or on conditions (RFC 9110, 13 and 14).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from urllib.parse import quote

import msgspec
import structlog
import trio

from wagate.errors import (
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    RequestError,
    RequestTimeoutError,
    TooLargeError,
    WagateError,
)
from wagate.hooks.contracts import Identity
from wagate.media.sniff import essence
from wagate.media.store import HeldFile, Media
from wagate.storage.media import MediaRow
from wagate.storage.owners.live import LiveDirectory
from wagate.web.access.auth import Authenticator, token_hash, token_of
from wagate.web.access.cors import Cors
from wagate.web.access.rate_limit import RateLimit
from wagate.web.documents.door_types import FILE, ROW, UPLOAD, MediaAnswer
from wagate.web.http.asgi import App, ClientGoneError, Networks, Receive, Request, Scope, Send
from wagate.web.http.exchange import Exchange
from wagate.web.media.upload import Upload

FORM_ROOM = 64 * 1024
"""Bytes of a form beside its file."""
UPLOAD_PATIENCE = 600.0
"""Seconds for a whole upload; between two chunks the server has a patience of its own."""
INLINE = ("image/", "audio/", "video/", "application/pdf")
NEVER_INLINE = frozenset({"image/svg+xml"})
"""Pictures that are programs."""

View = Callable[..., Awaitable[None]]
"""(exchange, what the path names) → answered."""

log = structlog.get_logger("wagate.media")
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)


class MediaDoor:
    """Answers what is about files, and leaves every other path to the next app."""

    def __init__(
        self,
        fallback: App,
        media: Media,
        auth: Authenticator,
        live: LiveDirectory,
        *,
        uploads: RateLimit,
        cors: Cors,
        trusted_proxies: Networks,
        count: Callable[[str, int, float], None],
    ) -> None:
        """``uploads``: how often one token may upload; ``count`` takes (path's shape, status, seconds)."""
        self._fallback = fallback
        self._media = media
        self._auth = auth
        self._live = live
        self._uploads = uploads
        self._cors = cors
        self._trusted_proxies = trusted_proxies
        self._count = count
        self._routes: tuple[tuple[re.Pattern[str], str, Mapping[str, View]], ...] = (
            (re.compile(r"/media/([^/]+)(?:/[^/]*)?"), FILE, {"GET": self._file, "HEAD": self._file}),
            (re.compile(r"/api/media"), UPLOAD, {"POST": self._upload}),
            (re.compile(r"/api/media/([^/]+)"), ROW, {"GET": self._show, "HEAD": self._show, "DELETE": self._delete}),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        # A preflight is a browser's question about the path, and the fallback's to answer.
        if scope["type"] == "http" and scope["method"] != "OPTIONS":
            for pattern, shape, views in self._routes:
                if match := pattern.fullmatch(scope["path"]):
                    exchange = Exchange(Request(scope, self._trusted_proxies), receive, send, self._cors)
                    await self._serve(views, shape, exchange, match.groups())
                    return
        await self._fallback(scope, receive, send)

    async def _serve(self, views: Mapping[str, View], shape: str, exchange: Exchange, names: tuple[str, ...]) -> None:
        began = perf_counter()
        method = exchange.request.method
        try:
            await views.get(method, _no_such_method)(exchange, *names)
        except ClientGoneError:
            exchange.status = 499
        except WagateError as error:
            allow = {"allow": ", ".join(sorted(views))} if isinstance(error, MethodNotAllowedError) else {}
            await exchange.refuse(error, allow)
        except Exception:
            log.exception("media request failed", path=shape)
            await exchange.refuse(WagateError())
        seconds = perf_counter() - began
        self._count(shape, exchange.status, seconds)
        log.info("media", method=method, path=shape, status=exchange.status, ms=round(seconds * 1000, 1))

    async def _file(self, exchange: Exchange, media_id: str) -> None:
        """A file's bytes, for who has its link, or a token of its owner."""
        query, client_id = exchange.request.query, None
        if "sig" in query:
            self._media.links.check(media_id, expires=query.get("exp", ""), mac=query["sig"])
        else:
            client_id = self._identify(exchange.request).client_id
        held = await self._media.open_id(media_id, client_id=client_id)
        etag = f'"{held.sha256}"'
        try:
            part = part_of(exchange.request.headers, etag=etag, size=held.size)
        except UnsatisfiableError as error:
            await exchange.refuse(error, {"content-range": f"bytes */{held.size}"})
            return
        bodiless = exchange.request.method == "HEAD" or part.start == part.stop
        chunks = None if bodiless else held.chunks(part.start, part.stop)
        await exchange.stream(part.status, _headers(held, part, etag), chunks)

    async def _show(self, exchange: Exchange, media_id: str) -> None:
        """A file's row."""
        row = await self._media.get(media_id, client_id=self._identify(exchange.request).client_id)
        await exchange.send_json(HTTPStatus.OK, self._answer(row))

    async def _delete(self, exchange: Exchange, media_id: str) -> None:
        """Forget a file to send."""
        await self._media.delete(media_id, client_id=self._identify(exchange.request).client_id)
        await exchange.send_nothing()

    async def _upload(self, exchange: Exchange) -> None:
        """Take in a file to send."""
        request = exchange.request
        identity = self._identify(request)
        self._uploads.spend(token_hash(_token(request) or ""))
        owner = self._owner(identity, request.query.get("tenant_id") or request.query.get("client"))
        most = self._media.max_size
        length = request.headers.get("content-length", "")
        if length and not length.isdigit():
            raise BadRequestError("Content-Length is not a number", field="Content-Length")
        if length and int(length) > most + FORM_ROOM:
            raise TooLargeError(f"the file is over {most} bytes (media.max_size)")
        upload = Upload(
            exchange.receive,
            content_type=request.headers.get("content-type", ""),
            filename=request.query.get("filename", ""),
            most=most + FORM_ROOM,
        )
        try:
            with trio.fail_after(UPLOAD_PATIENCE):
                row = await self._media.take_in(upload, client_id=owner)
        except trio.TooSlowError as error:
            raise RequestTimeoutError(f"the file did not come within {UPLOAD_PATIENCE:g} s") from error
        await exchange.send_json(HTTPStatus.CREATED, self._answer(row))

    def _identify(self, request: Request) -> Identity:
        return self._auth.identify(_token(request), address=request.address)

    def _owner(self, identity: Identity, tenant: str | None) -> int:
        """Whose file it becomes. NotFoundError when the token's client is not the one that is named."""
        directory = self._live.now
        if identity.client_id is None:
            return directory.client(tenant or "default").id
        if tenant not in {None, "", identity.tenant, str(identity.client_id)}:
            raise NotFoundError(f"no client {(tenant or '')[:100]!r}")
        return identity.client_id

    def _answer(self, row: MediaRow) -> MediaAnswer:
        return MediaAnswer(
            id=row.id,
            mimetype=row.mimetype,
            filename=row.filename,
            size=row.size,
            url=self._media.link(row),
            status=row.status,
            direction=row.direction,
            error=row.error,
            created_at=row.created_at,
        )


async def _no_such_method(exchange: Exchange, *_: str) -> None:
    raise MethodNotAllowedError(f"{exchange.request.method} is not possible here")


def _token(request: Request) -> str | None:
    return token_of(request.headers.get("authorization"), request.headers.get("x-api-key"))


def _headers(held: HeldFile, part: Part, etag: str) -> dict[str, str]:
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=86400, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }
    if part.status == HTTPStatus.NOT_MODIFIED:
        return headers
    headers["content-type"] = held.mimetype.encode("ascii", "replace").decode()
    headers["content-disposition"] = disposition(held.mimetype, held.filename)
    headers["content-length"] = str(part.stop - part.start)
    if part.status == HTTPStatus.PARTIAL_CONTENT:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{held.size}"
    return headers


def disposition(mimetype: str, filename: str) -> str:
    """Content-Disposition (RFC 6266): shown in place only when it can't be a page."""
    kind = essence(mimetype)
    how = "inline" if kind.startswith(INLINE) and kind not in NEVER_INLINE else "attachment"
    plain = "".join(ch if " " <= ch <= "~" and ch not in '"\\%' else "_" for ch in filename)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


class UnsatisfiableError(RequestError):
    """416: the range lies outside of the file."""

    status = 416
    title = "Range not satisfiable"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer."""

    status: int
    """200, 206, or 304 without a body."""
    start: int
    stop: int
    """The byte after the last one."""


def part_of(headers: Mapping[str, str], *, etag: str, size: int) -> Part:
    """Which part of a file a request wants. A range that can't be read, and several at once, count as none.

    Raises:
        UnsatisfiableError: it begins behind the end.
    """
    if _names(headers.get("if-none-match", ""), etag):
        return Part(status=304, start=0, stop=0)
    whole = Part(status=200, start=0, stop=size)
    wanted = _RANGE.fullmatch(headers.get("range", "").strip())
    if wanted is None or headers.get("if-range", etag).strip() != etag:
        return whole
    first, last = wanted.groups()
    if not first and not last:
        return whole
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size or (not first and int(last) == 0):
        raise UnsatisfiableError(f"the file has {size} bytes")
    return whole if stop <= start else Part(status=206, start=start, stop=stop)


def _names(given: str, etag: str) -> bool:
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in given.split(","))
