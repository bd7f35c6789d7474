"""``wagate import``: what WAHA and Evolution API have is made here, once, and nothing of it is forgotten."""

from __future__ import annotations

import json
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from typer.testing import CliRunner

from tests.commands import Result, wagate
from tests.imports_site import HMAC, KEY, WHSEC, OtherEvolution, OtherWaha, instance, session
from tests.inprocess import Gateway, Json, running_gateway
from tests.sink import authority
from tests.whatsapp_site import redirected
from wagate.cli import app
from wagate.testing.server import running
from wagate.testing.whatsapp import running_whatsapp

OPEN = {"allow_networks": ["127.0.0.0/8"], "allow_http": True}
BOT, TILL = "http://127.0.0.1:9/bot?key=s3cret", "http://127.0.0.1:9/till"
SECRETS = (KEY, HMAC, WHSEC, "s3cret", "hush", "SECRET-TOKEN", "chatwoot-token")


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    for name in ("WAGATE_ADMIN_TOKEN", "WAGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTHER_KEY", KEY)
    async with running_whatsapp(tmp_path, authority()) as fake:
        with redirected(fake):
            async with running_gateway({"delivery": OPEN, "server": {"public_url": "https://wa.example"}}) as made:
                yield made


class Imported(Result, frozen=True):
    """What the command left behind."""

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """What it did, as (act, what, how)."""
        assert self.stdout, self.stderr
        return [(step["act"], step["what"], step["why"]) for step in json.loads(self.stdout)["steps"]]

    @property
    def todo(self) -> list[str]:
        """What it asks a person to do."""
        lines: list[str] = json.loads(self.stdout)["todo"]
        return lines


async def call(gateway: Gateway, *arguments: str) -> Imported:
    """Run the command as a person would; it never prints a secret."""
    ended = await wagate("--config", str(gateway.folder / "config.toml"), "import", *arguments)
    found = Imported(ended.exit_code, ended.stdout, ended.stderr)
    assert not [secret for secret in SECRETS if secret in found.stdout + found.stderr], found
    assert "Traceback" not in found.stderr, found.stderr
    return found


async def rows(gateway: Gateway, path: str) -> list[Json]:
    """All of a list."""
    found: list[Json] = (await gateway.ask("GET", path))["data"]
    return found


def waha() -> OtherWaha:
    bot = {
        "url": BOT,
        "events": ["message", "session.status", "label.upsert"],
        "hmac": {"key": HMAC},
        "retries": {"policy": "constant", "delaySeconds": 2, "attempts": 8},
        "customHeaders": [{"name": "X-Token", "value": "hush"}],
    }
    till = {"url": TILL, "events": ["message"], "hmac": {"key": WHSEC}, "retries": None, "customHeaders": None}
    here = {"url": "https://wa.example/webhooks/shop", "events": ["*"]}
    ignore = {"status": True, "groups": None}
    inbox = {"url": "https://chat.example", "accountId": 2, "accountToken": "chatwoot-token", "inboxId": 5}
    return OtherWaha(
        session("shop", bot, till, here, ignore=ignore, metadata={"plan": "gold"}, noweb={"markOnline": True}),
        session("office", status="STOPPED", newer={"x": 1}),
        apps={
            "shop": [
                {"id": "1", "session": "shop", "app": "chatwoot", "config": inbox, "enabled": True},
                {"id": "2", "session": "shop", "app": "calls", "config": {}},
            ]
        },
    )


