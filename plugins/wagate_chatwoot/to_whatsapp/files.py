"""Files of agents' messages: fetched by whoever sends them, or by us when only we can reach Chatwoot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from urllib.parse import urljoin, urlsplit, urlunsplit

import trio
from msgspec.structs import replace

from wagate.errors import TooLargeError, WagateError
from wagate.hooks import OutMedia, OutMessage
from wagate.http import AddressNotAllowedError, BadUrlError, Downloaded, HttpError, TooLongError, Trust
from wagate_chatwoot.inboxes import App

MOST = 2 * 1024**3
"""Bytes; what WhatsApp takes at most, from anybody."""
PATIENCE = 100.0
"""Seconds for one file; less than the handler has."""
LOCATING = 15.0
"""Seconds for one redirect."""
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}
STORED = "/rails/active_storage/"
"""How the paths of Chatwoot's files begin."""
PIECES = 8
"""That wait between reading and writing."""


class FileError(WagateError):
    """A file did not come from Chatwoot. ``reason`` is plain."""

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(reason)
        self.filename = filename
        self.reason = reason


class FileGoneError(FileError):
    """It is not there any more, or it can't be taken."""


class FileAwayError(FileError):
    """It may come another time."""


async def reachable(app: App, message: OutMessage) -> OutMessage:
    """The message with a file that its sender can fetch: where the guard lets nobody in, we keep the file ourselves.

    Only Chatwoot's own origin (scheme, host, port) is fetched from, and trusted so far: it stands in the operator's
    configuration. Where its redirects lead, to a bucket mostly, the guard judges.
    Raises FileGoneError, FileAwayError.
    """
    media = message.media
    if media is None or not media.url:
        return message
    url = _at_home(app, media)
    message = replace(message, media=replace(media, url=url))
    if not _is_chatwoots(app, url):
        return message  # one of `files_from`: the guard judges it wherever it is sent
    try:
        await app.context.http.check(url)
    except (AddressNotAllowedError, BadUrlError):
        return replace(message, media=await _keep(app, replace(media, url=url)))
    except HttpError:
        pass  # whoever sends it finds out, and tries again
    return message


def _at_home(app: App, media: OutMedia) -> str:
    """Where the file is at Chatwoot's own origin, or at one of ``files_from``. FileGoneError: it is at another.

    Links begin with Chatwoot's FRONTEND_URL, which may be another address of the same server than the inbox's ``url``;
    what Active Storage signs is the path.
    """
    if _is_chatwoots(app, media.url) or _is_at(media.url, app.inbox.files_from):
        return media.url
    try:
        parts = urlsplit(media.url)
    except ValueError as error:
        raise FileGoneError(media.filename, "its link can't be read") from error
    if not parts.path.startswith(STORED) or ".." in parts.path:
        raise FileGoneError(media.filename, f"it is at {parts.hostname}, not in Chatwoot; files_from can allow that")
    home = urlsplit(app.inbox.url)
    return urlunsplit((home.scheme, home.netloc, parts.path, parts.query, ""))


async def _located(app: App, url: str) -> str:
    """Where Chatwoot's redirects lead, followed as long as they stay at its origin; all else passes the guard."""
    for _ in range(MOST_REDIRECTS):
        answer = await app.context.http.request("GET", url, timeout=LOCATING, body_limit=1, trust="operator")
        location = answer.headers.get("location", "")
        if answer.status not in REDIRECTS or not location:
            break
        try:
            url = urljoin(url, location)
        except ValueError as error:
            raise BadUrlError("Chatwoot's redirect has no usable target") from error
        if not _is_chatwoots(app, url):
            break
    return url


def _is_chatwoots(app: App, url: str) -> bool:
    return _is_at(url, (app.inbox.url,))


def _is_at(url: str, places: Iterable[str]) -> bool:
    try:
        return _origin(url) in {_origin(each) for each in places}
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


async def _keep(app: App, media: OutMedia) -> OutMedia:
    """Fetch it piece by piece into our own store."""
    client_id = app.client_id
    assert client_id is not None  # a message without a client is never handed on
    into, pieces = trio.open_memory_channel[bytes](PIECES)
    ended: list[Downloaded | HttpError] = []
    kept: list[OutMedia | WagateError] = []

    async def fetch() -> None:
        async with into:
            try:
                url = await _located(app, media.url)
                trust: Trust = "operator" if _is_chatwoots(app, url) else "public"
                ended.append(await app.context.http.download(url, into.send, limit=MOST, timeout=PATIENCE, trust=trust))
            except HttpError as error:
                ended.append(error)

    async def whole() -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece
        # Only a file that came whole is kept.
        _check(ended[0], media)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fetch)
        async with pieces:
            try:
                kept.append(
                    await app.context.media.keep(
                        whole(), client_id=client_id, filename=media.filename, mimetype=media.mimetype
                    )
                )
            except WagateError as error:
                kept.append(error)
        nursery.cancel_scope.cancel()
    return _kept(kept[0], media)


def _kept(kept: OutMedia | WagateError, media: OutMedia) -> OutMedia:
    if isinstance(kept, TooLargeError):
        raise FileGoneError(media.filename, kept.detail) from kept
    if isinstance(kept, WagateError):
        raise kept
    return kept


def _check(ended: Downloaded | HttpError, media: OutMedia) -> None:
    match ended:
        case AddressNotAllowedError() | BadUrlError():
            raise FileGoneError(media.filename, f"it is at an address from which wagate may not fetch: {ended.reason}")
        case TooLongError():
            raise FileGoneError(media.filename, ended.reason)
        case HttpError():
            raise FileAwayError(media.filename, ended.reason)
        case Downloaded(status=200):
            return
        case Downloaded(status=status) if status in {404, 410}:
            raise FileGoneError(media.filename, f"Chatwoot answered with {status}")
        case Downloaded():
            raise FileAwayError(media.filename, f"Chatwoot answered with {ended.status}")
