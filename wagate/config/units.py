"""Durations, sizes and rates as people write them: ``"1h30m"``, ``"10MiB"``, ``"600/min"``, parsed once."""

from __future__ import annotations

import math
import re
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PERIODS: Final = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "day": 86400,
}
_BYTES: Final = {"": 1, "b": 1} | {
    f"{letter}{ending}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for ending, base in (("", 1024), ("ib", 1024), ("b", 1000))
}
_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|[smhdw])", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{0,3})", re.ASCII)
_RATE: Final = re.compile(r"(\d{1,9}) ?/ ?([a-z]{1,6})", re.ASCII)


class Duration(float):
    """A length of time; as a number it is seconds. Reads ``500ms``, ``10s``, ``30d``, ``1h30m``, and ``0``."""

    def __new__(cls, value: str | float) -> Duration:
        """Text needs units (``ms s m h d w``); a number is seconds. Raises ValueError with the cure."""
        if isinstance(value, str):
            return super().__new__(cls, _parse_duration(value))
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{value!r} is not a duration; it can't be negative or without end")
        return super().__new__(cls, value)

    @property
    def seconds(self) -> float:
        """The same as a plain float, for what refuses subclasses (JSON encoders)."""
        return float(self)

    def __str__(self) -> str:
        """The shortest text that reads back as the same duration, to the millisecond."""
        left = round(float(self) * 1000)
        parts: list[str] = []
        # A day or so reads better in hours: "24h", "36h", but "30d".
        for unit in ("d", "h", "m", "s", "ms") if left >= 2 * 86_400_000 else ("h", "m", "s", "ms"):
            count, left = divmod(left, round(_SECONDS[unit] * 1000))
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"


def _parse_duration(text: str) -> float:
    compact = text.strip().lower().replace(" ", "")
    if compact == "0":
        return 0.0
    if not _DURATION.fullmatch(compact):
        raise ValueError(f'"{text}" is not a duration; write number and unit (ms, s, m, h, d), as in "10s" or "1h30m"')
    # Whole milliseconds, so that "0.1s" and "100ms" are one number.
    return sum(round(float(count) * _SECONDS[unit] * 1000) for count, unit in _PART.findall(compact)) / 1000


class Size(int):
    """A number of bytes. Reads ``10MiB`` and ``10M`` (1024 × 1024), ``256mb`` (1000 × 1000), ``4096``."""

    def __new__(cls, value: str | int) -> Size:
        """Raises ValueError with the cure."""
        if isinstance(value, str):
            value = _parse_size(value)
        if value < 0:
            raise ValueError(f"{value} is not a size; it can't be negative")
        return super().__new__(cls, value)

    def __str__(self) -> str:
        """The shortest text that reads back as the same number of bytes."""
        for unit, ending in (("tib", "TiB"), ("gib", "GiB"), ("mib", "MiB"), ("kib", "KiB")):
            if self and not int(self) % _BYTES[unit]:
                return f"{int(self) // _BYTES[unit]}{ending}"
        return f"{int(self)}B"

    def __repr__(self) -> str:
        return f"Size({str(self)!r})"


def _parse_size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or match[2] not in _BYTES:
        raise ValueError(f'"{text}" is not a size; write number and unit (B, KiB, MiB, GiB, kB, MB, GB), as in "10MiB"')
    return round(float(match[1]) * float(_BYTES[match[2]]))


class Rate:
    """So many in a period, as ``600/min`` (``s``, ``min``, ``hour``, ``day``); ``off`` is no limit."""

    __slots__ = ("count", "seconds")

    count: int
    """How many; 0 means that there is no limit."""
    seconds: float
    """The period's length."""

    def __init__(self, text: str) -> None:
        """Raises ValueError with the cure."""
        match = _RATE.fullmatch(text.strip().lower())
        if text.strip().lower() == "off":
            count, seconds = 0, 1
        elif match is None or match[2] not in _PERIODS or int(match[1]) == 0:
            raise ValueError(
                f'"{text}" is not a rate; write number and period (s, min, hour, day), as in "600/min", or "off"'
            )
        else:
            count, seconds = int(match[1]), _PERIODS[match[2]]
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "seconds", float(seconds))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Rate can't be changed ({name})")

    def __bool__(self) -> bool:
        """False when there is no limit."""
        return self.count > 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rate) and (self.count, self.seconds) == (other.count, other.seconds)

    def __hash__(self) -> int:
        return hash((self.count, self.seconds))

    def __str__(self) -> str:
        names = {1.0: "s", 60.0: "min", 3600.0: "hour", 86400.0: "day"}
        return f"{self.count}/{names[self.seconds]}" if self else "off"

    def __repr__(self) -> str:
        return f"Rate({str(self)!r})"
