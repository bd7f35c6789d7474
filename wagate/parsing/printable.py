"""Text from outside, on its way to a terminal."""

from __future__ import annotations

import json


def printable(text: str, *, keep: str = "") -> str:
    """The text without control characters, and without those that turn its direction: they would steer the terminal.

    Each becomes a blank, but for those in ``keep``.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else " " for each in text)


def printable_json(value: object) -> str:
    """JSON for people: what can't be printed is escaped, all else stays readable."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)
