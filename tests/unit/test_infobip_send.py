"""Sending through Infobip, over a real connection to a server that answers, fails and hangs like it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from tests.infobip_accounts import OUR_ID, OURS, THEM, URL, account, outgoing, provider
from tests.infobip_document import strict_infobip
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import OutMessage, Provider, ProviderAccount, Sent, Signal
from wagate.http import HttpClient, NetworkError, TimedOutError
from wagate.outbound.handover import PATIENCE
from wagate.testing.providers.infobip import NO_ERROR, FakeInfobip, failed, fake_infobip
from wagate.testing.server import Fault, Reply

HELLO = OutMessage(chat=THEM, type="text", text="Hello")
REJECTED = {"groupId": 5, "groupName": "REJECTED"}


@asynccontextmanager
async def infobip(*, timeout: float = 60.0) -> AsyncIterator[tuple[FakeInfobip, Provider]]:
    http = HttpClient()
    async with fake_infobip(strict_infobip()) as fake:
        yield fake, provider(http, timeout=timeout)
        await http.aclose()


async def send(provider: Provider, to: ProviderAccount, message: OutMessage = HELLO) -> Sent:
    assert provider.send is not None
    return await provider.send(outgoing(to, message))


async def refusal(*faults: Fault, error: type[SendError]) -> tuple[FakeInfobip, Any]:
    async with infobip() as (fake, through):
        fake.server.fail(*faults)
        with pytest.raises(error) as raised:
            await send(through, account(fake))
        assert type(raised.value) is error
        return fake, raised.value


async def test_a_message_is_taken_under_our_own_id() -> None:
    async with infobip() as (fake, through):
        sent = await send(through, account(fake))
        assert (sent.message_id, sent.status, sent.http_status) == (OUR_ID, "sent", 200)
        assert fake.messages[OUR_ID]["content"] == {"text": "Hello"}
        [seen] = fake.server.seen
        assert seen.headers["content-type"] == "application/json"


async def test_a_template_is_taken_too() -> None:
    template = OutMessage(chat=THEM, type="template", template={"name": "x", "language": {"code": "en"}})
    async with infobip() as (fake, through):
        assert (await send(through, account(fake), template)).message_id == OUR_ID
        assert fake.messages[OUR_ID]["path"] == "template"


@pytest.mark.parametrize("timeout", [10.0, 3600.0])
async def test_the_same_id_twice_reaches_the_phone_once_and_counts_as_sent(
    timeout: float, mock_clock: trio.testing.MockClock
) -> None:
    async with infobip(timeout=timeout) as (fake, through):

        async def time_passes_once_it_was_taken() -> None:
            while not fake.messages:
                await trio.testing.wait_all_tasks_blocked(0.01)
            mock_clock.jump(56)
            await trio.testing.wait_all_tasks_blocked(0.01)
            mock_clock.jump(PATIENCE)

        assert through.idempotent
        fake.server.fail(Fault(accept=True, wait=3600))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(time_passes_once_it_was_taken)
            with trio.fail_after(PATIENCE), pytest.raises(TimedOutError):
                await send(through, account(fake))
        assert (await send(through, account(fake))).message_id == OUR_ID
        assert len(fake.messages) == 1


async def test_a_connection_that_is_refused_passes_as_it_is() -> None:
    async with infobip() as (fake, through):
        nowhere = account(fake, base_url="http://127.0.0.1:1")
        with pytest.raises(NetworkError, match="ECONNREFUSED"):
            await send(through, nowhere)


def lost() -> Iterator[bytes]:
    """A body whose connection ends in its midst."""
    yield b'{"messages'
    raise trio.BrokenResourceError


async def test_an_answer_that_breaks_off_leaves_the_outcome_open() -> None:
    fake, error = await refusal(Fault(accept=True, reply=Reply(chunks=lost())), error=OutcomeUnknownError)
    assert error.http_status == 200
    assert len(fake.messages) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"messages":[]}', b'{"status":"fine"}'])
async def test_a_200_that_says_nothing_leaves_the_outcome_open(body: bytes) -> None:
    await refusal(Fault(reply=Reply(body=body)), error=OutcomeUnknownError)


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (failed(400, "BAD_REQUEST", "Bad request"), SendRefusedError, "BAD_REQUEST"),
        (failed(401, "UNAUTHORIZED", "Unauthorized"), AccountStoppedError, "UNAUTHORIZED"),
        (failed(403, "FORBIDDEN", "Forbidden"), AccountStoppedError, "FORBIDDEN"),
        (failed(404, "NOT_FOUND", "Not found"), AccountStoppedError, "NOT_FOUND"),
        (failed(429, "TOO_MANY_REQUESTS", "Slow"), NotSentError, "TOO_MANY_REQUESTS"),
        (failed(500, "GENERAL_ERROR", "Something went wrong."), OutcomeUnknownError, "GENERAL_ERROR"),
        (failed(502, "", ""), OutcomeUnknownError, ""),
        (failed(503, "", ""), NotSentError, ""),
        (Reply(status=504, body=b"<html>"), OutcomeUnknownError, ""),
        (Reply(status=302, headers={"location": "/"}), AccountStoppedError, ""),
        (Reply(status=400, json={"errorCode": "E400", "description": "No"}), SendRefusedError, "E400"),
    ],
)
async def test_the_status_of_an_answer_says_what_is_certain(reply: Reply, error: type[SendError], code: str) -> None:
    _, raised = await refusal(Fault(reply=reply), error=error)
    assert (raised.code, raised.http_status) == (code, reply.status)
    assert raised.reason.startswith(f"Infobip answered {reply.status}: ")


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("soon", None), (None, None)])
async def test_too_many_requests_slow_the_account_for_as_long_as_it_is_told(
    header: str | None, after: float | None
) -> None:
    reply = failed(429, "TOO_MANY_REQUESTS", "Too many requests")
    told = replace(reply, headers={"retry-after": header} if header else {})
    _, raised = await refusal(Fault(reply=told), error=NotSentError)
    assert (raised.after, raised.slow) == (after, "account")


async def test_what_is_wrong_with_a_request_is_told_field_by_field() -> None:
    async with infobip() as (fake, through):
        own = {"name": "x", "language": {"code": "en"}, "templateData": {"buttons": []}}
        with pytest.raises(SendRefusedError, match=r"Bad request; .*templateData\.body is required"):
            await send(through, account(fake), OutMessage(chat=THEM, type="template", template=own))


@pytest.mark.parametrize(
    ("status", "error", "expected", "facts"),
    [
        ({"id": 6, "name": "REJECTED_NETWORK"}, NO_ERROR, SendRefusedError, {"code": "6", "window": False}),
        ({"id": 9, "groupId": 2}, {"id": 7010}, SendRefusedError, {"code": "7010", "window": True}),
        ({"id": 12, "name": "REJECTED_NOT_ENOUGH_CREDITS"}, {}, AccountStoppedError, {"code": "12"}),
        ({"id": 13}, {}, AccountStoppedError, {"code": "13"}),
        ({"id": 17}, {}, AccountStoppedError, {"code": "17"}),
        ({"id": 20}, {}, NotSentError, {"slow": "account", "after": 30.0}),
        ({"id": 21}, {}, NotSentError, {"slow": "", "after": None}),
        ({"id": 9}, {"id": 7016}, NotSentError, {"code": "7016", "slow": "account"}),
        ({"id": 9}, {"id": 7017}, NotSentError, {"code": "7017", "slow": "account"}),
        ({"id": 9}, {"id": 7050}, NotSentError, {"code": "7050", "slow": ""}),
        ({"id": 9}, {"id": 7051}, NotSentError, {"code": "7051"}),
        ({"id": 9}, {"id": 7032}, SendRefusedError, {"code": "7032"}),
        ({"id": 9}, {"id": 7033}, SendRefusedError, {"code": "7033"}),
        ({"id": 9}, {"id": 7002}, SendRefusedError, {"code": "7002"}),
        ({"id": 9}, {"id": 7008}, SendRefusedError, {"code": "7008"}),
    ],
)  # fmt: skip
async def test_a_200_that_refuses_is_the_error_that_it_names(
    status: dict[str, Any], error: dict[str, Any], expected: type[SendError], facts: dict[str, Any]
) -> None:
    async with infobip() as (fake, through):
        fake.refusal = (REJECTED | status, error)
        with pytest.raises(expected) as raised:
            await send(through, account(fake))
        assert type(raised.value) is expected
        assert {name: getattr(raised.value, name) for name in facts} == facts


async def test_an_account_without_a_number_is_stopped_before_anything_is_sent() -> None:
    async with infobip() as (fake, through):
        nobody = account(fake)
        nobody = ProviderAccount(
            name="shop", phone="", settings=nobody.settings, webhook_secret="", webhook_url="", trust="operator"
        )
        with pytest.raises(AccountStoppedError, match="no number"):
            await send(through, nobody)
        assert fake.server.seen == []


async def test_no_error_carries_the_key() -> None:
    async with infobip() as (fake, through):
        fake.server.fail(Fault(reply=failed(500, "GENERAL_ERROR", "Oops")))
        with pytest.raises(OutcomeUnknownError) as raised:
            await send(through, account(fake))
        assert fake.api_key not in f"{raised.value.reason}{raised.value.response}{raised.value!r}"


async def test_messages_are_marked_as_seen_one_by_one() -> None:
    async with infobip() as (fake, through):
        assert through.signal is not None
        seen = Signal(kind="seen", chat=THEM, message_ids=("wamid.A/B==", "2"))
        await through.signal(seen, account(fake))
        assert fake.read == ["wamid.A/B==", "2"]
        with pytest.raises(SendRefusedError, match="name them"):
            await through.signal(Signal(kind="seen", chat=THEM), account(fake))


async def test_typing_is_shown_and_ends_by_itself() -> None:
    async with infobip() as (fake, through):
        assert through.signal is not None
        await through.signal(Signal(kind="typing", chat=THEM), account(fake))
        [event] = fake.events
        assert event == {
            "sender": OURS,
            "destinations": [{"to": "5511988880001"}],
            "content": {"type": "TYPING_INDICATOR"},
        }
        await through.signal(Signal(kind="paused", chat=THEM), account(fake))
        assert len(fake.server.seen) == 1


async def test_a_signal_that_fails_says_why() -> None:
    async with infobip() as (fake, through):
        assert through.signal is not None
        fake.server.fail(Fault(reply=failed(429, "TOO_MANY_REQUESTS", "Slow")))
        with pytest.raises(NotSentError):
            await through.signal(Signal(kind="typing", chat=THEM), account(fake))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("{fake}/whatsapp/1/senders/1/media/2", True),
        ("https://abcd.api.infobip.com/whatsapp/1/senders/1/media/2", True),
        ("http://abcd.api.infobip.com/whatsapp/1/senders/1/media/2", False),
        ("https://api.infobip.com.evil.example/media/2", False),
        ("https://evilinfobip.com/media/2", False),
    ],
)
async def test_the_key_goes_along_to_infobips_hosts_only(url: str, key: bool) -> None:
    async with infobip() as (fake, through):
        assert through.locate_media is not None
        found = await through.locate_media(Media(url=url.format(fake=fake.url)), account(fake))
        assert ("Authorization" in found.headers) is key
        assert found.trust == ("operator" if "{fake}" in url else "public")


async def test_a_file_is_fetched_as_located() -> None:
    async with infobip() as (fake, through):
        assert through.locate_media is not None
        where = await through.locate_media(Media(url=fake.hold(b"\x89PNG", "image/png")), account(fake))
        http = HttpClient()
        answer = await http.request("GET", where.url, headers=where.headers, trust=where.trust)
        await http.aclose()
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"\x89PNG", "image/png")
        with pytest.raises(SendRefusedError):
            await through.locate_media(Media(), account(fake))


async def findings(fake: FakeInfobip, through: Provider, **options: Any) -> dict[str, str]:
    assert through.check is not None
    return {each.what: each.level for each in await through.check(account(fake, **options))}


async def test_the_doctor_is_told_what_would_not_work() -> None:
    async with infobip() as (fake, through):
        assert await findings(fake, through, secret="s", url=URL) == {"token": "ok", "webhook": "ok"}
        assert await findings(fake, through) == {"token": "ok", "webhook": "fail", "public_url": "warn"}
        wrong = {"secret": "s", "url": URL}
        assert (await findings(fake, through, api_key="other", **wrong))["token"] == "fail"
        assert (await findings(fake, through, sender="4999", **wrong))["sender"] == "warn"
        assert (await findings(fake, through, base_url="http://127.0.0.1:1", **wrong))["reachable"] == "fail"
        fake.server.fail(Fault(reply=Reply(status=500)))
        assert (await findings(fake, through, **wrong))["token"] == "warn"