async def test_wahas_sessions_and_webhooks_are_made_once_after_a_dry_run(gateway: Gateway) -> None:
    other = waha()
    async with running(other):
        command = ("waha", "--url", other.url, "--api-key", "env:OTHER_KEY", "--json")
        dry = await call(gateway, *command)
        assert dry.exit_code == 0
        assert [each for each in dry.steps if each[0] != "left"] == [
            ("would make", "account shop", f"waha, session shop of {other.url}, number 15550000001, ignores status"),
            ("would make", "account office", f"waha, session office of {other.url}"),
            (
                "would make",
                "webhook http://127.0.0.1:9/bot?…",
                "for shop: message, session.status; format waha; headers X-Token; 8 attempts; a new key",
            ),
            ("would make", f"webhook {TILL}", "for shop: message; format waha; the same key"),
        ]
        assert await rows(gateway, "/api/accounts") == await rows(gateway, "/api/webhooks/list") == []

        made = await call(gateway, *command, "--apply")
        assert made.exit_code == 0, made.steps
        assert [each[:2] for each in made.steps if each[0] == "made"] == [
            ("made", "account shop"),
            ("made", "account office"),
            ("made", "webhook http://127.0.0.1:9/bot?…"),
            ("made", f"webhook {TILL}"),
        ]
        again = await call(gateway, *command, "--apply")
        assert [each[0] for each in again.steps[:5]] == ["is there"] * 4 + ["left"]

    shop, office = await rows(gateway, "/api/accounts")
    assert (shop["name"], shop["provider"], shop["phone"]) == ("shop", "waha", "15550000001")
    assert (shop["metadata"], shop["ignore"]["status"], shop["ignore"]["groups"]) == ({"plan": "gold"}, True, False)
    assert (shop["settings"]["session"], shop["settings"]["base_url"]) == ("shop", other.url)
    assert {"api_key", "hmac_key"} <= shop["settings"].keys()
    assert (office["name"], office["settings"]["session"]) == ("office", "office")
    till, bot = await rows(gateway, "/api/webhooks/list")
    assert (bot["webhook_url"], bot["phone_number"], bot["format"], bot["max_retries"]) == (BOT, "shop", "waha", 8)
    assert (bot["events"], till["events"]) == (["message", "session.status"], ["message"])
    left = {what: why for act, what, why in made.steps if act == "left"}
    assert left["webhook https://wa.example/webhooks/shop"] == "leads to this gateway: nothing to import"
    for what in (
        "session shop: webhook 1: event label.upsert",
        "session shop: webhook 1: retries.policy, delaySeconds",
        "session shop: noweb",
        "session shop: app chatwoot",
        "session shop: app calls",
        "session office: newer",
        "WHATSAPP_HOOK_URL, the webhook for all sessions",
    ):
        assert what in left, left
    assert any(f"{bot['id']}/rotate-secret" in line for line in made.todo)
    inbox = "--url https://chat.example --token env:CHATWOOT_TOKEN --account-id 2 --name shop --account shop"
    assert any(line.endswith(f"wagate chatwoot connect {inbox}") for line in made.todo)


async def test_a_compose_file_alone_makes_the_account_and_the_webhook_for_all_sessions(
    gateway: Gateway, tmp_path: Path
) -> None:
    file = tmp_path / "docker-compose.yaml"
    file.write_text(
        "services:\n  waha:\n    image: devlikeapro/waha\n    ports: ['3001:3000']\n    environment:\n"
        f"      - WAHA_API_KEY=${{OTHER_KEY}}\n      - WHATSAPP_HOOK_URL={TILL}\n      - WHATSAPP_HOOK_EVENTS=*\n"
        "      - WAHA_PRESENCE_AUTO_ONLINE=False\n"
    )
    shown = await call(gateway, "waha", str(file))
    assert "would make\taccount default\twaha, session default of http://127.0.0.1:3001\n" in shown.stdout
    assert "left\tWAHA_PRESENCE_AUTO_ONLINE\twagate shows itself online only while it types\n" in shown.stdout
    assert shown.stderr == "nothing was changed; use --apply to do it\n"
    made = await call(gateway, "waha", str(file), "--apply", "--json")
    assert [each[:2] for each in made.steps if each[0] != "left"] == [
        ("made", "account default"),
        ("made", f"webhook {TILL}"),
    ]
    [hook] = await rows(gateway, "/api/webhooks/list")
    assert (hook["phone_number"], hook["events"]) == ("*", ["*", "message.any"])
    own = await call(gateway, "waha", str(file), "--engine", "whatsapp", "--apply")
    assert own.exit_code == 1
    assert "failed\taccount default\tdefault of the client default is another account (waha); delete it" in own.stdout
    assert own.stderr == "1 failed; what was created stays; run the same command again to create the rest\n"


