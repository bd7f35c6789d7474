"""360dialog as a server on this machine: Meta's fake without version and number in the path, behind an API key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wagate.testing.providers.meta import FakeMeta
from wagate.testing.server import Reply, Seen


class FakeDialog360(FakeMeta):
    """``url`` is the ``base_url`` of accounts; webhooks carry ``webhook_secret`` in ``webhook_header``."""

    def __init__(
        self,
        *,
        api_key: str = "d360-key-of-the-fake",
        webhook_secret: str = "d360-webhook-secret",  # noqa: S107  (a fake's)
        webhook_header: str = "X-Webhook-Secret",
    ) -> None:
        super().__init__(token=api_key)
        self.webhook_secret, self.webhook_header = webhook_secret, webhook_header
        self.webhook_url = ""
        """Where webhooks go, as ``POST /v1/configs/webhook`` set it."""

    def path_of(self, seen: Seen) -> list[str] | None:
        """The path's parts as they are."""
        return seen.path.strip("/").split("/")

    def allowed(self, seen: Seen) -> bool:
        """Whether the request carries the key."""
        return seen.headers.get("d360-api-key") == self.token

    def media_url(self, media_id: str) -> str:
        """Meta's host, which the caller must exchange for 360dialog's."""
        return f"https://lookaside.fbsbx.com{self.file_url(media_id).removeprefix(self.url)}"

    async def _answer(self, seen: Seen) -> Reply:
        if not self.allowed(seen):
            return refused(401, "Invalid api_key")
        if seen.path == "/v1/configs/webhook":
            if seen.method == "POST":
                self.webhook_url = msgspec.json.decode(seen.body)["url"]
            return Reply(json={"url": self.webhook_url})
        return await super()._answer(seen)

    def signed(self, document: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a webhook: nothing is signed, the secret goes along."""
        return msgspec.json.encode(document), {
            "Content-Type": "application/json",
            self.webhook_header: self.webhook_secret,
        }


def refused(status: int, message: str) -> Reply:
    """An error in 360dialog's own shape."""
    return Reply(status=status, json={"meta": {"success": False, "http_code": status, "developer_message": message}})
