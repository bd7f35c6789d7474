"""A session in WAHA: start, stop, restart, log out; and the QR code that waits to be scanned.

Source: WAHA's OpenAPI document, ``/api/sessions/{session}/…`` and ``/api/{session}/auth/qr``.
"""

from __future__ import annotations

from typing import Final

from wagate.errors import NotSentError
from wagate.hooks import SESSION_ACTIONS, ProviderAccount
from wagate.http import HttpClient
from wagate.parsing.fields import first_text, mapping
from wagate_waha.client import WahaClient, in_path
from wagate_waha.settings import settings_of

ACTIONS: Final = frozenset(SESSION_ACTIONS)


class Session:
    """`control` and `qr` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def control(self, action: str, account: ProviderAccount) -> None:
        """One of `ACTIONS`. A session that was not stopped starts again after ``logout``, with a new QR code."""
        path = f"/api/sessions/{in_path(settings_of(account).session)}/{in_path(action)}"
        await WahaClient(self._http, account).call("POST", path)

    async def qr(self, account: ProviderAccount) -> str:
        """The code's text; '' when the session does not wait for its scan."""
        path = f"/api/{in_path(settings_of(account).session)}/auth/qr"
        try:
            answer = await WahaClient(self._http, account).read(path, query={"format": "raw"})
        except NotSentError as error:
            if error.http_status == 422:  # the session is not SCAN_QR_CODE
                return ""
            raise
        return first_text(mapping(answer), "value")
