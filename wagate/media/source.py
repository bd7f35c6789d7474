"""Get one file from where it is: the provider, by a plain download or part by part, its URL, or the message itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec
import trio
from msgspec.structs import replace

from wagate.errors import BadRequestError, NotFoundError, StorageError, TooLargeError, UnprocessableError, WagateError
from wagate.events import Event, Media
from wagate.events import Media as EventMedia
from wagate.hooks.providers import MediaRequest, Provider, ProviderAccount
from wagate.http import Downloaded, HttpClient, on_behalf_of
from wagate.media.base64 import decoded, file_at, inline_data
from wagate.media.failure import DEAD, PROVIDER, NotFetchedError, read_errors, read_send_error, speaks_of_the_host
from wagate.media.files import FileStore, Writing
from wagate.media.inside import BodyOnDisk
from wagate.media.sniff import UNKNOWN, chosen, is_a_page, safe_name
from wagate.parsing.fields import first_text
from wagate.parsing.jsonbody import read_object
from wagate.parsing.retry_after import seconds_asked_for
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.events.listing import get_event, raw_body
from wagate.storage.media import INLINE, Kept
from wagate.storage.owners.live import LiveDirectory

LOCATE_PATIENCE = 30.0
"""Seconds for a provider to say where a file is."""
MOST_BESIDE = 1024 * 1024
"""Bytes of JSON that may stand beside a file in base64."""

Rests = Callable[[str], float]
"""Another host's name → seconds for which it rests after errors."""
PATIENCE = 600.0
"""Seconds for a whole file."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where files come from."""

    database: Database
    files: FileStore
    http: HttpClient
    live: LiveDirectory
    providers: Providers
    max_size: int
    """Bytes of the largest file."""

    async def fetch(self, event_id: str, rests: Rests = lambda _host: 0.0) -> Kept:
        """Get the file of an event onto the disk.

        Raises:
            NotFetchedError: no file. StorageError: disk or database can take no more.
        """
        try:
            event = await self.database.read(get_event, event_id)
        except NotFoundError as error:
            raise NotFetchedError("its message was deleted", final=True) from error
        assert event.media is not None
        provider = self.providers.get(event.provider)
        if INLINE in event.extra:
            try:
                return await self._decode(event)
            except NotFetchedError:
                if not event.media.provider_id or provider is None or provider.locate_media is None:
                    raise
        if (size := event.media.size) is not None and size > self.max_size:
            raise NotFetchedError(f"it has {size} bytes, over media.max_size ({self.max_size})", final=True)
        try:
            with on_behalf_of(event.client_id):
                if provider is not None and provider.fetch_media is not None:
                    return await self._bring(event, event.media, provider)
                return await self._fetch_or_ask(event, event.media, provider, rests)
        except NotFetchedError as error:
            error.counted = provider.media_errors if provider is not None and error.spent else 0
            raise

    async def _bring(self, event: Event, media: EventMedia, provider: Provider) -> Kept:
        account = self.live.now.by_id.get(event.account_id)
        if account is None:
            raise NotFetchedError("its account was deleted", final=True)
        try:
            seen = self.providers.account(account)
        except UnprocessableError as error:
            raise NotFetchedError(str(error)) from error
        async with self.files.writing() as writing:
            await bring(provider, media, seen, writing, most=self.max_size)
            return await settle_file(writing, media, event.type, "")

    async def _fetch_or_ask(self, event: Event, media: EventMedia, provider: Provider | None, rests: Rests) -> Kept:
        """At its link; when that is dead, the provider is asked by its id."""
        try:
            return await self._fetch(event, media, provider, rests)
        except NotFetchedError as error:
            by_id = media.provider_id and provider is not None and provider.locate_media is not None
            # Also a link that the id gave may lapse before it is used; whether the file itself is gone, the id says.
            if not (error.dead and by_id and (media.url or error.final)):
                raise
        return await self._fetch(event, replace(media, url=None), provider, rests)

    async def _fetch(self, event: Event, media: EventMedia, provider: Provider | None, rests: Rests) -> Kept:
        request = await self._locate(event, media, provider)
        # What gets the account's key, or is at an address that the operator wrote, is the provider's own.
        own = bool(request.headers) or request.trust == "operator"
        host = PROVIDER if own else urlsplit(request.url).hostname or "?"
        if not own and (rest := rests(host)) > 0:
            raise NotFetchedError(f"{host} rests after errors", after=rest, spent=False)
        with read_errors(host):
            async with self.files.writing() as writing:
                body = BodyOnDisk(writing, most=MOST_BESIDE, limit="1 MiB", take=lambda _count: None)
                got = await self.http.download(
                    request.url,
                    body.write if request.inside else writing.write,
                    headers=request.headers,
                    content=request.content,
                    limit=base64_size(self.max_size) + MOST_BESIDE if request.inside else self.max_size,
                    trust=request.trust,
                )
                _check(got, request, host, provider)
                if request.inside:
                    return await self._take_out(event, body, request.inside)
                return await settle_file(writing, media, event.type, request.mimetype or got.content_type)

    async def _take_out(self, event: Event, body: BodyOnDisk, place: str) -> Kept:
        """The file in base64 that came inside an answer."""
        assert event.media is not None
        try:
            document = read_object(body.rest())
            told = first_text(file_at(document, place), "mimetype")
            async with self.files.writing() as writing, aclosing(body.file(document, place)) as chunks:
                async for chunk in chunks:
                    await writing.write(chunk)
                return await settle_file(writing, event.media, event.type, told)
        except (BadRequestError, NotFoundError, TooLargeError, ValueError) as error:
            raise NotFetchedError(f"the answer holds no file in base64: {error}") from error

    async def _decode(self, event: Event) -> Kept:
        raw = await self.database.read(raw_body, event.id)
        try:
            text = await self.files.run(lambda: inline_data(raw, event.extra[INLINE]))
            async with self.files.writing() as writing:
                for chunk in decoded(text):
                    await writing.write(chunk)
                assert event.media is not None
                return await settle_file(writing, event.media, event.type, "")
        except NotFoundError as error:
            raise NotFetchedError(str(error), final=True) from error
        except ValueError as error:
            raise NotFetchedError("the file in the message's body is not base64", final=True) from error

    async def _locate(self, event: Event, media: EventMedia, provider: Provider | None) -> MediaRequest:
        """Where it is right now."""
        account = self.live.now.by_id.get(event.account_id)
        if account is None or provider is None or provider.locate_media is None:
            if not media.url:
                raise NotFetchedError("it came without a URL, and the provider can't locate it", final=True)
            return MediaRequest(url=media.url, mimetype=media.mimetype)
        try:
            with read_errors():
                with trio.move_on_after(LOCATE_PATIENCE):
                    return await provider.locate_media(media, self.providers.account(account))
        except UnprocessableError as error:
            raise NotFetchedError(str(error)) from error
        reason = f"the provider did not say within {LOCATE_PATIENCE:g} s where it is"
        raise NotFetchedError(reason, host=PROVIDER)


