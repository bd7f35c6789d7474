"""Sending through Twilio, over a real connection to a server that answers, fails and hangs like it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from tests.twilio_accounts import OUR_ID, OURS, THEM, URL, account, events, outgoing, provider
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import OutMessage, Provider, ProviderAccount, Sent, Signal
from wagate.http import HttpClient, NetworkError, TimedOutError
from wagate.outbound.handover import PATIENCE
from wagate.testing.providers.twilio import FakeTwilio, by_password, failed, fake_twilio
from wagate.testing.server import Fault, Reply

DAY = datetime(2025, 1, 10, 12, tzinfo=UTC)


HELLO = OutMessage(chat=THEM, type="text", text="Hello")


@asynccontextmanager
async def twilio(*, timeout: float = 60.0) -> AsyncIterator[tuple[FakeTwilio, Provider]]:
    http = HttpClient()
    async with fake_twilio() as fake:
        yield fake, provider(http, timeout=timeout)
        await http.aclose()


async def send(through: Provider, to: ProviderAccount, message: OutMessage = HELLO) -> Sent:
    assert through.send is not None
    return await through.send(outgoing(to, message))


async def refusal(fault: Fault, *, error: type[SendError]) -> tuple[FakeTwilio, Any]:
    async with twilio() as (fake, through):
        fake.server.fail(fault)
        with pytest.raises(error) as raised:
            await send(through, account(fake))
        assert type(raised.value) is error
        return fake, raised.value


async def test_a_message_is_taken_into_twilios_queue() -> None:
    async with twilio() as (fake, through):
        sent = await send(through, account(fake))
        [message] = fake.messages
        assert (sent.message_id, sent.status, sent.http_status) == (message["Sid"], "queued", 201)
        assert message == {
            "To": "whatsapp:+5511999990000",
            "From": f"whatsapp:+{OURS}",
            "Body": "Hello",
            "StatusCallback": f"{URL}?wagate_id={OUR_ID}",
            "Sid": sent.message_id,
        }
        assert not through.idempotent


async def test_an_api_key_sends_in_place_of_the_token() -> None:
    async with twilio() as (fake, through):
        key, secret = fake.api_key
        await send(through, account(fake, api_key_sid=key, api_key_secret=secret))
        assert fake.server.seen[0].headers["authorization"] == by_password(key, secret)


@pytest.mark.parametrize("timeout", [10.0, 3600.0])
async def test_a_timeout_after_twilio_took_it_passes_as_what_it_is(
    timeout: float, mock_clock: trio.testing.MockClock
) -> None:
    async with twilio(timeout=timeout) as (fake, through):

        async def time_passes_once_it_was_taken() -> None:
            while not fake.messages:
                await trio.testing.wait_all_tasks_blocked(0.01)
            mock_clock.jump(56)
            await trio.testing.wait_all_tasks_blocked(0.01)
            mock_clock.jump(PATIENCE)

        fake.server.fail(Fault(accept=True, wait=3600))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(time_passes_once_it_was_taken)
            with trio.fail_after(PATIENCE), pytest.raises(TimedOutError):
                await send(through, account(fake))
        assert len(fake.messages) == 1


async def test_a_connection_that_is_refused_passes_as_it_is() -> None:
    async with twilio() as (fake, through):
        with pytest.raises(NetworkError, match="ECONNREFUSED"):
            await send(through, account(fake, base_url="http://127.0.0.1:1"))


def lost() -> Iterator[bytes]:
    """A body whose connection ends in its midst."""
    yield b'{"sid'
    raise trio.BrokenResourceError


async def test_an_answer_that_breaks_off_leaves_the_outcome_open() -> None:
    fake, _ = await refusal(Fault(accept=True, reply=Reply(status=201, chunks=lost())), error=OutcomeUnknownError)
    assert len(fake.messages) == 1


@pytest.mark.parametrize("body", [b"", b"<Response/>", b"{}", b"[]", b'{"status":"queued"}', b'{"sid":7}'])
async def test_a_201_without_a_sid_leaves_the_outcome_open(body: bytes) -> None:
    await refusal(Fault(reply=Reply(status=201, body=body)), error=OutcomeUnknownError)


@pytest.mark.parametrize(
    ("status", "code", "error", "facts"),
    [
        (429, 20429, NotSentError, {"slow": "account", "after": None}),
        (400, 63018, NotSentError, {"slow": "account"}),
        (400, 63017, NotSentError, {"slow": "", "after": None}),
        (400, 63012, NotSentError, {"slow": ""}),
        (500, 20500, NotSentError, {"slow": ""}),
        (400, 63038, NotSentError, {"slow": "account", "after": 3600.0}),
        (400, 63016, SendRefusedError, {"window": True}),
        (400, 63049, SendRefusedError, {"window": False}),
        (400, 63024, SendRefusedError, {"window": False}),
        (400, 63032, SendRefusedError, {}),
        (400, 63013, SendRefusedError, {}),
        (400, 63021, SendRefusedError, {}),
        (400, 63005, SendRefusedError, {}),
        (400, 63019, SendRefusedError, {}),
        (400, 21610, SendRefusedError, {}),
        (400, 21211, SendRefusedError, {}),
        (401, 20003, AccountStoppedError, {}),
        (403, 20003, AccountStoppedError, {}),
        (400, 63007, AccountStoppedError, {}),
        (404, 20404, AccountStoppedError, {}),
        (403, 12345, AccountStoppedError, {}),
        (500, 12345, NotSentError, {}),
    ],
)
async def test_a_code_says_what_is_certain(
    status: int, code: int, error: type[SendError], facts: dict[str, Any]
) -> None:
    _, raised = await refusal(Fault(reply=failed(status, code, "Told so")), error=error)
    assert (raised.code, raised.http_status) == (str(code), status)
    assert "Told so" in raised.reason
    assert {name: getattr(raised, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, AccountStoppedError),
        (400, SendRefusedError),
        (408, OutcomeUnknownError),
        (429, NotSentError),
        (500, OutcomeUnknownError),
        (502, OutcomeUnknownError),
        (503, NotSentError),
        (504, OutcomeUnknownError),
    ],
)
async def test_an_answer_that_is_not_twilios_own_is_judged_by_its_status(status: int, error: type[SendError]) -> None:
    _, raised = await refusal(Fault(reply=Reply(status=status, body=b"<html>")), error=error)
    assert (raised.code, raised.http_status, raised.response) == ("", status, "<html>")


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("soon", None)])
async def test_the_time_to_wait_is_as_long_as_it_is_told(header: str, after: float | None) -> None:
    reply = replace(failed(429, 20429, "Too Many Requests"), headers={"retry-after": header})
    _, raised = await refusal(Fault(reply=reply), error=NotSentError)
    assert (raised.after, raised.slow) == (after, "account")


async def test_a_message_that_failed_at_once_is_the_error_that_it_names() -> None:
    answer = {"sid": "SM1", "status": "failed", "error_code": 63016, "error_message": "Too late"}
    _, raised = await refusal(Fault(reply=Reply(status=201, json=answer)), error=SendRefusedError)
    assert (raised.code, raised.window) == ("63016", True)
    _, raised = await refusal(
        Fault(reply=Reply(status=201, json=answer | {"error_code": None})), error=SendRefusedError
    )
    assert raised.reason == "Twilio says failed: Too late"


async def test_no_error_carries_the_token() -> None:
    _, raised = await refusal(Fault(reply=failed(401, 20003, "Authenticate")), error=AccountStoppedError)
    assert FakeTwilio().auth_token not in f"{raised.reason}{raised.response}{raised!r}"
    assert "rotated" in raised.reason


@pytest.mark.parametrize("kind", ["seen", "typing"])
async def test_seen_and_typing_are_one_request_about_a_message_that_came(kind: str) -> None:
    async with twilio() as (fake, through):
        assert through.signal is not None
        await through.signal(Signal(kind=kind, chat=THEM, message_ids=("SM1", "MM2#1")), account(fake))
        assert fake.indicators == [{"messageId": "MM2", "channel": "whatsapp"}]
        with pytest.raises(SendRefusedError, match="needs the id"):
            await through.signal(Signal(kind=kind, chat=THEM), account(fake))
        fake.server.fail(Fault(reply=failed(401, 20003, "Authenticate")))
        with pytest.raises(AccountStoppedError):
            await through.signal(Signal(kind=kind, chat=THEM, message_ids=("SM1",)), account(fake))
        await through.signal(Signal(kind="paused", chat=THEM), account(fake))


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("{fake}/2010-04-01/Accounts/AC/Messages/MM/Media/ME", True),
        ("https://api.twilio.com/2010-04-01/Accounts/AC/Messages/MM/Media/ME", True),
        ("http://api.twilio.com/x", False),
        ("https://api.twilio.com.evil.example/x", False),
        ("https://eviltwilio.com/x", False),
    ],
)
async def test_the_token_goes_along_to_twilios_hosts_only(url: str, token: bool) -> None:
    async with twilio() as (fake, through):
        assert through.locate_media is not None
        found = await through.locate_media(Media(url=url.format(fake=fake.url), mimetype="image/png"), account(fake))
        assert ("Authorization" in found.headers) is token
        assert found.trust == ("operator" if "{fake}" in url else "public")
        with pytest.raises(SendRefusedError):
            await through.locate_media(Media(), account(fake))


async def test_a_file_is_fetched_as_located() -> None:
    async with twilio() as (fake, through):
        assert through.locate_media is not None
        [found] = events(fake.receive("", (b"\x89PNG", "image/png")))
        assert found.media is not None
        where = await through.locate_media(found.media, account(fake))
        http = HttpClient()
        answer = await http.request("GET", where.url, headers=where.headers, trust=where.trust)
        await http.aclose()
        assert (answer.status, answer.body) == (200, b"\x89PNG")


async def test_a_file_whose_link_is_dead_is_fetched_by_the_ids_of_message_and_file() -> None:
    async with twilio() as (fake, through):
        assert through.locate_media is not None
        [found] = events(fake.receive("", (b"\x89PNG", "image/png")))
        assert found.media is not None
        by_id = await through.locate_media(msgspec.structs.replace(found.media, url=None), account(fake))
        assert by_id.url == found.media.url
        assert (by_id.headers.keys(), by_id.trust) == ({"Authorization"}, "operator")


async def missed(fake: FakeTwilio, through: Provider, since: datetime, **options: Any) -> list[Any]:
    assert through.missed is not None
    return [found async for found in through.missed(account(fake, **options), since)]


async def test_what_came_while_we_were_down_is_listed_oldest_first_with_the_same_ids() -> None:
    async with twilio() as (fake, through):
        fake.receive("yesterday", at=DAY - timedelta(days=1))
        fake.receive("before", at=DAY - timedelta(seconds=1))
        webhooks = [fake.receive(f"n{n}", at=DAY + timedelta(seconds=n)) for n in range(450)]
        fake.received.append({**fake.received[-1], "direction": "outbound-reply", "sid": "SM-ours"})
        fake.received.append({**fake.received[-1], "direction": "inbound", "to": "+14155238886", "sid": "SM-sms"})
        found = await missed(fake, through, DAY)
        assert [each.content for each in found] == [f"n{n}" for n in range(450)]
        posted = [events(form)[0] for form in webhooks]
        assert [(e.kind, e.provider_id, e.chat) for e in found] == [(e.kind, e.provider_id, e.chat) for e in posted]
        assert found[0].timestamp == DAY
        assert len(fake.server.seen) == 3
        assert fake.server.seen[0].query["DateSent>"] == "2025-01-10"


async def test_files_of_what_was_missed_are_found() -> None:
    async with twilio() as (fake, through):
        webhook = fake.receive("Two", (b"1", "image/png"), (b"2", "audio/ogg"), at=DAY)
        found = await missed(fake, through, DAY, phone="", messaging_service_sid="MG" + "0" * 32)
        assert [(e.provider_id, e.type, e.media) for e in found] == [
            (e.provider_id, e.type, e.media) for e in events(webhook)
        ]
        assert "To" not in fake.server.seen[0].query


@pytest.mark.parametrize(
    ("reply", "error"),
    [(failed(401, 20003, "Authenticate"), AccountStoppedError), (Reply(status=200, body=b"{"), NotSentError)],
)
async def test_a_list_that_can_not_be_read_is_an_error_and_not_an_empty_one(
    reply: Reply, error: type[SendError]
) -> None:
    async with twilio() as (fake, through):
        fake.server.fail(Fault(reply=reply))
        with pytest.raises(error):
            await missed(fake, through, DAY)


async def findings(fake: FakeTwilio, through: Provider, **options: Any) -> dict[str, str]:
    assert through.check is not None
    return {each.what: each.level for each in await through.check(account(fake, **options))}


async def test_the_doctor_is_told_what_would_not_work() -> None:
    async with twilio() as (fake, through):
        key, secret = fake.api_key
        assert await findings(fake, through) == {"token": "ok", "webhook": "ok"}
        assert await findings(fake, through, api_key_sid=key, api_key_secret="x") == {
            "token": "ok",
            "api key": "fail",
            "webhook": "ok",
        }
        assert (await findings(fake, through, api_key_sid=key, api_key_secret=secret))["api key"] == "ok"
        assert (await findings(fake, through, auth_token="x"))["token"] == "fail"
        assert (await findings(fake, through, url=""))["public_url"] == "fail"
        assert (await findings(fake, through, phone=""))["sender"] == "fail"
        assert (await findings(fake, through, base_url="http://127.0.0.1:1"))["reachable"] == "fail"
        fake.account_status = "suspended"
        assert (await findings(fake, through))["token"] == "fail"
