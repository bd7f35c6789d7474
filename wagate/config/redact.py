"""Keep secret values out of logs and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Final
from urllib.parse import quote, quote_plus, unquote

_SHORTEST: Final = 4
"""Shorter secrets are left: hiding every "a" would hide the log, not the secret."""


def redact(text: str, secrets: frozenset[str]) -> str:
    """The text with each of the secrets in it replaced by ``•••``, however it is escaped there."""
    pattern = _pattern(secrets)
    return text if pattern is None else pattern.sub("•••", text)


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _forms(secret: str) -> Iterator[str]:
    """As it is, and as texts hold it: Python's repr of text and bytes, JSON, a URL, and JSON of the former."""
    for bare in {secret, secret.strip(), unquote(secret)}:
        written = {bare, repr(bare)[1:-1], repr(bare.encode("utf-8", "replace"))[2:-1]}
        for each in written:
            yield each
            yield json.dumps(each)[1:-1]
            yield json.dumps(each, ensure_ascii=False)[1:-1]
        for quoted in (partial(quote, safe=""), quote, quote_plus):
            yield (encoded := quoted(bare, errors="replace"))
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
