"""What is set for an account of 360dialog."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

SECRETS = frozenset({"api_key"})
COMMON_KEYS = {"api_key": "api_key", "phone_number_id": "phone_number_id"}
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")


class Dialog360Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of ``[accounts.<name>]`` with ``provider = "dialog360"``."""

    api_key: Annotated[str, msgspec.Meta(min_length=1)]
    """Of the number, from 360dialog's hub; one key is one number."""
    webhook_header: str = "X-Webhook-Secret"
    """The header that carries the account's ``webhook_secret``, as you set it with the webhook's URL."""
    phone_number_id: str = ""
    """Meta's id of the number; only where one webhook URL carries several numbers."""
    base_url: str = "https://waba-v2.360dialog.io"
    """The API; the sandbox is https://waba-sandbox.360dialog.io."""

    def __post_init__(self) -> None:
        """ValueError when a value can't be one."""
        if not _HEADER.fullmatch(self.webhook_header):
            raise ValueError("webhook_header must be the name of a header: letters, digits and hyphens")
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError("base_url must begin with https://")
