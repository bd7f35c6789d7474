"""A provider that listens without webhooks, in the whole gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
import trio

from tests.fake_listener import Tape, TapeSettings
from tests.fake_provider import installed
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink, authority, https_sink


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
async def gateway(tape: Tape, tmp_path: Path) -> AsyncIterator[Gateway]:
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with installed(tape=tape):
        async with running_gateway(ca_file=tmp_path / "ca.pem") as running:
            yield running


async def listens(gateway: Gateway, name: str = "main", **fields: object) -> dict[str, object]:
    made = await gateway.ask("POST", "/api/accounts", 201, json={"name": name, "provider": "tape", **fields})

    async def connected() -> bool:
        return bool((await gateway.ask("GET", f"/api/accounts/{name}"))["status"] == "session_connected")

    await gateway.until(connected)
    return made


async def contents(sink: Sink, count: int) -> list[str]:
    await sink.until_accepted(count)
    return [each.json["content"] for each in sink.accepted]


async def test_an_account_made_by_api_is_listened_for(gateway: Gateway, tape: Tape) -> None:
    async with https_sink() as sink:
        await gateway.register(sink.url, events=["message"])
        await listens(gateway)
        for line in ("one", "two", "three"):
            await tape.write(line)
        assert await contents(sink, 3) == ["one", "two", "three"]


async def test_the_past_is_archived_at_its_time_and_delivered_to_nobody(gateway: Gateway, tape: Tape) -> None:
    now = datetime.now(UTC)
    tape.past = [("answer", now - timedelta(days=1)), ("question", now - timedelta(days=2))]
    async with https_sink() as sink:
        await gateway.register(sink.url, events=["message"])
        await tape.write("today")
        await listens(gateway)
        assert await contents(sink, 1) == ["today"]

        async def talk() -> list[str]:
            kept = await gateway.ask("GET", "/api/conversations/+5511999999999/messages")
            return [each["content"] for each in kept["data"]]

        async def told() -> bool:
            return len(await talk()) == 3

        await gateway.until(told)
        assert await talk() == ["today", "answer", "question"]
        [thread] = (await gateway.ask("GET", "/api/conversations"))["data"]
        assert thread["last_message"]["content"] == "today"
        assert [each.json["content"] for each in sink.accepted] == ["today"]


async def test_its_number_is_noted(gateway: Gateway) -> None:
    await listens(gateway)

    async def known() -> bool:
        return bool((await gateway.ask("GET", "/api/accounts/main"))["phone"] == "5511777770000")

    await gateway.until(known)


async def test_what_the_account_ignores_is_not_taken_in(gateway: Gateway, tape: Tape) -> None:
    async with https_sink() as sink:
        await gateway.register(sink.url, events=["message"])
        await listens(gateway, ignore={"groups": True})
        await tape.write("1203630@g.us|to a group")
        await tape.write("to a person")
        assert await contents(sink, 1) == ["to a person"]


async def test_a_run_that_fails_is_begun_again(gateway: Gateway, tape: Tape) -> None:
    tape.breaks = 2
    await gateway.ask("POST", "/api/accounts", 201, json={"name": "main", "provider": "tape"})
    await gateway.passes_until(lambda: len(tape.ran) == 3, step=1.0, most=30.0)
    assert tape.ran == ["main"] * 3


async def test_one_account_that_fails_harms_no_other(gateway: Gateway, tape: Tape) -> None:
    await listens(gateway, "good")
    tape.breaks = 1000
    await gateway.ask("POST", "/api/accounts", 201, json={"name": "bad", "provider": "tape"})
    await gateway.passes_until(lambda: tape.ran.count("bad") >= 2, step=1.0, most=60.0)
    async with https_sink() as sink:
        await gateway.register(sink.url, events=["message"])
        await tape.write("still heard")
        assert await contents(sink, 1) == ["still heard"]


class NewerSettings(TapeSettings, frozen=True, kw_only=True):
    """Of a version that trips over what an older one stored."""

    def __post_init__(self) -> None:
        if self.word:
            raise KeyError(self.word)


async def test_stored_settings_that_break_their_plugin_harm_no_other_account(tape: Tape, tmp_path: Path) -> None:
    tables = {"data": {"dir": str(tmp_path / "data")}}
    with installed(tape=tape):
        async with running_gateway(tables) as gateway:
            await listens(gateway, "bad", settings={"word": "old"})
            await listens(gateway, "good")
        tape.ran.clear()
        newer = replace(tape.provider(), settings_type=NewerSettings)
        with patch.object(Tape, "provider", lambda _self: newer):
            async with running_gateway(tables) as gateway:
                await gateway.passes_until(lambda: "good" in tape.ran, step=1.0, most=60.0)
                assert tape.ran == ["good"]
                await gateway.ask("GET", "/api/accounts/bad")


async def test_changed_settings_begin_a_new_run(gateway: Gateway, tape: Tape) -> None:
    await listens(gateway)
    await gateway.ask("PATCH", "/api/accounts/main", json={"settings": {"word": "new"}})

    async def again() -> bool:
        return tape.ran == ["main", "main"]

    await gateway.until(again)
    assert tape.forgotten == []


async def test_a_deleted_account_is_forgotten(gateway: Gateway, tape: Tape) -> None:
    await listens(gateway)
    await gateway.ask("DELETE", "/api/accounts/main", 204)

    async def forgotten() -> bool:
        return tape.forgotten == ["main"]

    await gateway.until(forgotten)


async def test_reading_ends_first_and_sending_last(tape: Tape) -> None:
    tape.slow = True
    with installed(tape=tape):
        async with running_gateway() as gateway, trio.open_nursery() as nursery:
            await listens(gateway)
            body = {"to": "+5511999999999", "message": "hello", "account": "main", "tenant_id": "default"}
            nursery.start_soon(
                partial(gateway.http.post, "/messages/send", json=body, headers={"Prefer": "respond-async"})
            )
            await tape.sending.wait()
            nursery.cancel_scope.cancel()
    assert tape.steps == ["open", "silent", "sent", "close"]


async def test_a_file_is_brought_by_the_provider(gateway: Gateway, tape: Tape) -> None:
    async with https_sink() as sink:
        await gateway.register(sink.url, events=["message"])
        await listens(gateway)
        await tape.write("file:a paper")
        await sink.until_accepted(1)
    path = sink.accepted[0].json["media"]["url"]
    answer = await gateway.http.get(path)
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 a paper")


async def test_a_number_is_linked_by_code(gateway: Gateway) -> None:
    await listens(gateway)
    path = "/api/whatsapp/session/main/pair-code"
    answer = await gateway.ask("POST", path, json={"phone": "+55 11 98765-4321"})
    assert answer["data"] == {"sessionId": "main", "code": "CODE-4321"}
    assert (await gateway.ask("POST", "/api/main/auth/request-code", json={"phoneNumber": "5511987654321"}))[
        "code"
    ] == "CODE-4321"
