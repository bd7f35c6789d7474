"""Keep secret values out of logs and answers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_SHORTEST: Final = 4
"""Shorter secrets are left: hiding every "a" would hide the log, not the secret."""


def redact(text: str, secrets: frozenset[str]) -> str:
    """The text with each of the secrets in it replaced by ``•••``."""
    pattern = _pattern(secrets)
    return text if pattern is None else pattern.sub("•••", text)


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    longest_first = sorted((secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
