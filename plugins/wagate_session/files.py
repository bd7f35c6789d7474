"""How a file goes out: the engine fetches its URL, or gets its bytes in the request."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.hooks import Outgoing
from wagate.hooks.base64_files import goes_along, mark_of
from wagate_session.settings import settings_of


def file_content(outgoing: Outgoing) -> dict[str, Any]:
    """``contentType`` and ``content``; when the bytes must go along, a mark is in ``data`` for `filled` to replace.

    Raises:
        SendRefusedError: it can go neither way.
    """
    file = outgoing.file
    if file is None:
        raise SendRefusedError(f"a message of type {outgoing.message.type!r} needs a file")
    if in_body(outgoing):
        content = {"mimetype": file.mimetype, "data": mark_of(file), "filename": file.filename}
        return {"contentType": "MessageMedia", "content": content}
    if not file.url:
        raise SendRefusedError("the engine can't fetch this file: it has no URL, and we don't hold it")
    named = {"filename": file.filename}
    return {"contentType": "MessageMediaFromURL", "content": file.url, "mediaFromURLOptions": named}


def in_body(outgoing: Outgoing) -> bool:
    """Whether the bytes go along: the account wants that, or there is no URL, and we hold the file."""
    wanted = settings_of(outgoing.account).media == "base64"
    return outgoing.file is not None and goes_along(outgoing.file, wanted=wanted)