async def test_evolutions_instances_are_linked_to_wagate_and_their_webhooks_wait(gateway: Gateway) -> None:
    hook = {"id": "w", "url": BOT, "enabled": True, "webhookByEvents": True, "webhookBase64": False}
    hook |= {"events": ["MESSAGES_UPSERT", "CONNECTION_UPDATE", "CONTACTS_UPDATE"], "headers": {"X-Token": "hush"}}
    inbox = {"enabled": True, "accountId": "3", "token": "chatwoot-token", "url": "https://chat.example"}
    inbox |= {"nameInbox": "Our shop", "signMsg": True, "reopenConversation": False}
    proxy = {"enabled": True, "host": "127.0.0.1", "port": "3128", "protocol": "http", "username": "", "password": ""}
    setting = {"rejectCall": True, "msgCall": "no calls", "groupsIgnore": True}
    other = OtherEvolution(
        instance("shop", Proxy=proxy, Setting=setting, Rabbitmq={"enabled": True, "events": []}),
        instance("cloud", integration="WHATSAPP-BUSINESS", number="1065", ownerJid=None),
        webhooks={"shop": hook},
        chatwoot={"shop": inbox},
    )
    async with running(other):
        command = ("evolution", "--url", other.url, "--api-key", "env:OTHER_KEY", "--json")
        dry = await call(gateway, *command)
        assert [each[:2] for each in dry.steps if each[0] != "left"] == [
            ("would make", "account shop"),
            ("would make", "webhook http://127.0.0.1:9/bot?…"),
        ]
        assert await rows(gateway, "/api/accounts") == []
        made = await call(gateway, *command, "--apply")
        assert made.exit_code == 0, made.steps
        again = await call(gateway, *command, "--apply")
        assert [each[0] for each in again.steps[:2]] == ["is there", "is there"]
    [shop] = await rows(gateway, "/api/accounts")
    assert (shop["provider"], shop["phone"], shop["ignore"]["groups"]) == ("whatsapp", "5511988887777", True)
    assert shop["settings"]["reject_calls"] is True
    assert "proxy" not in shop["settings"]
    assert ("left", "account shop: proxy", "it is trusted only in config.toml: see below") in made.steps
    for said in (dry, made, again):  # it is said before the number is linked
        [before] = [line for line in said.todo if "[accounts" in line]
        assert said.todo.index(before) < said.todo.index("link shop to wagate: wagate pair shop")
        table = tomllib.loads(before.partition("\n")[2])["accounts"]["shop"]
        assert (table["provider"], table["proxy"]) == ("whatsapp", "http://127.0.0.1:3128")
        assert (table["reject_calls"], table["ignore"]) == (True, {"groups": True})
        assert table["phone"] == "5511988887777"
    [row] = await rows(gateway, "/api/webhooks/list")
    assert (row["is_active"], row["format"], row["webhook_url"]) == (False, "flat", BOT)
    assert row["events"] == ["message", "message.any", "message.reaction", "session.status"]
    left = {what for act, what, _ in made.steps if act == "left"}
    assert {
        "instance shop: Rabbitmq",
        "instance shop: msgCall",
        "instance shop: webhookByEvents",
        "instance shop: event CONTACTS_UPDATE",
        "instance shop: Chatwoot's signMsg",
        "instance cloud (WHATSAPP-BUSINESS)",
    } <= left
    assert any("wagate pair shop" in line for line in made.todo)
    assert any("--account-id 3 --inbox-name 'Our shop' --name shop --account shop" in line for line in made.todo)
    assert any("phone_number_id 1065" in line for line in made.todo)


