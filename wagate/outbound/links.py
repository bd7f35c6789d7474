"""Which links of a message a provider or an engine fetches for us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wagate.hooks.messages import OutMessage

_FETCHED = frozenset({"link", "mediaurl", "media_url", "imageurl", "image_url"})
"""Keys of templates and interactive messages, in lower case; what stands behind a button is for people."""


def links_in(message: OutMessage) -> Iterator[str]:
    """The URL of its file, and those in a template's or an interactive message's header."""
    if message.media is not None and message.media.url:
        yield message.media.url
    yield from _links(message.template)
    yield from _links(message.interactive)


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and "://" in item and str(name).lower() in _FETCHED:
                yield item
            else:
                yield from _links(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _links(item)
