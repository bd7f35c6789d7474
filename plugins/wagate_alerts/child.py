"""Apprise in a process of its own, which ends after one task: run by its path, it imports nothing of wagate.

The task comes as JSON on standard input, what became of it goes as JSON to standard output:
``{"check": {name: url}}`` → ``{name: why it is no use, or ""}``;
``{"url": …, "title": …, "body": …}`` → ``{"error": why it was not taken, or ""}``.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import apprise


class Notes(logging.Handler):
    """What Apprise complains of: its answers are yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(record.getMessage())

    def take(self, otherwise: str) -> str:
        """What was said since the last time."""
        said, self.lines = self.lines, []
        return " ".join(said)[:1000] or otherwise


def main() -> int:
    """Read, do, tell."""
    asked = json.load(sys.stdin)
    notes = Notes()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [notes], False
    # Pictures in a message would be fetched from GitHub by who reads it.
    asset = apprise.AppriseAsset(
        app_id="wagate", app_desc="wagate", app_url="", theme="", image_url_mask="", image_url_logo="", async_mode=False
    )

    def made(url: str) -> Any:
        return apprise.Apprise.instantiate(url, asset=asset)

    if "check" in asked:
        found = {
            name: notes.take("not understood") if made(url) is None else "" for name, url in asked["check"].items()
        }
    else:
        service = made(asked["url"])
        told = service is not None and service.notify(
            title=asked["title"], body=asked["body"], notify_type=apprise.NotifyType.WARNING, body_format="text"
        )
        found = {"error": "" if told else notes.take("it was not accepted, and Apprise does not say why")}
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
