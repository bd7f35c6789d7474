"""Workflows to import into n8n: JSON files in ``templates``, made for n8n 2.41.

They name credentials and hold no secret. Each has a note, *Read me*, whose heading says what it is for.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Any, Final

import msgspec

STAND_IN: Final = "https://wagate.example"
"""What stands in the files for the gateway's URL."""
_NOTE: Final = "n8n-nodes-base.stickyNote"
_HEADING: Final = "## "
_URL: Final = re.compile(r"https?://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?/?")


def names() -> list[str]:
    """All templates, by name."""
    files = (resources.files(__package__) / "templates").iterdir()
    return sorted(each.name.removesuffix(".json") for each in files if each.name.endswith(".json"))


def text_of(name: str) -> str:
    """A template as it is shipped."""
    return (resources.files(__package__) / "templates" / f"{name}.json").read_text(encoding="utf-8")


def purpose(name: str) -> str:
    """What the workflow does: the heading of its note."""
    workflow: dict[str, Any] = msgspec.json.decode(text_of(name))
    notes = (each["parameters"]["content"] for each in workflow["nodes"] if each["type"] == _NOTE)
    return str(next(notes)).partition("\n")[0].removeprefix(_HEADING)


def filled(name: str, url: str) -> str:
    """A template for the gateway at ``url``. ValueError: it is not scheme and host alone."""
    if not _URL.fullmatch(url):
        raise ValueError(f"{url!r} is no URL like https://wa.example.org")
    return text_of(name).replace(STAND_IN, url.rstrip("/"))
