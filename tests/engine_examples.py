"""The examples of the engine's HTTP format: ours under samples/engine, and those of a specification beside us."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

OURS = Path(__file__).parent / "samples" / "engine"
OUTSIDE = Path(__file__).parents[2] / "shared" / "spec"
Json = dict[str, Any]
SECTIONS = {
    "1. Health Check": ("health",),
    "2. Inbound Message Webhook": ("inbound", "accepted"),
    "3. Job Queue Polling": ("job", "no_jobs"),
    "4. Send Outbound Message": ("send", "sent"),
    "5. Job Status Check": ("done",),
    "Multi-Provider Architecture": ("settings",),
}
"""Where a specification prints which of the documents."""


@dataclass(frozen=True)
class Examples:
    """One origin's JSON documents by name, and its curl lines."""

    origin: str
    documents: dict[str, Json]
    commands: list[str]
    """Post a message, poll for its job, ask for health."""
    host: str
    """The address in the curl lines."""

    @property
    def tenant(self) -> str:
        found: str = self.documents["settings"]["tenant_id"]
        return found


def ours() -> Examples:
    documents = {path.stem: json.loads(path.read_bytes()) for path in OURS.glob("*.json")}
    return Examples("ours", documents, curl_lines((OURS / "commands.sh").read_text()), "https://gate.example")


def outside(page: Path) -> Examples:
    text = page.read_text("utf-8", "replace")
    documents: dict[str, Json] = {}
    for title, names in SECTIONS.items():
        documents |= zip(names, map(json.loads, blocks(text, title, "json")), strict=True)
    shell = [*blocks(text, "Local Development", "bash"), *blocks(text, "Monitoring Commands", "bash")]
    return Examples("outside", documents, curl_lines("\n".join(shell)), "https://engine.flomastr.com")


def blocks(text: str, title: str, language: str) -> list[str]:
    """The blocks of code of one section."""
    section = text[text.index(title) :].partition("\n##")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)


def curl_lines(shell: str) -> list[str]:
    return re.findall(r"^curl (?:.*\\\n)*.*$", shell, re.MULTILINE)


EXAMPLES = [ours(), *(outside(page) for page in sorted(OUTSIDE.glob("003*")))]
each_origin = pytest.mark.parametrize("examples", EXAMPLES, ids=lambda one: one.origin)
