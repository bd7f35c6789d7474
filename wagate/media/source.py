"""Get one file from where it is: the provider, the URL that came with the message, or the message's own body."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
import trio

from wagate.errors import (
    AccountStoppedError,
    BadRequestError,
    NotFoundError,
    NotSentError,
    SendError,
    SendRefusedError,
    StorageError,
    UnprocessableError,
    WagateError,
)
from wagate.events import Event, Media
from wagate.hooks.listening import Sink
from wagate.hooks.providers import MediaRequest, ProviderAccount
from wagate.http import BadUrlError, Downloaded, HttpClient, HttpError, TooLongError, on_behalf_of
from wagate.media.files import FileStore, Writing
from wagate.media.names import safe_name
from wagate.media.sniff import UNKNOWN, chosen, is_a_page
from wagate.parsing.fields import mapping
from wagate.parsing.jsonbody import read_object
from wagate.parsing.retry_after import seconds_asked_for
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.events.listing import get_event, raw_body
from wagate.storage.media import INLINE, Kept
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory

Fetch = Callable[[Media, ProviderAccount, Sink], Awaitable[None]]
FETCH_PATIENCE = 600.0
"""Seconds for a provider to bring a whole file."""
LOCATE_PATIENCE = 30.0
"""Seconds for a provider to say where a file is."""

SLICE = 256 * 1024
"""Letters that are decoded at once; base64 goes by fours."""


class NotFetchedError(WagateError):
    """A try that brought no file."""

    def __init__(self, reason: str, *, final: bool = False, after: float = 0.0, asked: bool = True) -> None:
        """``final``: no other try can succeed. ``after``: seconds to wait at least. ``asked``: the provider was."""
        super().__init__(reason)
        self.final = final
        self.after = after
        self.asked = asked


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where files come from."""

    database: Database
    files: FileStore
    http: HttpClient
    live: LiveDirectory
    providers: Providers
    max_size: int
    """Bytes of the largest file."""

    async def fetch(self, event_id: str) -> Kept:
        """Get the file of an event onto the disk.

        Raises:
            NotFetchedError: no file. StorageError: disk or database can take no more.
        """
        try:
            event = await self.database.read(get_event, event_id)
        except NotFoundError as error:
            raise NotFetchedError("its message was deleted", final=True, asked=False) from error
        if INLINE in event.extra:
            return await self._decode(event)
        with on_behalf_of(event.client_id):
            if (bring := self._brought(event)) is not None:
                return await bring()
            request = await self._locate(event)
            with _translated():
                return await self._download(event, request)

    async def _download(self, event: Event, request: MediaRequest) -> Kept:
        async with self.files.writing() as writing:
            got = await self.http.download(
                request.url, writing.write, headers=request.headers, limit=self.max_size, trust=request.trust
            )
            _check(got, request)
            return await _settle(writing, event, request.mimetype or got.content_type)

    def _brought(self, event: Event) -> Callable[[], Awaitable[Kept]] | None:
        """How its provider brings the file itself; None when it does not."""
        account = self.live.now.by_id.get(event.account_id)
        provider = self.providers.get(event.provider)
        if account is None or provider is None or provider.fetch_media is None:
            return None
        return partial(self._bring, event, account, provider.fetch_media)

    async def _bring(self, event: Event, account: Account, fetch: Fetch) -> Kept:
        assert event.media is not None
        async with self.files.writing() as writing:
            sink = _Limited(writing, self.max_size)
            with _translated(), trio.move_on_after(FETCH_PATIENCE) as patience:
                try:
                    await fetch(event.media, self.providers.account(account), sink)
                except WagateError:
                    if sink.failed is not None:
                        raise sink.failed  # noqa: B904  (what the provider made of it says less)
                    raise
            if patience.cancelled_caught:
                raise NotFetchedError(f"the provider did not bring it within {FETCH_PATIENCE:g} s")
            return await _settle(writing, event, "")

    async def _decode(self, event: Event) -> Kept:
        raw = await self.database.read(raw_body, event.id)
        try:
            text = await self.files.run(lambda: inline_data(raw, event.extra[INLINE]))
            async with self.files.writing() as writing:
                for chunk in decoded(text):
                    await writing.write(chunk)
                return await _settle(writing, event, "")
        except NotFoundError as error:
            raise NotFetchedError(str(error), final=True, asked=False) from error
        except ValueError as error:
            raise NotFetchedError("the file in the message's body is not base64", final=True, asked=False) from error

    async def _locate(self, event: Event) -> MediaRequest:
        """Where it is right now."""
        media = event.media
        account = self.live.now.by_id.get(event.account_id)
        provider = self.providers.get(event.provider)
        assert media is not None
        if account is None or provider is None or provider.locate_media is None:
            if not media.url:
                raise NotFetchedError(
                    "it came without a URL, and the provider can't locate it", final=True, asked=False
                )
            return MediaRequest(url=media.url, mimetype=media.mimetype)
        with _translated():
            with trio.move_on_after(LOCATE_PATIENCE):
                return await provider.locate_media(media, self.providers.account(account))
            raise NotFetchedError(f"the provider did not say within {LOCATE_PATIENCE:g} s where it is")


