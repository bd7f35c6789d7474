"""OpenAPI documents of what we talk to, reduced to what we use of them; tests/openapi/README.md has their sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent / "openapi"


def openapi(name: str) -> dict[str, Any]:
    """A document of the caller's own, to change as it likes."""
    document: dict[str, Any] = msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())
    return document
