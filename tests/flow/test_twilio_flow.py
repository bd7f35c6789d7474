"""Twilio in a whole gateway behind a proxy: signed forms come in, messages go out, status callbacks come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.inprocess import Gateway, running_gateway
from tests.sink import https_sink
from wagate.testing.providers.twilio import FakeTwilio, failed, fake_twilio, signed_webhook
from wagate.testing.server import Fault

PUBLIC = "https://gate.example"
DOOR = "/webhooks/main"
THEM = "5511999990000"


@asynccontextmanager
async def gateway(fake: FakeTwilio, *, ca_file: Path | None = None, **tables: Any) -> AsyncIterator[Gateway]:
    async with fake_twilio(fake):
        account = {
            "provider": "twilio",
            "account_sid": fake.account_sid,
            "auth_token": fake.auth_token,
            "from_number": f"+{fake.number}",
            "base_url": fake.url,
            "messaging_url": fake.url,
        }
        given = {"accounts.main": account, "server": {"public_url": PUBLIC}, "plugins.n8n": {}, "plugins.webhook": {}}
        async with running_gateway({**given, **tables}, ca_file=ca_file) as found:
            # It has asked for what it missed: faults are for what the test does.
            await fake.server.until(lambda: bool(fake.server.seen))
            yield found


async def post(
    found: Gateway, form: Mapping[str, str], expected: int = 200, *, path: str = DOOR, url: str = "", token: str = ""
) -> Any:
    """As Twilio posts it through a proxy: signed over the public URL."""
    body, headers = signed_webhook(url or PUBLIC + path, form, token or FakeTwilio().auth_token)
    answer = await found.http.post(path, content=body, headers={**headers, "Authorization": ""})
    assert answer.status_code == expected, answer.text
    return answer


async def stored(found: Gateway) -> list[dict[str, Any]]:
    jobs = await found.ask("GET", "/api/jobs", params={"limit": 200, "connector": "n8n"})
    return list(reversed(jobs["data"]))


async def send(found: Gateway, expected: int = 200, **more: Any) -> dict[str, Any]:
    body = {"account": "main", "to": f"+{THEM}", "message": {"text": "Hello"}} | more
    return await found.ask("POST", "/messages/send", expected, json=body)


def callback(message: Mapping[str, str]) -> str:
    """Path and query of a message's status callback."""
    return message["StatusCallback"].removeprefix(PUBLIC)


async def test_a_signed_form_is_stored_answered_in_twiml_and_reaches_a_receiver() -> None:
    fake = FakeTwilio()
    async with https_sink() as sink, gateway(fake, ca_file=sink.ca_file) as found:
        await found.register(sink.url)
        answer = await post(found, fake.receive("olá 👍"))
        assert answer.headers["content-type"].startswith("text/xml")
        assert answer.text.endswith("<Response></Response>")
        await sink.until_accepted(1)
        [got] = sink.accepted
        assert (got.json["content"], got.json["from"], got.json["to"]) == ("olá 👍", THEM, fake.number)


async def test_a_form_that_is_signed_wrongly_is_401_and_nothing_is_stored() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        form = fake.receive("one")
        await post(found, form, 401, token="another token")
        await post(found, form, 401, url="https://other.example" + DOOR)
        await post(found, form, 401, url=found.url + DOOR)
        assert await stored(found) == []
        await post(found, form)
        await post(found, form)
        assert len(await stored(found)) == 1


async def test_a_message_with_three_files_is_three_events_in_order() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        await post(found, fake.receive("Look", (b"1", "image/png"), (b"2", "image/png"), (b"3", "audio/ogg")))
        jobs = await stored(found)
        sid = jobs[0]["message_id"]
        assert [job["message_id"] for job in jobs] == [sid, f"{sid}#1", f"{sid}#2"]


async def test_a_message_goes_out_and_its_callbacks_move_it_on_never_back() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        sent = await send(found)
        [message] = fake.messages
        assert (sent["message_id"], message["Body"]) == (message["Sid"], "Hello")
        assert callback(message) == f"{DOOR}?wagate_id={sent['id']}"
        for word, expected in (("sent", "sent"), ("delivered", "delivered"), ("read", "read"), ("delivered", "read")):
            await post(found, fake.status(message, word), path=callback(message))
            row = await found.ask("GET", f"/messages/{sent['id']}")
            assert row["status"] == expected


async def test_a_closed_window_fails_the_message_with_the_reason() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        sent = await send(found)
        [message] = fake.messages
        await post(found, fake.status(message, "undelivered", error=63016), path=callback(message))
        row = await found.ask("GET", f"/messages/{sent['id']}")
        assert (row["status"], row["error_code"]) == ("failed", "63016")
        assert "24 h window" in row["error"]


async def test_a_text_that_is_too_long_for_one_message_goes_as_several() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        sent = await send(found, message={"text": "a" * 1500 + "\n\n" + "b" * 1500})
        assert [each["Body"] for each in fake.messages] == ["a" * 1500, "b" * 1500]
        assert len(sent["parts"]) == 2


async def test_a_message_whose_answer_never_came_is_unknown_sent_once_and_settled_by_its_callback() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        fake.server.fail(Fault(accept=True, drop=True, path="/Messages.json"))
        sent = await send(found, 202)
        assert sent["status"] == "unknown"
        await found.passes(600, step=60)
        [message] = fake.messages
        await post(found, fake.status(message, "delivered"), path=callback(message))
        row = await found.ask("GET", f"/messages/{sent['id']}")
        assert (row["status"], row["message_id"]) == ("delivered", message["Sid"])


async def test_too_many_requests_put_the_message_off_and_it_goes_out_later() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        fake.server.fail(Fault(reply=failed(429, 20429, "Too Many Requests"), path="/Messages.json"))
        answer = await found.http.post(
            "/messages/send",
            json={"account": "main", "to": f"+{THEM}", "message": {"text": "Hello"}},
            headers={"Prefer": "respond-async"},
        )
        assert answer.status_code == 202
        await fake.server.until(lambda: any(seen.method == "POST" for seen in fake.server.seen))
        await found.passes_until(lambda: bool(fake.messages), step=5, most=300)
        assert [message["Body"] for message in fake.messages] == ["Hello"]


async def test_a_quote_is_left_out_with_a_warning_and_a_reaction_is_refused() -> None:
    fake = FakeTwilio()
    async with gateway(fake) as found:
        sent = await send(found, reply_to_message_id="SM1")
        row = await found.ask("GET", f"/messages/{sent['id']}")
        assert "quote" in row["warnings"][0]
        reaction = {"type": "reaction", "reaction": {"message_id": "SM1", "emoji": "👍"}}
        refused = await send(found, 422, message=reaction)
        assert "twilio" in str(refused)
        assert len(fake.messages) == 1


async def test_what_came_while_the_gateway_was_down_is_fetched_in_order_and_only_once() -> None:
    fake = FakeTwilio()
    now = datetime.now(UTC)
    forms = [
        fake.receive(text, at=now - timedelta(seconds=age)) for text, age in (("old", 9e5), ("one", 20), ("two", 10))
    ]
    async with gateway(fake) as found:

        async def there() -> bool:
            return len(await stored(found)) == 2

        await found.until(there)
        await post(found, forms[-1])
        assert [job["content"] for job in await stored(found)] == ["one", "two"]