def base64_size(size: int) -> int:
    """Letters of so many bytes, with a line break after each 76 at most."""
    return size * 4 // 3 * 78 // 76 + 4


async def settle_file(writing: Writing, media: EventMedia, kind: str, told: str) -> Kept:
    """Keep what was written, under the name and type that it may have. ``kind``: the message's type.

    Raises:
        NotFetchedError: it is no file.
    """
    told = told if told and not told.lower().startswith(UNKNOWN) else media.mimetype
    if not writing.head:
        raise NotFetchedError("it came empty")
    if is_a_page(told or media.mimetype, writing.head):
        raise NotFetchedError(f"a page of text came in place of {told}")
    written = await writing.finish()
    mimetype = chosen(told, written.head)
    name = safe_name(media.filename, mimetype, otherwise=kind)
    return Kept(sha256=written.sha256, mimetype=mimetype, filename=name, size=written.size)


def _check(got: Downloaded, request: MediaRequest, host: str, provider: Provider | None) -> None:
    if got.status != 200:
        if host == PROVIDER and provider is not None and provider.media_answer is not None:
            raise read_send_error(provider.media_answer(got.status, got.said))
        raise NotFetchedError(
            f"it was answered with {got.status}",
            host=host if speaks_of_the_host(got.status) else None,
            after=seconds_asked_for(got.headers.get("retry-after")) or 0.0,
            dead=got.status in DEAD,
            final=got.status == HTTPStatus.GONE,
        )
    if request.size is not None and got.size < request.size:
        raise NotFetchedError(f"it came short: {got.size} of {request.size} bytes")


async def bring(provider: Provider, media: Media, account: ProviderAccount, writing: Writing, *, most: int) -> None:
    """Have the provider write the file, of at most ``most`` bytes.

    Raises:
        NotFetchedError: no file. StorageError: the disk can take no more.
    """
    assert provider.fetch_media is not None
    sink = _Limited(writing, most)
    try:
        with read_errors(), trio.move_on_after(PATIENCE) as patience:
            await provider.fetch_media(media, account, sink)
    except WagateError:
        if sink.failed is not None:
            raise sink.failed from None  # what the provider made of it says less
        raise
    if patience.cancelled_caught:
        raise NotFetchedError(f"the provider did not bring it within {PATIENCE:g} s", host=PROVIDER)


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
