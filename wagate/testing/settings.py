"""A plugin's settings, made of a table as config.toml has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from wagate.config import convert_settings

S = TypeVar("S", bound=msgspec.Struct)


def make_settings(kind: type[S], table: Mapping[str, Any], *, key: str) -> S:
    """Settings as the gateway makes them: defaults filled in, every value checked.

    Args:
        kind: what ``settings_type`` returns.
        table: what stands under ``key`` in config.toml; ``env:`` and ``file:`` are not read.
        key: where the table stands, as in ``plugins.alarm`` or ``accounts.main``.

    Raises:
        ConfigError: one line for each fault; it names the field.
    """
    return convert_settings(kind, table, key=key)
