"""The number behind a LID.

Source: WAHA's OpenAPI document, ``GET /api/{session}/lids/{lid}`` → ``{"lid", "pn"}``.
"""

from __future__ import annotations

from wagate.errors import AccountStoppedError
from wagate.hooks import ProviderAccount
from wagate.http import HttpClient
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, mapping
from wagate_waha.client import WahaClient, in_path
from wagate_waha.settings import settings_of


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
