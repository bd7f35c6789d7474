"""What forms bring: numbers that people typed, and a key by which the same form counts once."""

from __future__ import annotations

import math
from uuid import uuid4

from werkzeug.datastructures import MultiDict

KEY = "once"
"""The hidden field that `new_key` fills."""


def new_key() -> str:
    """For each form that is shown: pressing its button twice does the act once."""
    return str(uuid4())


def form_key(form: MultiDict[str, str]) -> str:
    """The Idempotency-Key of a form; '' when it has none that could be one."""
    key = form.get(KEY, "")
    return key if len(key) == 36 and key.isascii() and key.isprintable() else ""


def number_in(text: str, kind: type[int] | type[float]) -> tuple[int | float | None, str]:
    """The number that was typed, None for an empty field; and what is wrong with it."""
    if not text.strip():
        return None, ""
    try:
        number = kind(text.strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return None, "Give a whole number, or leave it empty." if kind is int else "Give a number, or leave it empty."
    return number, ""
