"""The command that connects an inbox: it changes Chatwoot, so a person runs it."""

from __future__ import annotations

import re
import shlex
from typing import Any

from wagate.cli.imports.plan import bare


def connect_command(url: str, account_id: Any, *, account: str, client: str, inbox: str = "") -> str:
    """``wagate chatwoot connect …`` for the inbox of one account; the token comes from the environment."""
    table = re.sub("[^a-z0-9]+", "-", account.lower()).strip("-")[:40] or "support"
    words = ["wagate", "chatwoot", "connect", "--url", bare(url), "--token", "env:CHATWOOT_TOKEN"]
    number = str(account_id or "")
    words += ["--account-id", number] if number.isascii() and number.isdigit() else []
    words += ["--inbox-name", inbox] if inbox else []
    words += ["--name", table, "--account", account]
    words += ["--client", client] if client != "default" else []
    return shlex.join(words)