async def test_evolutions_compose_file_says_where_it_is_and_brings_the_webhook_for_all(
    gateway: Gateway, tmp_path: Path
) -> None:
    other = OtherEvolution(instance("shop"), webhooks={}, chatwoot=None)
    async with running(other):
        port = other.url.rpartition(":")[2]
        file = tmp_path / "docker-compose.yaml"
        file.write_text(
            f"services:\n  api:\n    image: evoapicloud/evolution-api:v2.3.7\n    ports: ['127.0.0.1:{port}:8080']\n"
            "  redis:\n    image: redis\n"
        )
        alone = await call(gateway, "evolution", str(file))
        assert (alone.exit_code, "--api-key is missing" in alone.stderr) == (2, True)
        file.write_text(
            file.read_text().replace(
                "  redis:",
                "    environment:\n      - AUTHENTICATION_API_KEY=${OTHER_KEY}\n      - WEBHOOK_GLOBAL_ENABLED=true\n"
                f"      - WEBHOOK_GLOBAL_URL={BOT}\n      - WEBHOOK_GLOBAL_WEBHOOK_BY_EVENTS=true\n"
                "      - WEBHOOK_EVENTS_MESSAGES_UPSERT=true\n      - WEBHOOK_EVENTS_CALL=false\n"
                "      - WEBHOOK_EVENTS_ERRORS=true\n      - S3_ENABLED=true\n      - ODD=1\n  redis:",
            )
        )
        made = await call(gateway, "evolution", str(file), "--apply", "--json")
    assert [each[:2] for each in made.steps if each[0] != "left"] == [
        ("made", "account shop"),
        ("made", "webhook http://127.0.0.1:9/bot?…"),
    ]
    left = {what: why for act, what, why in made.steps if act == "left"}
    assert left.keys() == {
        "ODD",
        "S3_ENABLED",
        "webhook for all instances: event ERRORS",
        "webhook for all instances: webhookByEvents",
    }
    assert "media in config.toml" in left["S3_ENABLED"]
    [row] = await rows(gateway, "/api/webhooks/list")
    assert (row["phone_number"], row["is_active"], row["webhook_url"]) == ("*", False, BOT)
    assert row["events"] == ["message", "message.any", "message.reaction"]
    assert any("receivers of the webhook for all instances" in line for line in made.todo)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["evolution"], "name Evolution API's compose file, or its address with --url and its key with --api-key"),
        (["evolution", "gone.yaml"], "name the compose file of Evolution API"),
        (["waha"], "name WAHA's compose file, or its address with --url and its key with --api-key"),
        (["waha", "--url", "{url}"], "WAHA refuses the key (401 from /api/sessions): give its plain key with"),
        (["waha", "--url", "ftp://x"], "--url: "),
        (["waha", "--url", "{url}/x", "--api-key", "env:OTHER_KEY"], "/api/sessions answers 404: is --url the address"),
        (["waha", "--url", "{url}", "--api-key", "env:NOWHERE"], "the environment variable NOWHERE is not set"),
        (["evolution", "--url", "{url}"], "--api-key is missing: AUTHENTICATION_API_KEY of Evolution API, as env:NAME"),
        (["evolution", "--url", "{url}", "--api-key", "wrong"], "Evolution API refuses the key (401 from /instance"),
        (["evolution", "--url", "http://127.0.0.1:9", "--api-key", "x"], "Evolution API can't be reached at "),
    ],
)
async def test_what_can_not_be_read_says_why(arguments: list[str], reason: str, monkeypatch: Any) -> None:
    """No gateway is needed to be told so."""
    monkeypatch.setenv("OTHER_KEY", KEY)
    other = OtherWaha() if arguments[0] == "waha" else OtherEvolution(webhooks={}, chatwoot=None)
    async with running(other):
        given = ["import", *(each.replace("{url}", other.url) for each in arguments)]
        ended = await trio.to_thread.run_sync(CliRunner().invoke, app, given)
    assert ended.exit_code in {1, 2}
    assert reason in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
