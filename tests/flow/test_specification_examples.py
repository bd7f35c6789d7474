"""The examples of the engine's HTTP format, run as they are printed: curl lines, JSON, settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from tests.engine_examples import Examples, each_origin
from tests.inprocess import Gateway, running_gateway
from wagate.plugins.account_settings import MASK
from wagate.testing.providers.infobip import FakeInfobip, fake_infobip

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

Json = dict[str, Any]


@asynccontextmanager
async def engine(tenant: str) -> AsyncIterator[tuple[Gateway, FakeInfobip]]:
    """A gateway with the tenant of the examples, and Infobip."""
    async with fake_infobip() as fake:
        tables = {"delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}, "plugins.n8n": {}}
        async with running_gateway(tables) as found:
            await found.client(tenant)
            yield found, fake


def same_shape(answer: Json, printed: Json) -> None:
    """Every key that is printed is there, with a value of its type."""
    assert printed.keys() <= answer.keys()
    for key, value in printed.items():
        assert type(answer[key]) is type(value), key
        if isinstance(value, dict):
            same_shape(answer[key], value)


async def healthy(ask: Callable[[], Awaitable[Json]]) -> Json:
    """How it says that it is well: a machine that stands still for two seconds while it is asked is not."""
    with trio.fail_after(60):
        while (answer := await ask())["status"] != "healthy":
            await trio.sleep(0.2)
    return answer


async def root(found: Gateway) -> Json:
    answer: Json = (await found.http.get("/")).json()
    return answer


async def curl(found: Gateway, command: str, host: str) -> Json:
    """What a shell prints for the command, with our address in place of the engine's."""
    run = command.replace(host, found.url).replace("curl ", "curl -s --noproxy '*' ")
    authorization = str(found.http.headers["Authorization"])
    environment = {"BACKEND_API_SECRET_TOKEN": authorization.removeprefix("Bearer "), "PATH": "/usr/bin:/bin"}
    done = await trio.run_process(["bash", "-c", run], capture_stdout=True, env=environment)
    answer: Json = json.loads(done.stdout)
    return answer


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here: the curl lines were not run")
@each_origin
async def test_the_curl_lines_work_as_printed(examples: Examples) -> None:
    commands, host = examples.commands, examples.host
    assert len(commands) == 3
    async with engine(examples.tenant) as (found, _):
        posted, polled = [await curl(found, command, host) for command in commands[:2]]
        health = await healthy(lambda: curl(found, commands[2], host))
        assert (posted["status"], posted["queue_position"]) == ("accepted", 1)
        assert (polled["job_id"], polled["status"]) == (posted["job_id"], "processing")
        assert (polled["payload"]["message"], polled["payload"]["from"]) == ("test", "+1234567890")
        assert (health["status"], health["service"]) == ("healthy", "whatsapp-engine")
        assert (await curl(found, commands[1], host))["status"] == "no_jobs"


@each_origin
async def test_a_message_goes_through_all_endpoints_in_the_printed_form(examples: Examples) -> None:
    printed = examples.documents
    inbound, request = printed["inbound"], printed["send"]
    async with engine(examples.tenant) as (found, fake):
        same_shape(await healthy(partial(root, found)), printed["health"])
        same_shape(await found.ask("GET", "/queue/next-job"), printed["no_jobs"])
        taken_in = await found.ask("POST", "/webhook/inbound", 202, json=inbound)
        same_shape(taken_in, printed["accepted"])
        got = await found.ask("GET", "/queue/next-job", params={"wait": 30})
        same_shape(got, printed["job"])
        assert got["payload"]["message"] == inbound["message"]["text"]
        assert got["payload"]["contact_name"] == inbound["contact_name"]
        await found.ask("PUT", settings_path(examples), json=settings(examples, fake))
        answer = await found.ask("POST", "/messages/send", json=request | {"job_id": got["job_id"]})
        same_shape(answer, printed["sent"])
        assert (answer["status"], answer["delivery_status"], answer["provider"]) == ("sent", "dispatched", "infobip")
        shown = await found.ask("GET", f"/queue/job/{got['job_id']}")
        same_shape(shown, printed["done"])
        assert (shown["status"], shown["result"]["response_message_id"]) == ("completed", answer["message_id"])
        [reached] = fake.messages.values()
        assert reached["content"]["text"] == request["message"]["text"]
        assert reached["context"] == {"replyToMessageId": request["reply_to_message_id"]}


def settings_path(examples: Examples) -> str:
    return f"/routes/tenants/{examples.tenant}/whatsapp-settings"


def settings(examples: Examples, fake: FakeInfobip) -> Json:
    """The printed settings, with the key and address of the fake."""
    printed = examples.documents["settings"]
    config = {"api_key": fake.api_key, "phone_number_id": fake.sender, "base_url": fake.url}
    return {**printed, "provider_config": {**printed["provider_config"], **config}}


@each_origin
async def test_the_printed_settings_are_taken_shown_masked_and_verify_webhooks(examples: Examples) -> None:
    printed, path = examples.documents["settings"], settings_path(examples)
    async with engine(examples.tenant) as (found, fake):
        put = await found.ask("PUT", path, json=printed)
        shown = await found.ask("GET", path)
        # Infobip has no use for an api_secret: it is not kept, and that is said.
        assert "api_secret" in put["warnings"][0]
        config = {key: value for key, value in printed["provider_config"].items() if key != "api_secret"}
        same_shape(shown, printed | {"provider_config": config})
        assert (shown["tenant_id"], shown["whatsapp_provider"]) == (examples.tenant, "infobip")
        assert shown["provider_config"]["api_key"] == f"{MASK}{printed['provider_config']['api_key'][-4:]}"
        for key in ("api_key", "api_secret"):
            assert printed["provider_config"][key] not in f"{put}{shown}"
        message = fake.incoming({"type": "TEXT", "text": "hi"})
        message["results"][0]["to"] = printed["provider_config"]["phone_number_id"]
        for token, status in (("another", 401), (printed["provider_config"]["webhook_verify_token"], 200)):
            headers = {"Authorization": f"Bearer {token}"}
            answer = await found.http.post(f"/webhooks/{examples.tenant}", json=message, headers=headers)
            assert answer.status_code == status, answer.text


@each_origin
async def test_the_conversations_path_takes_what_the_inbound_webhook_takes(examples: Examples) -> None:
    inbound = examples.documents["inbound"]
    async with engine(examples.tenant) as (found, _fake):
        for status, expected in (("ingested", 201), ("duplicate", 200)):
            answer = await found.http.post("/routes/api/v1/conversations/ingest", json=inbound)
            assert (answer.status_code, answer.json()["status"]) == (expected, status), answer.text
        rows = (await found.ask("GET", f"/api/conversations/{inbound['from']}/messages"))["data"]
        assert [row["content"] for row in rows] == [inbound["message"]["text"]]
        [chat] = (await found.ask("GET", "/api/conversations"))["data"]
        assert (chat["name"], chat["tenant_id"]) == (inbound["contact_name"], examples.tenant)
        assert (await found.ask("GET", "/queue/next-job"))["status"] == "no_jobs"


@pytest.mark.parametrize("path", ["/queue/next-job", "/messages", "/routes/tenants/garden/whatsapp-settings"])
async def test_without_the_token_nothing_is_told(path: str) -> None:
    async with engine("garden") as (found, _):
        answer = await found.http.get(path, headers={"Authorization": ""})
        assert answer.status_code == 401
