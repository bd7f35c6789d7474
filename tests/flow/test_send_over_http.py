"""Messages sent over HTTP through the whole gateway, to providers that are real servers."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import pytest
import trio
from waha import WahaClient

from tests.commands import wagate
from tests.engine_examples import Examples, each_origin
from tests.flow.dashboard import browser
from tests.gateway import TOKEN
from tests.inprocess import CHAT, Gateway, running_gateway
from tests.patience import held
from tests.sounds import mp3
from wagate.testing.providers.meta import FakeMeta, failed
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Fault, Reply, running

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

KEY = "waha-key"
OURS = "15550000001"


def waha_account(fake: FakeWaha, **more: Any) -> dict[str, Any]:
    return {"provider": "waha", "base_url": fake.url, "api_key": KEY, "phone": OURS, "media": "base64", **more}


@asynccontextmanager
async def sending(accounts: Mapping[str, Mapping[str, Any]] | None = None) -> AsyncIterator[tuple[Gateway, FakeWaha]]:
    """A gateway with the account ``main``, at a WAHA; and other accounts, there too if they name no provider."""
    fake = FakeWaha(api_key=KEY)
    async with running(fake):
        tables: dict[str, dict[str, Any]] = {"accounts.main": waha_account(fake)}
        for name, account in (accounts or {}).items():
            tables[f"accounts.{name}"] = dict(account) if "provider" in account else waha_account(fake, **account)
        async with running_gateway(tables) as gateway:
            yield gateway, fake


async def send(gateway: Gateway, expected: int = 200, headers: Mapping[str, str] | None = None, **body: Any) -> Any:
    body = {"to": CHAT, "message": {"text": "Hi"}, "tenant_id": "default"} | body
    return await gateway.ask("POST", "/messages/send", expected, json=body, headers=headers)


@each_origin
async def test_the_specifications_request_is_answered_as_it_prints(examples: Examples) -> None:
    request, printed = examples.documents["send"], examples.documents["sent"]
    async with sending({"theirs": {"client": request["tenant_id"]}}) as (gateway, fake):
        answer = await gateway.ask("POST", "/messages/send", json=request)
    assert printed.keys() <= answer.keys()
    assert {name: type(answer[name]) for name in printed} == {name: type(printed[name]) for name in printed}
    same = ("status", "delivery_status")
    assert [answer[name] for name in same] == [printed[name] for name in same]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", answer["sent_at"])
    [taken] = fake.sent
    assert (taken["text"], taken["reply_to"]) == (request["message"]["text"], request["reply_to_message_id"])
    assert answer["message_id"] == taken["_id"]


async def test_a_sent_message_is_shown_with_its_times() -> None:
    async with sending() as (gateway, fake):
        answer = await send(gateway, metadata={"order": 1})
        shown = await gateway.ask("GET", f"/messages/{answer['id']}")
        listed = await gateway.ask("GET", "/messages", params={"message_id": answer["message_id"], "chat": CHAT})
    assert (shown["status"], shown["message_id"], shown["account"]) == ("sent", fake.sent[0]["_id"], "main")
    assert shown["sent_at"] == answer["sent_at"]
    assert listed["data"] == [shown]


async def test_a_refusal_has_the_providers_code_and_a_plain_reason() -> None:
    meta = FakeMeta()
    async with running(meta.server):
        settings = {"access_token": meta.token, "phone_number_id": meta.phone_number_id, "base_url": meta.url}
        async with sending({"shop": {"provider": "meta", **settings}}) as (gateway, _):
            meta.server.fail(Fault(reply=failed(400, 131047, "Re-engagement message")))
            problem = await send(gateway, 422, account="shop")
            shown = await gateway.ask("GET", f"/messages/{problem['id']}")
    assert problem["code"] == "131047"
    assert "template" in problem["detail"]
    assert (shown["status"], shown["error"], shown["error_code"]) == ("failed", problem["detail"], "131047")
    assert not meta.messages


async def test_an_account_that_is_stopped_holds_the_message_and_says_why() -> None:
    async with sending() as (gateway, fake):
        fake.api_key = "another"
        answer = await held(gateway, to=CHAT, message={"text": "Hi"}, tenant_id="default")
        shown = await gateway.ask("GET", f"/messages/{answer['id']}")
    assert answer["status"] == shown["status"] == "queued"
    assert answer["detail"] == shown["error"]
    assert answer["detail"]


async def test_an_answer_that_never_came_is_unknown_and_not_sent_again() -> None:
    async with sending() as (gateway, fake):
        fake.fail(Fault(accept=True, drop=True, path="/api/sendText"))
        answer = await send(gateway, 202, {"Idempotency-Key": "k"})
        again = await send(gateway, 202, {"Idempotency-Key": "k"})
        shown = await gateway.ask("GET", f"/messages/{answer['id']}")
        (job,) = (await gateway.ask("GET", "/api/jobs?connector=outbound"))["data"]
        refused = await gateway.ask("POST", f"/api/jobs/{job['id']}/retry", 409)
        async with browser(gateway) as http:
            page = (await http.get(f"/ui/deliveries/{job['id']}")).text
    assert answer == again
    assert answer["status"] == shown["status"] == "unknown"
    assert "it may have been sent" in refused["detail"]
    assert "It may have been sent. Look at the phone" in page
    assert "/retry" not in page, "it would not be sent again"
    assert len(fake.sent) == 1


async def test_a_file_in_the_body_reaches_the_provider() -> None:
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(200_000)).decode()
    async with sending() as (gateway, fake):
        await send(gateway, message={"image": {"data": image, "filename": "a.png", "caption": "A"}})
    [taken] = fake.sent
    assert (taken["_path"], taken["caption"], taken["file"]["data"]) == ("/api/sendImage", "A", image)
    assert taken["file"]["mimetype"] == "image/png"


async def test_wahas_verbs_reach_waha() -> None:
    async with sending() as (gateway, fake):
        client = WahaClient(gateway.url, api_key=TOKEN)

        async def call(method: str, **payload: Any) -> Any:
            return await trio.to_thread.run_sync(partial(getattr(client.chatting, method), payload))

        chat = {"session": "main", "chatId": "15550000009@c.us"}
        text = await call("send_text", **chat, text="Hi", reply_to="")
        await call("set_reaction", session="main", messageId=text["id"], reaction="👍")
        await call("start_typing", **chat)
        await call("send_location", **chat, latitude=1.5, longitude=2, title="Here")
        client.close()
    assert [each["_path"] for each in fake.sent] == ["/api/sendText", "/api/reaction", "/api/sendLocation"]
    assert text["id"] == fake.sent[0]["_id"]
    assert (text["from"], text["to"]) == (f"{OURS}@c.us", "15550000009@c.us")
    assert fake.sent[1]["messageId"] == text["id"]
    assert fake.signals == [("/api/startTyping", "15550000009@c.us")]


async def test_a_message_may_be_named_by_our_id_in_wahas_form() -> None:
    async with sending() as (gateway, fake):
        answer = await send(gateway, 200)
        body = {"session": "main", "messageId": f"true_5511999999999@c.us_{answer['id']}", "reaction": "👍"}
        await gateway.ask("PUT", "/api/reaction", json=body)
    assert fake.sent[1]["messageId"] == answer["message_id"]


async def take_job(gateway: Gateway, text: str) -> Any:
    """A job under a lease: a message came in."""
    await gateway.post(text)
    job = await gateway.ask("GET", "/queue/next-job", params={"wait": 30})
    assert job["status"] == "processing"
    return job


async def job_state(gateway: Gateway, job: Any) -> Any:
    return await gateway.ask("GET", f"/queue/job/{job['job_id']}")


async def test_a_message_completes_the_job_that_it_answers_once() -> None:
    async with sending() as (gateway, fake):
        job = await take_job(gateway, "m1")
        done = {"job_id": job["job_id"], "lease_id": job["lease_id"]}
        stale = await send(gateway, 409, **done | {"lease_id": "stale"})
        assert not fake.sent
        answer = await send(gateway, headers={"Idempotency-Key": "k"}, **done)
        state = await job_state(gateway, job)
        again = await send(gateway, 409, **done)
        missing = await send(gateway, 404, job_id="01940000-0000-7000-8000-000000000000")
        shown = await gateway.ask("GET", f"/messages/{answer['id']}")
    assert state["status"] == "completed"
    assert state["result"]["response_message_id"] == answer["message_id"]
    assert "warnings" not in answer
    assert shown["job_id"] == job["job_id"]
    assert [each["errors"][0]["field"] for each in (stale, again)] == ["lease_id", "job_id"]
    assert missing["status"] == 404
    assert len(fake.sent) == 1


async def test_a_refused_message_leaves_the_job_to_its_worker() -> None:
    async with sending() as (gateway, fake):
        job = await take_job(gateway, "m1")
        fake.fail(Fault(reply=Reply(status=400, json={"message": "no such chat", "statusCode": 400})))
        problem = await send(gateway, 422, job_id=job["job_id"])
        before = await job_state(gateway, job)
        await send(gateway, job_id=job["job_id"])
        after = await job_state(gateway, job)
    assert problem["id"]
    assert (before["status"], after["status"]) == ("processing", "completed")


async def test_a_job_whose_message_is_stored_is_done_though_nobody_waited() -> None:
    async with sending() as (gateway, _):
        job = await take_job(gateway, "m1")
        answer = await send(gateway, 202, {"Prefer": "respond-async"}, job_id=job["job_id"])
        state = await job_state(gateway, job)
    assert answer["status"] == "queued"
    assert (state["status"], state["result"]["id"]) == ("completed", answer["id"])


async def test_the_command_sends_over_the_gateways_socket() -> None:
    async with sending() as (gateway, fake):

        async def run(*arguments: str) -> tuple[int, str, str]:
            done = await wagate("--config", str(gateway.folder / "config.toml"), "send", *arguments)
            return done.exit_code, done.stdout, done.stderr

        sent = await run("main", CHAT, "Hello")
        wrong = await run("main", "nobody", "Hello")
    assert sent == (0, f"sent {fake.sent[0]['_id']}\n", "")
    assert wrong[:2] == (1, "")
    assert "to must be a phone number" in wrong[2]


async def test_another_token_with_the_same_key_and_body_is_the_same_message() -> None:
    async with sending() as (gateway, fake):
        made = await gateway.ask("POST", "/api/clients/default/tokens", 201, json={})
        first = await send(gateway, headers={"Idempotency-Key": "k"})
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=60, trust_env=False, verify=False) as http:
            headers = {"X-Api-Key": made["token"], "Idempotency-Key": "k"}
            body = {"to": CHAT, "message": {"text": "Hi"}, "tenant_id": "default"}
            second = await http.post("/messages/send", json=body, headers=headers)
    assert second.json() == first
    assert len(fake.sent) == 1


async def test_a_long_text_is_answered_when_all_its_parts_are_sent_or_one_is_not() -> None:
    meta = FakeMeta()
    text = "\n\n".join(letter * 3000 for letter in "abc")
    async with running(meta.server):
        settings = {"access_token": meta.token, "phone_number_id": meta.phone_number_id, "base_url": meta.url}
        async with sending({"shop": {"provider": "meta", **settings}}) as (gateway, _):
            answer = await send(gateway, account="shop", message={"text": text})
            shown = [await gateway.ask("GET", f"/messages/{each}") for each in answer["parts"]]
            meta.server.fail(
                Fault(path="/messages", wait=0.0), Fault(path="/messages", reply=failed(400, 131047, "No"))
            )
            problem = await send(gateway, 422, account="shop", message={"text": text})
    assert [each["text"]["body"] for each in meta.messages[:3]] == text.split("\n\n")
    assert [each["status"] for each in shown] == ["sent"] * 3
    assert [(each["part"]["number"], each["part"]["of"]) for each in shown] == [(1, 3), (2, 3), (3, 3)]
    assert problem["detail"].endswith("(part 2 of 3)")
    assert len(meta.messages) == 4


async def test_a_recording_that_is_no_opus_reaches_meta_as_a_voice_message() -> None:
    meta = FakeMeta()
    async with running(meta.server):
        settings = {"access_token": meta.token, "phone_number_id": meta.phone_number_id, "base_url": meta.url}
        async with sending({"shop": {"provider": "meta", **settings}}) as (gateway, fake):
            memo = {"voice": {"data": base64.b64encode(mp3()).decode(), "filename": "memo.mp3"}}
            await send(gateway, account="shop", message=memo)
            await send(gateway, account="main", message=memo)
    [taken] = meta.messages
    file = meta.uploads[taken["audio"]["id"]]
    assert taken["audio"]["voice"] is True
    assert (file.mimetype, file.filename, file.content[:4]) == ("audio/ogg; codecs=opus", "memo.ogg", b"OggS")
    assert (fake.sent[0]["_path"], fake.sent[0]["convert"]) == ("/api/sendVoice", True)
