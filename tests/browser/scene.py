"""What the pages show in the tests and on the pictures: numbers, receivers and deliveries in every state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.inprocess import Gateway, running_gateway
from tests.sink import Got, Sink, https_sink

CHATS = ("+5511911112222", "+5511933334444", "+12025550119")
NAMES = ("Ana Souza", "Bruno Lima", "Carol Diaz")


@dataclass(frozen=True)
class Scene:
    """A gateway, and who receives."""

    gateway: Gateway
    sink: Sink
    answers: dict[str, int]
    """What each receiver answers, by the path of its URL."""
    targets: dict[str, str]
    """A receiver's name → its id."""

    def page(self, name: str) -> str:
        """The path of a receiver's page, below the dashboard's."""
        return f"receivers/{self.targets[name]}"

    async def post(self, text: str, *, chat: int = 0) -> None:
        """A message comes in."""
        await self.gateway.post(text, chat=CHATS[chat], contact_name=NAMES[chat])

    async def shows_a_code(self, code: str = "2@ABC") -> None:
        """The engine of the number ``front-desk`` shows a code to scan."""
        await self.tells("qr", qr=code)

    async def tells(self, event: str, **data: str) -> None:
        """Its engine tells of something."""
        await self.gateway.ask("POST", "/api/whatsapp/webhook/front-desk", json={"event": event, "data": data})

    async def retry(self, job: str) -> None:
        """Somebody else runs a delivery again."""
        await self.gateway.ask("POST", f"/api/jobs/{job}/retry")

    async def act(self, name: str, verb: str) -> None:
        """Somebody else pauses or resumes a receiver."""
        await self.gateway.ask("POST", f"/api/targets/{self.targets[name]}/{verb}")

    async def jobs(self, query: str = "") -> list[str]:
        """Ids of deliveries, newest first."""
        return [each["id"] for each in (await self.gateway.ask("GET", f"/api/jobs{query}"))["data"]]

    async def newest(self) -> dict[str, str]:
        """The newest delivery."""
        return (await self.gateway.ask("GET", "/api/jobs", params={"limit": 1}))["data"][0]

    async def stands(self, name: str, state: str) -> None:
        """Let time pass until a receiver is in this state."""
        for _ in range(20):
            if (await self.gateway.ask("GET", f"/api/targets/{self.targets[name]}"))["state"] == state:
                return
            await self.gateway.passes(120)
        raise AssertionError(f"{name} is not {state}")


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """One receiver is well, one refuses, one is down; a number waits for a scan."""
    answers = {"/orders": 200, "/crm": 400, "/stock": 503}

    def script(got: Got) -> int:
        return answers[got.path]

    async with https_sink() as sink:
        sink.script = script
        tables: dict[str, dict[str, Any]] = {
            "delivery": {"allow_networks": ["127.0.0.0/8"]},
            "plugins.n8n": {"clients": ["*"]},
        }
        async with running_gateway(tables, ca_file=sink.ca_file) as gateway:
            base, targets = sink.url.removesuffix("/hook"), {}
            for name, path in (("Order bot", "/orders"), ("Customer care", "/crm"), ("Stock sync", "/stock")):
                hook = await gateway.register(f"{base}{path}", name=name)
                targets[name] = f"webhook:{hook['id']}"
            made = Scene(gateway, sink, answers, targets)
            for number, text in enumerate(
                ("Is my order on its way?", "Two more, please", "Thanks!", "Do you open at 9?")
            ):
                await made.post(text, chat=number % 3)
            await made.stands("Stock sync", "down")
            await made.shows_a_code()
            yield made
