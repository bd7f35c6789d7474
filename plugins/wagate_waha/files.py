"""How a file goes out: WAHA fetches its URL, or gets its bytes in the request."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.hooks import Outgoing
from wagate.hooks.base64_files import goes_along, mark_of
from wagate_waha.settings import settings_of


def file_object(outgoing: Outgoing) -> dict[str, Any]:
    """WAHA's ``file``: with ``url``; when the bytes must go along, with a mark in ``data`` for `filled` to replace.

    Raises:
        SendRefusedError: it can go neither way.
    """
    file = outgoing.file
    if file is None:
        raise SendRefusedError(f"a message of type {outgoing.message.type!r} needs a file")
    described = {"mimetype": file.mimetype, "filename": file.filename}
    if in_body(outgoing):
        return described | {"data": mark_of(file)}
    if not file.url:
        raise SendRefusedError('WAHA can\'t fetch this file: server.public_url is not set; media = "base64" sends it')
    return described | {"url": file.url}


def in_body(outgoing: Outgoing) -> bool:
    """Whether the bytes go along: the account wants that, or there is no URL, and we hold the file."""
    wanted = settings_of(outgoing.account).media == "base64"
    return outgoing.file is not None and goes_along(outgoing.file, wanted=wanted)
