"""Commands speak of receivers, numbers and messages by name, and take the beginning of an id for the whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.commands import Result, wagate
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink, https_sink
from wagate.cli import app, plugin_commands
from wagate.hooks.specs import PROJECT
from wagate.http.signing import sign
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running

KEY = "waha-key"


@pytest.fixture
async def receiver() -> AsyncIterator[Sink]:
    async with https_sink() as sink:
        yield sink


@pytest.fixture
async def gateway(receiver: Sink, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    for name in ("WAGATE_ADMIN_TOKEN", "WAGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    fake = FakeWaha(api_key=KEY)
    async with running(fake):
        account = {"provider": "waha", "base_url": fake.url, "api_key": KEY, "phone": "15550000001"}
        tables = {"delivery": {"allow_networks": ["127.0.0.0/8"]}, "accounts.main": account}
        async with running_gateway(tables, ca_file=receiver.ca_file) as made:
            yield made


async def call(gateway: Gateway, *arguments: str) -> Result:
    """Run a command as a person would."""
    return await wagate("--config", str(gateway.folder / "config.toml"), *arguments)


async def rows(gateway: Gateway, *arguments: str) -> Any:
    """What a command prints with --json."""
    result = await call(gateway, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


async def test_a_webhook_is_shown_and_changed_by_its_name(gateway: Gateway, receiver: Sink) -> None:
    hook = await gateway.register(receiver.url, name="Order bot")
    assert (await rows(gateway, "webhooks", "show", "Order bot"))["id"] == hook["id"]
    assert (await call(gateway, "webhooks", "set", "Order bot", "rate=5")).exit_code == 0
    assert (await gateway.webhook(hook))["rate"] == 5
    await gateway.register(receiver.url, name="Order bot", phone_number="main")
    several = await call(gateway, "webhooks", "show", "Order bot")
    assert (several.exit_code, "could be 2 webhooks" in several.stderr) == (1, True)
    none = await call(gateway, "webhooks", "show", "../Till")
    assert (none.exit_code, none.stderr) == (1, "error: no webhook '../Till'; \"wagate webhooks list\" shows them\n")


async def test_a_receiver_is_steered_by_its_name_and_by_the_beginning_of_its_id(
    gateway: Gateway, receiver: Sink
) -> None:
    hook = await gateway.register(receiver.url, name="Order bot")
    await gateway.register(receiver.url + "/other", name="Till")
    listed = await call(gateway, "targets", "list", "--connector", "webhook")
    assert all(word in listed.stdout for word in ("Order bot", "Till", f"webhook:{hook['id']}", receiver.url))
    assert (await rows(gateway, "targets", "show", "Order bot"))["id"] == f"webhook:{hook['id']}"
    assert (await rows(gateway, "targets", "pause", "Order bot"))["state"] == "paused"
    assert [row["name"] for row in await rows(gateway, "targets", "list", "--state", "paused")] == ["Order bot"]
    assert (await rows(gateway, "targets", "resume", hook["id"][:-4]))["state"] == "up"
    assert (await rows(gateway, "targets", "probe", f"webhook:{hook['id']}"))["state"] == "up"
    unclear = await call(gateway, "targets", "pause", "webhook:")
    assert (unclear.exit_code, "could be 2 targets" in unclear.stderr) == (1, True)
    nobody = await call(gateway, "targets", "pause", "Nobody")
    assert (nobody.exit_code, "no target 'Nobody'; \"wagate targets list\" shows them" in nobody.stderr) == (1, True)


async def test_what_failed_at_a_receiver_is_recovered_by_its_name(gateway: Gateway, receiver: Sink) -> None:
    hook = await gateway.register(receiver.url, name="Order bot")
    receiver.script = lambda _: 400
    await gateway.post("hello")
    await gateway.event(hook, "hello", "failed")
    assert [row["name"] for row in await rows(gateway, "targets", "list", "--error", "client ERROR")] == ["Order bot"]
    assert await rows(gateway, "targets", "list", "--error", "nothing like it") == []
    receiver.script = lambda _: 200
    assert await rows(gateway, "targets", "recover", "Order bot", "--since", "2h") == {"recovered": 1}
    wrong = await call(gateway, "targets", "recover", "Order bot", "--since", "soon")
    assert (wrong.exit_code, "write how long" in wrong.stderr) == (2, True)


async def test_the_beginning_of_an_id_is_enough_when_only_one_begins_so(gateway: Gateway, receiver: Sink) -> None:
    hook = await gateway.register(receiver.url)
    for text in ("one", "two"):
        await gateway.post(text)
        await gateway.event(hook, text, "delivered")
    jobs = [row["id"] for row in await rows(gateway, "jobs", "list", "--target", f"webhook:{hook['id']}")]
    assert len(jobs) == 2
    for job in jobs:
        assert (await rows(gateway, "jobs", "show", job[:-2]))["id"] == job
    several = await call(gateway, "jobs", "show", jobs[0][:4])
    assert (several.exit_code, "several ids begin with" in several.stderr) == (1, True)
    none = await call(gateway, "jobs", "show", "dead")
    assert (none.exit_code, "no id begins with dead" in none.stderr) == (1, True)
    assert (await rows(gateway, "webhooks", "show", hook["id"][:12]))["id"] == hook["id"]
    before = hook["secret"]
    made = await call(gateway, "webhooks", "rotate-secret", hook["id"][:12])
    secret = made.stdout.strip()
    assert (secret.startswith("whsec_"), secret == before, "24 hours" in made.stderr) == (True, False, True)
    await gateway.post("signed by both")
    await gateway.event(hook, "signed by both", "delivered")
    got = receiver.got[-1]
    which = (got.headers["webhook-id"], int(got.headers["webhook-timestamp"]), got.body)
    assert got.headers["webhook-signature"].split() == [sign([each], *which) for each in (secret, before)]
    refused = await call(gateway, "jobs", "retry", jobs[0][:-2])
    assert (refused.exit_code, jobs[0] in refused.stderr) == (1, True), "delivered already: refused by its whole id"


async def test_a_list_that_ends_at_its_limit_says_so(gateway: Gateway, receiver: Sink) -> None:
    await gateway.register(receiver.url)
    for text in ("one", "two"):
        await gateway.post(text)
    short, whole = [
        await call(gateway, "jobs", "list", "--connector", "webhook", "--limit", limit) for limit in ("1", "2")
    ]
    assert "only the first 1 are shown" in short.stderr
    assert len(short.stdout.splitlines()) == 2
    assert "are shown" not in whole.stderr
    await gateway.register(receiver.url, name="another")
    assert "are shown" in (await call(gateway, "targets", "list", "--limit", "1")).stderr


async def test_accounts_sessions_and_messages_are_listed(gateway: Gateway) -> None:
    body = {"to": "+5511999999999", "message": {"text": "Hi"}, "account": "main"}
    sent = await gateway.ask("POST", "/messages/send", json=body)
    assert [row["name"] for row in await rows(gateway, "accounts", "list", "--client", "default")] == ["main"]
    assert (await rows(gateway, "accounts", "show", "main"))["phone"] == "15550000001"
    assert [row["sessionId"] for row in await rows(gateway, "sessions", "list")] == ["main"]
    assert "main" in (await call(gateway, "sessions", "list")).stdout
    messages = await rows(
        gateway, "messages", "list", "--account", "main", "--state", "sent", "--chat", "+5511999999999"
    )
    assert [row["id"] for row in messages] == [sent["id"]]
    assert await rows(gateway, "messages", "list", "--state", "failed") == []
    assert (await rows(gateway, "messages", "show", sent["id"][:20]))["message_id"] == sent["message_id"]
    assert sent["id"] in (await call(gateway, "messages", "list")).stdout


def test_help_names_plugins_that_have_commands_and_no_others() -> None:
    assert plugin_commands.GROUP == PROJECT
    named = plugin_commands.names(None)
    assert "chatwoot" in named
    ours = ("alerts", "chatwoot", "n8n", "webhook")
    assert [name for name in ours if plugin_commands.find(name, None) is not None] == named
    shown = CliRunner().invoke(app, ["--help"]).output
    assert all(f"Commands of the plugin {name}." in shown for name in named)
