"""How long Meta asks to wait, from an answer's headers.

Source: https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wagate.errors import BadRequestError
from wagate.parsing.fields import mapping
from wagate.parsing.jsonbody import read_object
from wagate.parsing.retry_after import LONGEST, seconds_asked_for

BUSINESS_USAGE: Final = "x-business-use-case-usage"


def wait_asked_for(headers: Mapping[str, str], *, usage: bool = False) -> float | None:
    """Seconds, at most a day; None when nothing is asked for. ``usage``: the account's usage header counts, too."""
    after = seconds_asked_for(headers.get("retry-after"))
    if after is not None:
        return after
    return _until_regained(headers.get(BUSINESS_USAGE, "")) if usage else None


def _until_regained(text: str) -> float | None:
    """``{"<business id>": [{"estimated_time_to_regain_access": <minutes>, …}]}``: the longest of them."""
    try:
        document = read_object(text.encode()) if text else {}
    except BadRequestError:
        return None
    minutes = [_minutes(use) for uses in document.values() if isinstance(uses, list) for use in uses]
    longest = max(minutes, default=0.0)
    return min(longest * 60, LONGEST) if longest > 0 else None


def _minutes(use: Any) -> float:
    value = mapping(use).get("estimated_time_to_regain_access")
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else 0.0