class _Limited:
    """Takes the parts of a file, up to a size."""

    def __init__(self, writing: Writing, most: int) -> None:
        self._writing = writing
        self._most = most
        self._size = 0
        self.failed: StorageError | NotFetchedError | None = None
        """Why it took no more."""

    async def __call__(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            self.failed = NotFetchedError(f"it is larger than {self._most} bytes", final=True)
            raise self.failed
        try:
            await self._writing.write(part)
        except StorageError as error:
            self.failed = error
            raise


async def _settle(writing: Writing, event: Event, told: str) -> Kept:
    media = event.media
    assert media is not None
    told = told if told and not told.lower().startswith(UNKNOWN) else media.mimetype
    if not writing.head:
        raise NotFetchedError("it came empty")
    if is_a_page(told or media.mimetype, writing.head):
        raise NotFetchedError(f"a page of text came in place of {told}")
    written = await writing.finish()
    mimetype = chosen(told, written.head)
    name = safe_name(media.filename, mimetype, otherwise=event.type)
    return Kept(sha256=written.sha256, mimetype=mimetype, filename=name, size=written.size)


def _check(got: Downloaded, request: MediaRequest) -> None:
    if got.status != 200:
        after = seconds_asked_for(got.headers.get("retry-after")) or 0.0
        raise NotFetchedError(f"it was answered with {got.status}", after=after)
    if request.size is not None and got.size < request.size:
        raise NotFetchedError(f"it came short: {got.size} of {request.size} bytes")


@contextmanager
def _translated() -> Iterator[None]:
    """What providers and the network raise, as NotFetchedError."""
    try:
        yield
    except (SendRefusedError, AccountStoppedError) as error:
        raise NotFetchedError(error.reason, final=True) from error
    except NotSentError as error:
        raise NotFetchedError(error.reason, after=error.after or 0.0) from error
    except SendError as error:
        raise NotFetchedError(error.reason) from error
    except (BadUrlError, TooLongError) as error:
        raise NotFetchedError(error.reason, final=True) from error
    except HttpError as error:
        raise NotFetchedError(error.reason) from error
    except UnprocessableError as error:
        raise NotFetchedError(str(error), asked=False) from error


def inline_data(raw: bytes, place: str) -> str:
    """The base64 text at a place like ``data.messageMedia``. NotFoundError: there is none."""
    try:
        found: Any = read_object(raw)
    except BadRequestError as error:
        raise NotFoundError("the body that the file came in can't be read any more") from error
    for name in place.split("."):
        found = mapping(found).get(name)
    text = mapping(found).get("data")
    if not isinstance(text, str) or not text:
        raise NotFoundError("the body that the file came in does not hold it")
    return "".join(text.rpartition(";base64,")[2].split())


def decoded(text: str) -> Iterator[bytes]:
    """The bytes of base64 text, a slice at a time. Raises ValueError when it is none."""
    text = text.rstrip("=")
    text = text.replace("-", "+").replace("_", "/") if "-" in text or "_" in text else text
    text += "=" * (-len(text) % 4)
    for start in range(0, len(text), SLICE):
        yield a2b_base64(text[start : start + SLICE].encode("ascii"), strict_mode=True)
