"""``/messages`` over HTTP: answers for every outcome, whose messages they are, and once for each key."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from tests.fake_messages import NOW, FakeMessages, sent
from wagate.config.tables import Limits
from wagate.config.units import Rate
from wagate.errors import (
    ConflictError,
    NotSentError,
    OutcomeUnknownError,
    SendError,
    SendRefusedError,
    UnprocessableError,
)
from wagate.hooks import MessageView, OutPoll, OutPreview
from wagate.storage.statement import run

TO = "+1234567890"
SPEC = {
    "to": TO,
    "message": {"text": "Thank you for your inquiry! Your order #12345 is being processed."},
    "tenant_id": "acme",
    "reply_to_message_id": "wamid.xxxxx",
}


def becomes(**fields: Any) -> Callable[[MessageView], MessageView]:
    return lambda view: msgspec.structs.replace(view, **fields)


@asynccontextmanager
async def site(folder: Path, messages: FakeMessages, **options: Any) -> AsyncIterator[ApiSite]:
    """With the account ``main`` of the client ``acme``."""
    async with api_site(folder, outbound=messages.outbound, **options) as running:
        async with running.as_(ACME) as http:
            made = await http.post(
                "/api/accounts", json={"name": "main", "provider": "session", "phone": "15550000001"}
            )
            assert made.status_code == 201
        yield running


async def post(running: ApiSite, body: Any, token: str = ACME, **headers: str) -> httpx2.Response:
    async with running.as_(token, **headers) as http:
        return await http.post("/messages/send", json=body)


async def test_the_answer_is_the_one_of_the_specification(tmp_path: Path) -> None:
    messages = FakeMessages(becomes(status="sent", message_id="wamid.yyyyy", sent_at=NOW))
    async with site(tmp_path, messages) as running:
        answer = await post(running, SPEC, ADMIN)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "sent",
        "message_id": "wamid.yyyyy",
        "delivery_status": "dispatched",
        "sent_at": "2025-09-10T10:30:05Z",
        "provider": "infobip",
        "id": messages.views[0].id,
        "account": "main",
    }
    [message] = messages.messages
    assert (message.chat, message.type, message.reply_to) == ("1234567890@c.us", "text", "wamid.xxxxx")


async def test_what_takes_longer_is_accepted_with_the_reason_why_it_waits(tmp_path: Path) -> None:
    messages = FakeMessages(becomes(error="the account is blocked", warnings=["no quote"]))
    async with site(tmp_path, messages) as running:
        answer = await post(running, SPEC)
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "queued",
        "id": messages.views[0].id,
        "account": "main",
        "detail": "the account is blocked",
        "warnings": ["no quote"],
    }


async def test_who_prefers_not_to_wait_does_not(tmp_path: Path) -> None:
    async with site(tmp_path, FakeMessages()) as running:
        answer = await post(running, SPEC, Prefer="respond-async")
        patient = await post(running, SPEC, Prefer="wait=5")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert (patient.status_code, patient.headers["Preference-Applied"]) == (200, "wait=5")


class QuickMessages(FakeMessages):
    """The provider took the message before anybody could look."""

    async def send(self, *arguments: Any, **options: Any) -> MessageView:
        return sent(await super().send(*arguments, **options))


async def test_who_prefers_not_to_wait_gets_202_however_quick_the_provider_is(tmp_path: Path) -> None:
    async with site(tmp_path, QuickMessages()) as running:
        answers = [await post(running, SPEC, Prefer=prefer) for prefer in ("respond-async", "wait=0")]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(202, "queued")] * 2
    assert all(answer.json().keys() == {"status", "id", "account"} for answer in answers)


async def test_an_unknown_outcome_says_what_that_means(tmp_path: Path) -> None:
    async with site(tmp_path, FakeMessages(becomes(status="unknown", error="read timeout"))) as running:
        answer = await post(running, SPEC)
    assert (answer.status_code, answer.json()["status"]) == (202, "unknown")
    assert answer.json()["detail"].startswith("read timeout; the request was sent but no answer came")


@pytest.mark.parametrize(("code", "status"), [("131047", 422), (None, 502)])
async def test_a_failed_message_is_a_problem_with_the_code_and_the_reason(
    code: str | None, status: int, tmp_path: Path
) -> None:
    reason = "more than 24 hours have passed: send a template" if code else "given up: Connection timeout"
    messages = FakeMessages(becomes(status="failed", error=reason, error_code=code))
    async with site(tmp_path, messages) as running:
        answer = await post(running, SPEC)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["detail"], problem.get("code"), problem["id"]) == (reason, code, messages.views[0].id)


async def test_what_the_provider_can_not_do_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    messages = FakeMessages()
    messages.refuse = UnprocessableError("infobip can't send stickers", field="message")
    async with site(tmp_path, messages) as running:
        answer = await post(running, SPEC | {"message": {"sticker": "https://e.example/a.webp"}})
    assert (answer.status_code, answer.json()["detail"]) == (422, "infobip can't send stickers")


async def test_the_admin_token_says_whose_message_it_is(tmp_path: Path) -> None:
    messages = FakeMessages()
    body = {"to": TO, "message": "Hi"}
    async with site(tmp_path, messages) as running:
        unsaid = await post(running, body, ADMIN)
        by_account = await post(running, body | {"account": "main", "tenant_id": ""}, ADMIN)
        nobody = await post(running, body | {"tenant_id": "nobody"}, ADMIN)
        no_account = await post(running, body | {"account": "none"}, ADMIN)
        both = await post(running, body | {"account": "main", "tenant_id": "other"}, ADMIN)
        acme = running.live.now.by_slug["acme"].id
    assert (unsaid.status_code, unsaid.json()["errors"][0]["field"]) == (422, "tenant_id")
    assert (by_account.status_code, [each.client_id for each in messages.views]) == (200, [acme])
    assert [nobody.status_code, no_account.status_code, both.status_code] == [404, 404, 404]


async def test_another_client_s_account_messages_and_name_are_not_found(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        made = await post(running, {"to": TO, "message": "Hi"})
        for body in ({"account": "main"}, {"tenant_id": "acme"}):
            assert (await post(running, {"to": TO, "message": "Hi"} | body, OTHER)).status_code == 404
        async with running.as_(OTHER) as http:
            assert (await http.get(f"/messages/{made.json()['id']}")).status_code == 404
            assert (await http.get("/messages")).json() == {"data": [], "next_cursor": None}
            assert (await http.get("/messages", params={"tenant_id": "acme"})).status_code == 404
    assert len(messages.views) == 1


async def test_messages_are_listed_by_filter_and_page_by_page(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        ids = [(await post(running, {"to": TO, "message": f"m{number}"})).json()["id"] for number in range(3)]
        async with running.as_(ACME) as http:
            one = (await http.get(f"/messages/{ids[0]}")).json()
            first = (await http.get("/messages", params={"limit": 2})).json()
            rest = (await http.get("/messages", params={"limit": 2, "cursor": first["next_cursor"]})).json()
            found = (
                await http.get("/messages", params={"message_id": "wamid.m1", "chat": TO, "status": "sent"})
            ).json()
            wrong = await http.get("/messages", params={"status": "lost"})
    assert (one["status"], one["message_id"], one["content"], one["to"]) == (
        "sent",
        "wamid.m0",
        "m0",
        "1234567890@c.us",
    )
    assert [each["id"] for each in (*first["data"], *rest["data"])] == ids[::-1]
    assert rest["next_cursor"] is None
    assert [each["id"] for each in found["data"]] == [ids[1]]
    assert wrong.status_code == 422


async def test_a_file_in_the_body_is_kept_and_sent_by_its_id(tmp_path: Path) -> None:
    messages = FakeMessages()
    data = bytes(range(256)) * 600
    document = {"data": base64.b64encode(data).decode(), "filename": "a.pdf", "mimetype": "application/pdf"}
    async with site(tmp_path, messages) as running:
        answer = await post(running, {"to": TO, "message": {"document": document}})
        acme = running.live.now.by_slug["acme"].id
    assert answer.status_code == 200
    assert messages.kept == [(acme, data, "a.pdf", "application/pdf")]
    media = messages.messages[0].media
    assert media is not None
    assert (media.media_id, media.filename) == ("m-1", "a.pdf")


async def test_a_key_is_one_message_also_when_its_answer_was_lost_in_a_crash(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        first = await post(running, SPEC, **{"Idempotency-Key": "k1"})
        again = await post(running, SPEC, **{"Idempotency-Key": "k1"})
        # What a kill between the commit of the message and that of the answer leaves.
        await running.database.write(run, "DELETE FROM idempotency")
        after = await post(running, SPEC, **{"Idempotency-Key": "k1"})
        other = await post(running, SPEC, **{"Idempotency-Key": "k2"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json() == again.json() == after.json()
    assert other.json()["id"] != first.json()["id"]
    assert len(messages.views) == 2


async def test_a_key_after_a_202_is_the_same_message_too(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        headers = {"Idempotency-Key": "k1", "Prefer": "respond-async"}
        first = await post(running, SPEC, **headers)
        await running.database.write(run, "DELETE FROM idempotency")
        after = await post(running, SPEC, **headers)
    assert (first.status_code, after.status_code) == (202, 202)
    assert first.json()["id"] == after.json()["id"]
    assert len(messages.views) == 1


async def test_a_key_that_was_refused_may_come_again_with_a_better_body(tmp_path: Path) -> None:
    messages = FakeMessages(becomes(status="failed", error="no such number", error_code="1"))
    async with site(tmp_path, messages) as running:
        refused = await post(running, SPEC, **{"Idempotency-Key": "k1"})
        messages.becomes = sent
        same = await post(running, SPEC, **{"Idempotency-Key": "k1"})
        better = await post(running, SPEC | {"to": "+15550000009"}, **{"Idempotency-Key": "k1"})
    assert [refused.status_code, same.status_code, better.status_code] == [422, 422, 200]


async def test_sending_has_a_limit_of_its_own(tmp_path: Path) -> None:
    limits = Limits(api=Rate("3/min"), messages=Rate("off"))
    async with site(tmp_path, FakeMessages(), limits=limits) as running:
        answers = [await post(running, {"to": TO, "message": "Hi"}) for _ in range(5)]
    assert {each.status_code for each in answers} == {200}


async def test_metadata_goes_along_and_must_be_small(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        await post(running, SPEC | {"metadata": {"order": 12345}})
        large = await post(running, SPEC | {"metadata": {"a": "x" * 20_000}})
    assert messages.metadata == [{"order": 12345}]
    assert (large.status_code, large.json()["errors"][0]["field"]) == (422, "metadata")


async def test_a_poll_and_a_preview_are_read_from_the_body(tmp_path: Path) -> None:
    messages = FakeMessages()
    shown = {"url": "https://a.example", "title": "A", "thumbnail": "/9j/"}
    poll = {"name": "Lunch?", "options": ["yes", "no"], "multiple": True}
    async with site(tmp_path, messages) as running:
        await post(running, {"to": TO, "message": {"poll": poll}})
        await post(running, {"to": TO, "message": {"text": {"body": "see https://a.example", "preview": shown}}})
        refused = [
            await post(running, {"to": TO, "message": message})
            for message in (
                {"poll": {"name": "Lunch?", "options": ["yes"]}},
                {"text": {"body": "see https://b.example", "preview": shown}},
                {"text": {"body": "https://a.example", "preview": shown | {"thumbnail": "iVBORw0KGgo="}}},
                {"text": {"body": "https://a.example", "preview": shown | {"thumbnail": "?"}}},
            )
        ]
    asked, text = messages.messages
    assert asked.poll == OutPoll(name="Lunch?", options=("yes", "no"), multiple=True)
    assert text.preview == OutPreview(url="https://a.example", title="A", thumbnail="/9j/")
    assert [(each.status_code, each.json()["errors"][0]["field"]) for each in refused] == [
        (422, "message.poll.options"),
        (422, "message.text.preview.url"),
        (422, "message.text.preview.thumbnail"),
        (422, "message.text.preview.thumbnail"),
    ]


async def test_a_message_is_edited_by_its_own_client(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        message_id = (await post(running, SPEC)).json()["id"]
        async with running.as_(OTHER) as http:
            assert (await http.put(f"/messages/{message_id}", json={"text": "theirs"})).status_code == 404
        async with running.as_(ACME) as http:
            answer = await http.put(f"/messages/{message_id}", json={"text": "better"})
            assert (answer.status_code, answer.content) == (204, b"")
            for wrong in ({"text": " "}, {"text": "a\0b"}, {}):
                assert (await http.put(f"/messages/{message_id}", json=wrong)).status_code == 422
            messages.refuse = SendRefusedError("too old", code="7")
            refused = await http.put(f"/messages/{message_id}", json={"text": "late"})
    assert messages.edited == [(message_id, "better")]
    assert (refused.status_code, refused.json()["code"]) == (422, "7")


async def test_a_file_over_the_body_limit_is_413(tmp_path: Path) -> None:
    async with site(tmp_path, FakeMessages()) as running:
        answer = await post(running, {"to": TO, "message": {"image": {"data": "A" * (11 * 1024 * 1024)}}})
    assert answer.status_code == 413


async def test_a_message_is_taken_back_by_its_own_client(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        message_id = (await post(running, SPEC)).json()["id"]
        async with running.as_(OTHER) as http:
            assert (await http.delete(f"/messages/{message_id}")).status_code == 404
        for token in (ACME, ADMIN):
            async with running.as_(token) as http:
                answer = await http.delete(f"/messages/{message_id}")
                assert (answer.status_code, answer.content) == (204, b"")
    assert messages.revoked == [message_id] * 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConflictError("it has not been sent yet"), 409),
        (UnprocessableError("meta can't revoke messages"), 422),
        (SendRefusedError("too old", code="7"), 422),
        (NotSentError("no connection", code="7"), 502),
        (OutcomeUnknownError("no answer", code="7"), 502),
    ],
)
async def test_why_a_message_is_not_taken_back_is_said(error: Exception, status: int, tmp_path: Path) -> None:
    messages = FakeMessages()
    async with site(tmp_path, messages) as running:
        message_id = (await post(running, SPEC)).json()["id"]
        messages.refuse = error
        async with running.as_(ACME) as http:
            answer = await http.delete(f"/messages/{message_id}")
    assert (answer.status_code, answer.json()["detail"]) == (status, getattr(error, "detail", str(error)))
    assert answer.json().get("code") == ("7" if isinstance(error, SendError) else None)
