"""Golden files: what others see of us, kept under tests/golden. A change of one is a change of the contract.

``WAGATE_GOLDEN=update pytest …`` writes them anew. What differs from run to run is a ``<placeholder>`` there, for which
only a value of its shape stands.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"
UPDATE = "WAGATE_GOLDEN"
BEGAN = datetime.now(UTC)
LATELY = timedelta(days=1), timedelta(days=30)
"""A moment from so long before to so long after the tests began is one of this run."""
WIDTH = 150
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def recent(form: Callable[[str], datetime], name: str) -> Callable[[re.Match[str]], str]:
    """A placeholder for moments of this run; those that a sample brings are shown as they are."""

    def shown(match: re.Match[str]) -> str:
        before, after = LATELY
        return name if BEGAN - before < form(match[0]) < BEGAN + after else match[0]

    return shown


def unix(text: str) -> datetime:
    return datetime.fromtimestamp(int(text) / (1000 if len(text) > 10 else 1), UTC)


SHAPES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"\bv1,[A-Za-z0-9+/]{43}=", "<v1 signature>"),
    (r"\bexp=\d{10}&sig=[A-Za-z0-9_-]{43}", "exp=<seconds>&sig=<signature>"),
    (r"\bwhsec_[A-Za-z0-9+/]{43}=", "<secret>"),
    (r"\bevt_[0-9a-f]{32}\b", "evt_<uuid as hex>"),
    (r"^\d{16}-[0-9a-f]{16}$", "<lease>"),
    (UUID, "<uuid>"),
    (r"\b[0-9a-f]{128}\b", "<hmac-sha512>"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", recent(datetime.fromisoformat, "<time>")),
    (r"(?<![\w.+-])\d{13}(?![\w.-])", recent(unix, "<milliseconds>")),
    (r"(?<![\w.+-])\d{10}(?![\w.-])", recent(unix, "<seconds>")),
    (r"\b(http|https)://(127\.0\.0\.1|localhost):\d+", r"\1://<host>"),
    (r"^(127\.0\.0\.1|localhost):\d+$", "<host>"),
    (r"\bdata:image/png;base64,[A-Za-z0-9+/]+=*", "data:image/png;base64,<png>"),
    (r"^wgt_[A-Za-z0-9_-]{43}$", "<token>"),
    (r"(/ui/(?:scan|enter)\?k=)[A-Za-z0-9_-]{32}$", r"\1<secret>"),
    (r"^[A-Za-z0-9_-]{43}$", "<43 characters>"),
    (r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$", "<signed token>"),
    (r"^\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT$", "<date>"),
    (r"\btry again in \d+ s$", "try again in <number> s"),
    (r"^\d+ MiB free$", "<number> MiB free"),
    (r"\bwagate/\d+\.\d+\.\d+\w*", "wagate/<version>"),
]
FIELDS = {
    "version": r"\d+\.\d+\.\d+\w*",
    "uptime": r"(\d+d )?(\d+h )?(\d+m|\d+s)( \d+s)?",
    "duration_ms": r"\d+(\.\d+)?",
    "processing_duration_ms": r"\d+",
    "content-length": r"\d+",
    "retry-after": r"\d+",
    "etag": r'"[^"]+"',
}
"""Values that differ, by the field's name."""


def check(name: str, made: Mapping[str, Any]) -> None:
    """Hold cases (name → JSON) against ``golden/<name>.json``. Fails with the lines that differ."""
    path = FOLDER / f"{name}.json"
    text = written({case: stable(value) for case, value in made.items()})
    if os.environ.get(UPDATE) == "update":
        path.write_text(text)
    kept = path.read_text() if path.is_file() else ""
    lines = unified_diff(kept.splitlines(), text.splitlines(), path.name, "as it is now", lineterm="", n=8)
    assert text == kept, f"{UPDATE}=update writes it anew\n" + "\n".join(lines)


def stable(value: Any, field: str = "") -> Any:
    """The value with placeholders in place of what differs from run to run."""
    if isinstance(value, dict):
        return {stable(key): stable(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [stable(each, field) for each in value]
    if field in FIELDS and value is not None and re.fullmatch(FIELDS[field], str(value)):
        return f"<{field}>"
    if isinstance(value, str):
        for pattern, placeholder in SHAPES:
            value = re.sub(pattern, placeholder, value)
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        text = stable(str(value))
        return value if text == str(value) else text
    return value


def written(cases: Any) -> str:
    """JSON with what is short in one line."""
    return _written(cases, "") + "\n"


def _written(value: Any, indent: str) -> str:
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or (len(indent) > 1 and len(indent + short) < WIDTH):
        return short
    inner = indent + " "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + _written(each, inner) for each in value) + f"\n{indent}]"
    rows = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {_written(each, inner)}" for key, each in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
