"""``wagate simulate message`` for accounts of every provider: their own webhooks, which the gateway believes."""

from __future__ import annotations

import sys

import trio
from typer.testing import CliRunner, Result

from tests.gateway import GatewayProcess, gateway
from wagate.cli import app

ACCOUNTS = {
    "meta": {
        "access_token": "EAAtest01",
        "phone_number_id": "100000000000001",
        "app_secret": "s",
        "phone": "15550001111",
    },
    "dialog360": {"api_key": "k", "webhook_secret": "s" * 16},
    "infobip": {"api_key": "k", "sender": "447700900100", "hmac_secret": "s", "hmac_header": "X-Signature"},
    "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "t", "from_number": "+14155238886"},
    "waha": {"base_url": "http://127.0.0.1:9", "hmac_key": "s", "session": "sales"},
    "session": {"webhook_secret": "s" * 16},
}


def arguments(server: GatewayProcess, *given: str) -> list[str]:
    return ["--config", str(server.config), "simulate", "message", *given]


def simulate(server: GatewayProcess, *given: str) -> Result:
    """In this process: to start one for each would take a second each time."""
    return CliRunner().invoke(app, arguments(server, *given))


async def test_each_account_gets_what_its_own_provider_would_post() -> None:
    tables = {f"accounts.{name}-1": {"provider": name, **settings} for name, settings in ACCOUNTS.items()}
    tables["accounts.bare"] = {"provider": "meta", "access_token": "EAAtest01", "phone_number_id": "100000000000002"}
    async with gateway(tables) as server:
        made = {"name": "made", "provider": "infobip", "settings": {"api_key": "k", "sender": "447700900101"}}
        answer = await server.http.post("/api/accounts", json=made)
        assert answer.status_code == 201, answer.text
        for name in [f"{provider}-1" for provider in ACCOUNTS] + ["made", "unknown"]:
            done = await trio.to_thread.run_sync(simulate, server, f"Hello {name}", "--account", name, "--count", "2")
            assert done.exit_code == 0, done.stderr
            assert done.stdout.startswith("2 accepted, 0 refused"), done.stdout
        threads = (await server.http.get("/api/conversations", params={"limit": 200})).json()["data"]
        found = {thread["account"]: (thread["messages"], thread["last_message"]["content"]) for thread in threads}
        assert found == {
            each: (2, f"Hello {each} 2") for each in (*(f"{name}-1" for name in ACCOUNTS), "made", "unknown")
        }
        command = [sys.executable, "-m", "wagate", *arguments(server, "Hello", "--account", "bare")]
        refused = await trio.run_process(command, capture_stderr=True, check=False)
        assert refused.returncode == 1
        assert b"app_secret is not set" in refused.stderr


PIGEON = """
import json

import msgspec

from wagate.errors import UnauthorizedError
from wagate.events import NewEvent
from wagate.hooks import Provider, hookimpl


class Loft(msgspec.Struct, frozen=True):
    pass


def verify(request, account):
    if request.headers.get("x-pigeon") != account.webhook_secret:
        raise UnauthorizedError("not our pigeon")


def parse(request, account):
    told = request.json()
    return [NewEvent(kind="message", chat=f"{told['from']}@c.us", sender=f"{told['from']}@c.us", recipient="",
                     message_id=told["id"], provider_id=told["id"], type="text", content=told["text"])]


def simulate(wanted, account):
    if not account.webhook_secret:
        raise ValueError("webhook_secret is not set")
    if wanted.text == "nonsense":
        return "no bytes"
    told = {"from": wanted.sender, "text": wanted.text, "id": f"{wanted.sender}-{wanted.text}"}
    return json.dumps(told).encode(), {"X-Pigeon": account.webhook_secret}


@hookimpl
def register_providers(context):
    return [Provider(name="pigeon", title="Pigeon", settings_type=Loft, secrets=frozenset(), verify=verify,
                     parse=parse, simulate=simulate)]
"""


async def test_a_provider_of_a_plugin_says_itself_what_it_would_post() -> None:
    tables = {
        "plugins.birds": {"file": "birds.py"},
        "accounts.loft": {"provider": "pigeon", "webhook_secret": "s" * 16},
        "accounts.bare": {"provider": "pigeon"},
    }
    async with gateway(tables, start=False) as server:
        (server.folder / "birds.py").write_text(PIGEON)
        await server.start()
        done = await trio.to_thread.run_sync(simulate, server, "Coo", "--account", "loft", "--count", "2")
        assert done.exit_code == 0, done.stderr
        threads = (await server.http.get("/api/conversations")).json()["data"]
        assert [(each["account"], each["last_message"]["content"]) for each in threads] == [("loft", "Coo 2")]
        bare = await trio.to_thread.run_sync(simulate, server, "Coo", "--account", "bare")
        assert (bare.exit_code, "webhook_secret is not set" in bare.stderr) == (1, True)
        wrong = await trio.to_thread.run_sync(simulate, server, "nonsense", "--account", "loft")
        assert wrong.exit_code == 1
        assert "str, not a pair of bytes and headers" in wrong.stderr
