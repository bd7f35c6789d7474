"""360dialog: Meta's JSON behind an API key, with errors and a webhook guard of its own."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.meta import account, at_dialog360, dialog360_provider, outgoing, request, webhook
from wagate.errors import AccountStoppedError, NotSentError, SendError, SendRefusedError, UnauthorizedError
from wagate.events import Media
from wagate.hooks import OutFile, Signal
from wagate.testing import answered
from wagate.testing.providers.dialog360 import FakeDialog360, refused
from wagate.testing.providers.meta import failed, fake_meta
from wagate.testing.server import Fault, Reply
from wagate_dialog360 import Dialog360Settings, parse, verify
from wagate_dialog360.api import failure

SETTINGS = Dialog360Settings(api_key="key", webhook_header="X-My-Secret")
SECRET = "s3cret-ä"


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-My-Secret": SECRET}, {}),
        (basic(f"anyone:{SECRET}"), {}),
        ({}, {"token": SECRET}),
        ({"X-My-Secret": "old"}, {"token": SECRET}),
    ],
)
def test_the_secret_may_come_in_a_header_as_a_password_or_in_the_url(
    headers: dict[str, str], query: dict[str, str]
) -> None:
    verify(request(b"{}", headers, query), account(SETTINGS, webhook_secret=SECRET))


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, {}),
        ({"X-My-Secret": "wrong"}, {"token": "wrong"}),
        ({"X-Webhook-Secret": SECRET}, {}),
        (basic(SECRET), {}),
        ({"Authorization": "Basic !"}, {}),
        ({"Authorization": f"Bearer {SECRET}"}, {}),
    ],
)
def test_anything_else_is_refused(headers: dict[str, str], query: dict[str, str]) -> None:
    with pytest.raises(UnauthorizedError):
        verify(request(b"{}", headers, query), account(SETTINGS, webhook_secret=SECRET))


def test_without_a_secret_of_the_account_everything_is_refused_with_the_reason() -> None:
    with pytest.raises(UnauthorizedError, match="no webhook_secret"):
        verify(request(b"{}", {"X-My-Secret": ""}, {"token": ""}), account(SETTINGS))


def test_the_webhook_is_the_accounts_own_unless_its_number_is_named() -> None:
    body = msgspec.json.encode(webhook({"messages": [{"from": "1555", "id": "1", "type": "text"}]}))
    [event] = parse(request(body), account(SETTINGS))
    assert (event.kind, event.number) == ("message", "")
    named = Dialog360Settings(api_key="key", phone_number_id="100000000000001")
    [event] = parse(request(body), account(named))
    assert event.number == "100000000000001"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"meta": {"developer_message": "You have exceeded the endpoint rate limit."}}, NotSentError),
        (400, {"error": "You have exceeded the endpoint rate limit."}, NotSentError),
        (429, {"detail": "Too many requests"}, NotSentError),
        (400, {"meta": {"developer_message": "WhatsApp for Business API has been disabled"}}, AccountStoppedError),
        (400, {"message": "Payment required"}, AccountStoppedError),
        (401, {"meta": {"developer_message": "Invalid api_key"}}, AccountStoppedError),
        (403, {"meta": {"developer_message": "The endpoint is blocked"}}, NotSentError),
        (403, {}, AccountStoppedError),
        (404, {}, SendRefusedError),
        (400, {"meta": {"developer_message": "Bad parameter"}}, SendRefusedError),
        (500, {}, NotSentError),
        (502, {}, NotSentError),
        (400, {"error": {"code": 131047}}, SendRefusedError),
        (400, {"error": {"code": 131056}}, NotSentError),
        (400, {"error": {"message": "no code here"}}, SendRefusedError),
    ],
)
def test_its_own_errors_are_told_by_their_words_and_metas_by_their_code(
    status: int, body: dict[str, Any], kind: type[SendError]
) -> None:
    error = failure(answered(status, msgspec.json.encode(body)), "")
    assert type(error) is kind
    assert error.http_status == status


def test_a_rate_limit_slows_the_account_and_a_blocked_endpoint_rests_for_half_an_hour() -> None:
    limit = failure(answered(400, b"You have exceeded the endpoint rate limit."), "")
    assert isinstance(limit, NotSentError)
    assert (limit.slow, limit.after) == ("account", 5.0)
    blocked = failure(answered(403, b"The endpoint is blocked"), "")
    assert isinstance(blocked, NotSentError)
    assert (blocked.slow, blocked.after) == ("account", 1800.0)


async def test_messages_files_and_signals_go_to_paths_without_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"jpeg")
    fake = FakeDialog360()
    async with fake_meta(fake), dialog360_provider() as provider:
        assert provider.send
        assert provider.signal
        account_there = at_dialog360(fake)
        await provider.send(outgoing(account_there, text="Hi"))
        file = OutFile(mimetype="image/jpeg", filename="a.jpg", path=path)
        await provider.send(outgoing(account_there, type="image", file=file))
        await provider.signal(Signal(kind="seen", chat="1555@c.us", message_ids=("a",)), account_there)
    assert [seen.path for seen in fake.server.seen] == ["/messages", "/media", "/messages", "/messages"]
    assert {seen.headers["d360-api-key"] for seen in fake.server.seen} == {fake.token}
    assert not any("authorization" in seen.headers for seen in fake.server.seen)
    assert [message["type"] for message in fake.messages] == ["text", "image"]


async def test_a_file_is_fetched_from_its_own_host_with_the_key() -> None:
    fake = FakeDialog360()
    async with fake_meta(fake), dialog360_provider() as provider:
        assert provider.locate_media
        media_id = fake.hold(b"jpeg", "image/jpeg")
        found = await provider.locate_media(Media(provider_id=media_id), at_dialog360(fake))
        assert found.url == f"{fake.url}/files/{media_id}?v=0"
        assert (found.headers, found.trust) == ({"D360-API-KEY": fake.token}, "operator")
        assert fake.server.seen[-1].query == {}
        direct = await provider.locate_media(Media(url="https://lookaside.fbsbx.com/x?a=1"), at_dialog360(fake))
        assert direct.url == f"{fake.url}/x?a=1"


async def test_a_file_that_is_gone_is_asked_for_once_since_errors_are_counted() -> None:
    fake = FakeDialog360()
    async with fake_meta(fake), dialog360_provider() as provider:
        assert provider.locate_media
        with pytest.raises(SendRefusedError, match="no longer exists"):
            await provider.locate_media(Media(provider_id="5"), at_dialog360(fake))
    assert len(fake.server.seen) == 1
    assert provider.media_errors == 20


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refused(401, "Invalid api_key"), AccountStoppedError),
        (refused(400, "You have exceeded the endpoint rate limit."), NotSentError),
        (failed(400, 131047, "window"), SendRefusedError),
        (Reply(status=502), NotSentError),
    ],
)
async def test_its_answers_have_their_class(reply: Reply, kind: type[SendError]) -> None:
    fake = FakeDialog360()
    async with fake_meta(fake), dialog360_provider() as provider:
        assert provider.send
        fake.server.fail(Fault(reply=reply))
        with pytest.raises(kind):
            await provider.send(outgoing(at_dialog360(fake)))


@pytest.mark.parametrize("wrong", [{"webhook_header": "X Secret"}, {"base_url": "waba"}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, str]) -> None:
    values = {"api_key": "k"} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Dialog360Settings(**values)
