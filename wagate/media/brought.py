"""Files that a provider brings itself, part by part, because no plain download does."""

from __future__ import annotations

import trio

from wagate.errors import StorageError, WagateError
from wagate.events import Media
from wagate.hooks.providers import Provider, ProviderAccount
from wagate.media.failure import PROVIDER, NotFetchedError, read_errors
from wagate.media.files import Writing

PATIENCE = 600.0
"""Seconds for a whole file."""


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
