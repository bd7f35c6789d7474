"""Headers of interactive messages, templates and cards: Meta's form → Infobip's. Pure."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from wagate.errors import SendRefusedError
from wagate.parsing.fields import first_text, mapping

_FILES = frozenset({"image", "video", "document", "gif"})


def header_of(
    header: dict[str, Any],
    file_url: str,
    allowed: Collection[str],
    *,
    text_key: str = "text",
    url_key: str = "mediaUrl",
) -> dict[str, Any]:
    """``{type: image, image: {link}}`` → ``{type: IMAGE, mediaUrl}``; {} for none.

    ``text_key`` and ``url_key`` are what a text and a URL are called there: it differs from place to place.
    ``file_url`` is the header's file when it has no link.

    Raises:
        SendRefusedError: Infobip takes no such header there, or it has a media id of Meta's, or no file at all.
    """
    kind = first_text(header, "type").lower()
    if not kind:
        return {}
    if kind not in allowed:
        raise SendRefusedError(
            f"Infobip takes no header of type {kind[:40]!r} here, but {' or '.join(sorted(allowed))}"
        )
    part = mapping(header.get(kind))
    if kind == "text":
        return {"type": "TEXT", text_key: first_text(header, "text")}
    if kind in _FILES:
        return _file(kind, part, file_url, url_key)
    return {"type": "LOCATION", "latitude": _degrees(part, "latitude"), "longitude": _degrees(part, "longitude")}


def _file(kind: str, part: dict[str, Any], file_url: str, url_key: str) -> dict[str, Any]:
    url = first_text(part, "link") or file_url
    if not url:
        given = "Infobip takes no media ids" if part.get("id") else "the header has no file"
        raise SendRefusedError(f"{given}: give {kind}.link, a URL that anyone can fetch")
    made = {"type": kind.upper(), url_key: url}
    return made | {"filename": first_text(part, "filename") or name_in(url)} if kind == "document" else made


def name_in(url: str) -> str:
    """A document's name, which Infobip requires: the last part of its URL when that is one, else ``document``."""
    try:
        path = PurePosixPath(unquote(urlsplit(url).path))
    except ValueError:
        return "document"
    return path.name[:240] if path.suffix else "document"


def _degrees(part: dict[str, Any], name: str) -> float:
    try:
        return float(part.get(name, ""))
    except (TypeError, ValueError):
        raise SendRefusedError(f"the header's location needs its {name}: a number") from None
