"""URLs that InfoBip is told: where to fetch a file, where to post reports."""

from __future__ import annotations

from urllib.parse import quote

from wagate.errors import SendRefusedError
from wagate.hooks import Outgoing


def file_url(outgoing: Outgoing, *, needed: bool = True) -> str:
    """Where anyone can fetch the message's file. SendRefusedError when it is needed and there is none."""
    file, media = outgoing.file, outgoing.message.media
    url = (file.url if file else "") or (media.url if media and not file else "")
    if needed and not url:
        raise SendRefusedError(
            "InfoBip fetches files by URL: set server.public_url so that it can reach ours, or send a public URL"
        )
    return url


def notify_url(webhook_url: str, token: str) -> str:
    """Our webhook's URL with its token: reports asked for by message carry no headers. '' without a public URL."""
    return f"{webhook_url}?token={quote(token, safe='')}" if webhook_url else ""
