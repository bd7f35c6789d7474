"""What WhatsApp shows of a chat: the name of a group or channel, the picture, and the number behind a LID.

Source: WAHA's OpenAPI document, ``/api/{session}/groups/{id}``, ``/channels/{id}`` and ``/chats/{chatId}/picture``;
``GET /api/{session}/lids/{lid}`` → ``{"lid", "pn"}``.
"""

from __future__ import annotations

from typing import Any, Final

import trio

from wagate.errors import AccountStoppedError, SendError
from wagate.hooks import Profile, ProviderAccount
from wagate.http import HttpClient, HttpError
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, mapping
from wagate_waha.client import WahaClient, in_path
from wagate_waha.settings import settings_of

SECONDS: Final = 4.0
"""For each of the two requests, which run side by side: who makes a contact of it waits five."""
_NAMED: Final = {"g.us": "groups", "newsletter": "channels"}
_PICTURED: Final = frozenset({*_NAMED, "c.us", "lid"})


class Profiles:
    """`profile` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, chat: str, account: ProviderAccount) -> Profile:
        """What can be seen of it; people's names come with their messages.

        Raises:
            HttpError, SendError: WAHA told nothing at all.
        """
        domain = chat.rpartition("@")[2]
        if domain not in _PICTURED:
            return Profile()
        client, place = WahaClient(self._http, account), f"/api/{in_path(settings_of(account).session)}"
        paths = {"picture": f"{place}/chats/{in_path(chat)}/picture"}
        if domain in _NAMED:
            paths["about"] = f"{place}/{_NAMED[domain]}/{in_path(chat)}"
        told: dict[str, dict[str, Any]] = {}
        errors: list[SendError | HttpError] = []
        async with trio.open_nursery() as nursery:
            for what, path in paths.items():
                nursery.start_soon(_ask, client, what, path, told, errors)
        if not told:
            raise errors[0]
        return read_profile(told.get("about", {}), told.get("picture", {}))


def read_profile(about: dict[str, Any], picture: dict[str, Any]) -> Profile:
    """The profile from the two answers. Pure.

    A group is ``subject`` in NOWEB, ``Name`` in GOWS and ``name`` in WEBJS; a channel has a picture of its own.
    """
    url = first_text(picture, "url") or first_text(about, "picture")
    return Profile(
        name=first_text(about, "subject", "Name", "name"),
        picture=url if url.startswith(("https://", "http://")) else "",
    )


async def _ask(
    client: WahaClient, what: str, path: str, told: dict[str, dict[str, Any]], errors: list[SendError | HttpError]
) -> None:
    try:
        told[what] = mapping(await client.read(path, seconds=SECONDS))
    except (SendError, HttpError) as error:
        if isinstance(error, SendError) and error.http_status == 404:
            told[what] = {}  # There is no such chat, or no picture of it.
        else:
            errors.append(error)


class Lids:
    """`number_of` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, lid: str, account: ProviderAccount) -> str:
        """The number's key; '' when WAHA does not know it, or is too old to be asked (404).

        Raises:
            HttpError, SendError: it did not answer.
        """
        path = f"/api/{in_path(settings_of(account).session)}/lids/{in_path(lid)}"
        try:
            answer = await WahaClient(self._http, account).read(path)
        except AccountStoppedError as error:
            if error.http_status == 404:
                return ""
            raise
        return chat_key(first_text(mapping(answer), "pn"))
