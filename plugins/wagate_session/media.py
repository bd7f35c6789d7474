"""Where the file of a message is: the engine downloads it from WhatsApp when it is asked by the message's id.

Source: avoylenko/wwebjs-api, src/controllers/messageController.js (downloadMedia).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

import msgspec

from wagate.errors import NotSentError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import MediaRequest, ProviderAccount
from wagate_session.client import said_of, settings_of, url_of
from wagate_session.send import bare_id

DOWNLOAD: Final = "/message/downloadMedia"
INSIDE: Final = "messageMedia"
"""Where the answer has the file, in base64."""
_GONE: Final = re.compile(r"(message|media) not found|not available|no longer", re.IGNORECASE)


async def locate_media(media: Media, account: ProviderAccount) -> MediaRequest:
    """The URL that came along, else the engine itself.

    Raises:
        NotSentError: the engine can't be asked; it may still post the file. SendRefusedError: nobody knows its message.
    """
    if media.url:
        return MediaRequest(url=media.url, mimetype=media.mimetype)
    settings = settings_of(account)
    parts = (media.provider_id or "").split("_")
    if len(parts) < 3:
        raise SendRefusedError("the file came without a URL, and without its message's id to ask for it")
    if not settings.base_url:
        raise NotSentError("the engine has not posted the file; without base_url it can't be asked for it")
    headers = {"Content-Type": "application/json"} | ({"x-api-key": settings.api_key} if settings.api_key else {})
    return MediaRequest(
        url=url_of(account, DOWNLOAD),
        headers=headers,
        trust=account.trust,
        content=msgspec.json.encode({"chatId": parts[1], "messageId": bare_id(media.provider_id or "")}),
        inside=INSIDE,
    )


def media_answer(status: int, body: bytes) -> SendError:
    """What an answer without a file means. The engine says 500 of a message that it does not find, too."""
    said = said_of(body)
    reason = f"the engine answered {status}{f': {said}' if said else ''}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and _GONE.search(said):
        return SendRefusedError(reason, http_status=status)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return SendRefusedError(f"the file is too large for the engine ({reason})", http_status=status)
    # What it says of the session (404, 403, 422), or of itself, is so for every file.
    return NotSentError(reason, slow="account", http_status=status)
