"""A file that another process brings: what arrives in part, in another folder, or too large, is no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wagate.errors import NotSentError, SendRefusedError
from wagate.events import Media
from wagate.hooks import ProviderAccount, Sink
from wagate.media.files import FileStore
from wagate.outbound.carried import Carrier

MEDIA = Media(mimetype="text/plain", provider_id="1")


@pytest.fixture
def account() -> ProviderAccount:
    return ProviderAccount(name="main", phone="", settings=None, webhook_secret="", webhook_url="", trust="operator")


async def fetch(_media: Media, _account: ProviderAccount, sink: Sink) -> None:
    for _ in range(3):
        await sink(b"four")


async def got(carrier: Carrier, ask: Any, account: ProviderAccount) -> bytes:
    parts = []

    async def sink(part: bytes) -> None:
        parts.append(part)

    await carrier.take(ask, MEDIA, account, sink)
    return b"".join(parts)


async def test_what_one_end_writes_the_other_reads(tmp_path: Path, account: ProviderAccount) -> None:
    carrier = Carrier(files=FileStore(tmp_path), most=12)

    async def ask(media: Media, path: str, account: ProviderAccount) -> int:
        return await carrier.bring(fetch, media, path, account)

    assert await got(carrier, ask, account) == b"four" * 3
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_file_that_is_larger_than_it_said_is_cut_off(tmp_path: Path, account: ProviderAccount) -> None:
    carrier = Carrier(files=FileStore(tmp_path), most=11)
    path = tmp_path / "there"
    path.touch()
    with pytest.raises(SendRefusedError, match="larger than 11"):
        await carrier.bring(fetch, MEDIA, str(path), account)
    assert path.stat().st_size == 8


async def test_without_a_common_folder_nothing_is_written(tmp_path: Path, account: ProviderAccount) -> None:
    here, there = (Carrier(files=FileStore(tmp_path / each), most=100) for each in ("a", "b"))
    with pytest.raises(NotSentError, match="same path"):
        await there.bring(fetch, MEDIA, str(tmp_path / "a" / "incoming" / "x"), account)

    async def into_another_folder(*_given: Any) -> int:
        return 12

    with pytest.raises(NotSentError, match="0 of 12 bytes"):
        await got(here, into_another_folder, account)
