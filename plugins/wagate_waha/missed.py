"""What came while we were down, from the store that WAHA keeps (NOWEB: only with ``noweb.store.enabled``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.errors import NotSentError
from wagate.events import NewEvent, Raw
from wagate.hooks import ProviderAccount
from wagate.http import HttpClient
from wagate.parsing.fields import first_text, instant, mapping
from wagate_waha.client import WahaClient, in_path
from wagate_waha.envelope import Envelope
from wagate_waha.ids import read_id
from wagate_waha.parse import message
from wagate_waha.settings import settings_of

MOST_CHATS = 500
"""Chats that are looked at, those with the newest messages first."""
MOST_MESSAGES = 20_000
"""In all."""
_PAGE = 50
_LIMIT = 16 * 2**20
"""Bytes of one page: messages carry thumbnails and the engine's own data."""


class Catcher:
    """`missed` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, account: ProviderAccount, since: datetime) -> AsyncIterator[NewEvent]:
        """Messages since then, chat by chat, in each the oldest first.

        Raises:
            HttpError, SendError: WAHA did not answer.
            NotSentError: there were more than `MOST_MESSAGES`; those were yielded.
        """
        client, session = WahaClient(self._http, account), settings_of(account).session
        place = f"/api/{in_path(session)}/chats"
        told = mapping(await client.read(f"/api/sessions/{in_path(session)}"))
        opened = Envelope(event="message", session=session, payload={}, me=mapping(told.get("me")), phone=account.phone)
        left = MOST_MESSAGES
        for chat in await _chats(client, place, since):
            async for one in _messages(client, f"{place}/{in_path(chat)}/messages", since):
                if not left:
                    raise NotSentError(f"more than {MOST_MESSAGES} messages were missed; the others were skipped")
                left -= 1
                yield _event(replace(opened, payload=one))


async def _chats(client: WahaClient, place: str, since: datetime) -> Sequence[str]:
    """Chats with something since then, newest first as WAHA lists them.

    All, before one is read; and the first ones once more: one that gets a message meanwhile moves to the front.
    """
    found = [chat async for chat in _pages(client, place, since, MOST_CHATS)]
    return [*dict.fromkeys([*found, *[chat async for chat in _pages(client, place, since, _PAGE)]])]


async def _pages(client: WahaClient, place: str, since: datetime, most: int) -> AsyncIterator[str]:
    for offset in range(0, most, _PAGE):
        query = {"limit": str(_PAGE), "offset": str(offset)}
        page = _objects(await client.read(f"{place}/overview", query=query, limit=_LIMIT))
        for chat in page:
            latest = instant(mapping(chat.get("lastMessage")).get("timestamp"))
            # WAHA tells whole seconds.
            if (chat_id := first_text(chat, "id")) and (latest is None or latest.timestamp() >= int(since.timestamp())):
                yield chat_id
        if len(page) < _PAGE:
            return


async def _messages(client: WahaClient, path: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
    """Those of one chat, page by page: they may be many, and are large."""
    query = {
        "sortBy": "timestamp",
        "sortOrder": "asc",
        "downloadMedia": "false",
        "filter.timestamp.gte": str(int(since.timestamp())),
        "limit": str(_PAGE),
    }
    offset = 0
    while True:
        page = _objects(await client.read(path, query=query | {"offset": str(offset)}, limit=_LIMIT))
        for one in page:
            if read_id(one.get("id")).bare:
                yield one
        if len(page) < _PAGE:
            return
        offset += _PAGE


def _event(envelope: Envelope) -> NewEvent:
    event = message(envelope)
    return replace(
        event,
        number=envelope.session,
        timestamp=instant(envelope.payload.get("timestamp")),
        raw=Raw(body=msgspec.json.encode(envelope.payload)),
    )


def _objects(document: object) -> list[dict[str, Any]]:
    return [one for one in document if isinstance(one, dict)] if isinstance(document, list) else []
