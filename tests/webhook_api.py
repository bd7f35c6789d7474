"""The routes of the connector ``webhook`` over fakes."""

from __future__ import annotations

from typing import Any

from quart.typing import TestClientProtocol

from wagate.testing import Fakes, fake_context, routes_client
from wagate_webhook import plugin

BODY = {"phone_number": "5511888888888", "webhook_url": "https://hooks.example/in"}


class Api:
    """The routes, the fakes beneath, and short ways to ask."""

    def __init__(self) -> None:
        self.fakes: Fakes = fake_context("webhook")
        self.client: TestClientProtocol = routes_client(*plugin.register_routes(self.fakes.context))

    async def ask(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        sent = {"json": body} if body else {}
        response = await self.client.open(f"/api/webhooks{path}", method=method, **sent)
        assert response.status_code == status, await response.get_data(as_text=True)
        return await response.get_json() if status != 204 else None

    async def register(self, status: int = 201, **body: Any) -> Any:
        return await self.ask("POST", "/register", status, **(BODY | body))

    async def wrong(self, **body: Any) -> dict[str, str]:
        """What is said of each wrong field."""
        answer = await self.register(422, **body)
        return {each["field"]: each["detail"] for each in answer["errors"]}
