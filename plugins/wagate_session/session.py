"""A session at its engine: start, stop, restart, log out; and the QR code that waits to be scanned.

Source: avoylenko/wwebjs-api, swagger.json, src/controllers/sessionController.js and src/sessions.js.
"""

from __future__ import annotations

from typing import Final

from wagate.hooks import ProviderAccount
from wagate.http import HttpClient
from wagate.parsing.fields import first_text
from wagate_session.client import SessionClient
from wagate_session.settings import settings_of

PATHS: Final = {
    "start": ("/session/start",),
    "stop": ("/session/stop",),
    "restart": ("/session/restart",),
    # Terminating logs out and forgets the session: only a new start shows a code again.
    "logout": ("/session/terminate", "/session/start"),
}
"""What can be done → requests, in order. The engine takes them as GET."""


class Session:
    """`control` and `qr` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def control(self, action: str, account: ProviderAccount) -> None:
        """One of `PATHS`."""
        client = SessionClient(self._http, account)
        for path in PATHS[action]:
            await client.call("GET", path)

    async def qr(self, account: ProviderAccount) -> str:
        """The code's text; '' when none waits (``{"success": false}``, "qr code not ready or already scanned")."""
        if not settings_of(account).base_url:
            return ""  # It only receives: what its engine had to show, it posted.
        return first_text(await SessionClient(self._http, account).call("GET", "/session/qr"), "qr")
