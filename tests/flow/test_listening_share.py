"""Two gateways on one database: one listens for an account, and the other takes over when it is gone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from tests.fake_listener import Tape
from tests.fake_provider import installed
from tests.inprocess import Gateway, running_gateway
from tests.sink import authority, https_sink
from wagate.errors import NotSentError, SendRefusedError
from wagate.events import Media
from wagate.hooks import (
    Edit,
    Finding,
    Inlet,
    Outgoing,
    PluginContext,
    Profile,
    Provider,
    ProviderAccount,
    Sent,
    Sink,
    hookimpl,
)
from wagate.hooks.answers import GroupView, Member
from wagate.hooks.asks import Answers, FindNumber, ListGroups
from wagate.inbound.listen import LEASE, RENEW
from wagate.outbound import errands
from wagate.outbound.errands import KEEP, KEPT, inbox_of, life_of
from wagate.queue.cluster import open_redis
from wagate.storage.database import open_database
from wagate.storage.owners.accounts import hold, holder_of, list_accounts

pytest_plugins = ("tests.valkey",)
CHAT = "5511999999000@c.us"


async def test_one_gateway_listens_and_another_takes_over(external_url: str, postgres_url: str) -> None:
    tape = Tape()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    with installed(tape=tape):
        async with running_gateway(tables) as second, AsyncExitStack() as stack:
            first = await stack.enter_async_context(running_gateway(tables))
            await first.ask("POST", "/api/accounts", 201, json={"name": "main", "provider": "tape"})
            with trio.fail_after(60):
                while not tape.ran:
                    first.clock.shift(RENEW)
                    await trio.sleep(0.05)
            for _ in range(10):  # less than a lease in all, so that it holds on the slowest machine
                second.clock.shift(1.0)
                await trio.sleep(0.05)
            assert tape.ran == ["main"]
            await stack.aclose()
            with trio.fail_after(60):
                while tape.ran != ["main", "main"]:
                    second.clock.shift(1.0)  # no faster: a renewal must not take as long as a lease
                    await trio.sleep(0.2)


async def test_a_gateway_that_lost_its_lease_lets_go_of_the_number(external_url: str, postgres_url: str) -> None:
    tape = Tape()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}
    with installed(tape=tape):
        async with running_gateway(tables) as gateway:
            with trio.fail_after(60):
                while not tape.ran:
                    await trio.sleep(0.05)
                gateway.clock.suspend(LEASE)
                while len(tape.ran) < 2:  # nobody else wanted it
                    gateway.clock.shift(1.0)
                    await trio.sleep(0.05)
            assert tape.steps == ["open", "silent", "released"]
        assert tape.released == ["main"]  # and not at a stop: messages still leave then


class Held(Tape):
    """Does things only where it listens, as what holds a connection does."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0
        self.taken = trio.Event()
        """Set when somebody asked for groups, which never come while `stuck`."""
        self.stuck = False
        self.asked: list[Any] = []

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        here: set[str] = set()

        async def run(account: ProviderAccount, inlet: Inlet) -> None:
            here.add(account.id)
            try:
                await self.run(account, inlet)
            finally:
                here.discard(account.id)

        async def send(outgoing: Outgoing) -> Sent:
            must_be_here(outgoing.account)
            return await self.send(outgoing)

        async def revoke(message_id: str, chat: str, account: ProviderAccount) -> None:
            must_be_here(account)
            self.asked.append(("revoke", chat))

        async def edit(edit: Edit, account: ProviderAccount) -> None:
            must_be_here(account)
            self.asked.append(("edit", edit.text))

        async def profile(chat: str, account: ProviderAccount) -> Profile:
            must_be_here(account)
            return Profile(name=f"Name of {chat}")

        async def find(ask: FindNumber, account: ProviderAccount) -> str:
            must_be_here(account)
            if ask.phone == "5511000000000":
                raise SendRefusedError("WhatsApp refused it", code="404", http_status=404)
            return f"{ask.phone}@c.us"

        async def groups(_ask: ListGroups, account: ProviderAccount) -> tuple[GroupView, ...]:
            must_be_here(account)
            self.taken.set()
            if self.stuck:
                await trio.sleep_forever()
            return (GroupView(chat="1@g.us", members=(Member(chat=CHAT, role="admin"),)),)

        def must_be_here(account: ProviderAccount) -> None:
            if account.id not in here:
                self.refused += 1
                raise NotSentError("it is not here", after=2.0, slow="account")

        abilities = frozenset({"text", "revoke", "edit"})

        async def fetch(media: Media, account: ProviderAccount, sink: Sink) -> None:
            must_be_here(account)
            if media.provider_id == "gone":
                raise SendRefusedError("it is gone")
            await self.fetch(media, account, sink)

        async def check(account: ProviderAccount) -> list[Finding]:
            must_be_here(account)
            return [Finding(level="warn", what="tape", detail="it squeaks", next_step="oil it")]

        answers: Answers = {FindNumber: find, ListGroups: groups}
        return [
            replace(
                self.provider(),
                abilities=abilities,
                run=run,
                send=send,
                revoke=revoke,
                edit=edit,
                profile=profile,
                fetch_media=fetch,
                check=check,
                answers=answers,
            )
        ]


async def test_messages_leave_from_the_gateway_that_holds_the_number(external_url: str, postgres_url: str) -> None:
    tape = Held()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}

    async def write(gateway: Gateway, name: str) -> list[str]:
        texts = [f"{name} {number:02}" for number in range(20)]
        for number, text in enumerate(texts):
            body = {"account": "main", "to": f"551199999900{number % 4}@c.us", "message": text}
            await gateway.ask("POST", "/messages/send", 202, json=body, headers={"Prefer": "respond-async"})
        return texts

    with installed(tape=tape):
        async with running_gateway(tables) as holder:
            with trio.fail_after(60):
                while not tape.ran:
                    holder.clock.shift(RENEW)
                    await trio.sleep(0.05)
            async with running_gateway(tables) as other:
                texts = [*await write(other, "from the other"), *await write(holder, "from the holder")]
                with trio.fail_after(60):
                    while len(tape.sent) < len(texts):
                        await trio.sleep(0.02)
                assert sorted(tape.sent) == sorted(texts)
                for place in range(4):
                    assert [text for text in tape.sent if text in texts[place::4]] == texts[place::4]
                assert (tape.ran, tape.refused) == (["main"], 0)
                holder.stop.set()
                await tape.silent.wait()
                late = await write(other, "while nobody holds it")
                with trio.fail_after(60):
                    while len(tape.sent) < len(texts) + len(late):
                        other.clock.shift(1.0)  # no faster: a renewal must not take as long as a lease
                        await trio.sleep(0.2)
                assert tape.ran == ["main", "main"]


async def test_what_only_the_holder_can_do_is_done_there(external_url: str, postgres_url: str) -> None:
    tape = Held()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}
    with installed(tape=tape):
        async with running_gateway(tables) as holder:
            with trio.fail_after(60):
                while not tape.ran:
                    await trio.sleep(0.05)
            async with running_gateway(tables) as other:
                sent = await other.ask(
                    "POST", "/messages/send", json={"account": "main", "to": CHAT, "message": "hello"}
                )
                path = f"/messages/{sent['id']}"
                assert (await other.http.put(path, json={"text": "hello there"})).status_code == 204
                assert (await other.http.delete(path)).status_code == 204
                assert tape.asked == [("edit", "hello there"), ("revoke", CHAT)]
                groups = await other.http.get("/api/main/groups")
                assert groups.json()[0]["participants"] == [{"id": CHAT, "lid": None, "admin": "admin"}]
                asked = partial(other.http.get, "/api/contacts/check-exists")
                found = await asked(params={"phone": "5511999999000", "session": "main"})
                assert found.json()["numberExists"] is True
                refused = await asked(params={"phone": "5511000000000", "session": "main"})
                assert (refused.status_code, refused.json()["message"]) == (404, "WhatsApp refused it")
                looked = [each for each in (await other.ask("GET", "/api/doctor"))["data"] if each["what"] == "tape"]
                assert [(each["level"], each["next_step"]) for each in looked] == [("warn", "oil it")]
                assert tape.refused == 0
                holder.stop.set()
                await tape.silent.wait()
                # 504: it was taken up as its gateway stopped.
                assert (await other.http.get("/api/main/groups")).status_code in {503, 504}


async def test_a_file_is_brought_by_the_gateway_that_holds_the_number(
    external_url: str, postgres_url: str, tmp_path: Path
) -> None:
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tape, shared = Held(), {"dir": str(tmp_path / "media"), "fetch": False}
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables |= {"accounts.main": {"provider": "tape"}, "media": shared}
    with installed(tape=tape):
        async with running_gateway(tables, ca_file=tmp_path / "ca.pem") as holder, https_sink() as sink:
            await holder.register(sink.url, events=["message"])
            with trio.fail_after(60):
                while not tape.ran:
                    await trio.sleep(0.05)
            async with running_gateway(tables) as other:
                for name in ("bill", "gone"):
                    await tape.write(f"file:{name}")
                await sink.until_accepted(2)
                bill, gone = (urlsplit(each.json["media"]["url"]) for each in sink.accepted)
                answer = await other.http.get(f"{bill.path}?{bill.query}")
                assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 bill")
                answer = await other.http.get(f"{gone.path}?{gone.query}")
                assert (answer.status_code, "it is gone" in answer.text) == (404, True)
                assert (tape.refused, tape.ran) == (0, ["main"])
    assert list((tmp_path / "media" / "incoming").iterdir()) == []


async def test_an_errand_to_a_process_that_died_is_taken_back(external_url: str, postgres_url: str) -> None:
    tape = Held()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}
    with installed(tape=tape):
        async with running_gateway(tables) as gateway:
            later = gateway.clock.now() + timedelta(hours=1)
        async with open_database(postgres_url, Path()) as database:
            [account] = await database.read(list_accounts)
            await database.write(hold, [account.id], "dead", now=later, until=later + timedelta(hours=1))
        tape.ran.clear()
        async with running_gateway(tables) as gateway:
            answer = await gateway.http.get("/api/main/groups")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["message"]
    assert (tape.ran, tape.refused) == ([], 0)
    redis = open_redis(external_url)
    try:
        assert await redis.command("LLEN", inbox_of("dead")) == 0
    finally:
        await redis.close()


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_an_errand_that_a_restart_broke_off_is_waited_for_no_longer(
    external_url: str, postgres_url: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "LOOK", 0.5)
    tape, redis = Held(), open_redis(external_url)
    tape.stuck = True
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}
    with installed(tape=tape):
        async with running_gateway(tables) as holder:
            with trio.fail_after(60):
                while not tape.ran:
                    await trio.sleep(0.05)
            async with running_gateway(tables) as other, trio.open_nursery() as nursery:

                async def restart() -> None:
                    await tape.taken.wait()
                    if how == "stopped":
                        holder.stop.set()
                    else:  # its name, and its lease, are still there, and so is another process
                        name = await _holder(postgres_url)
                        await redis.command("SET", life_of(name), "the next one")

                nursery.start_soon(restart)
                with trio.fail_after(30):  # of 60 seconds
                    answer = await other.http.get("/api/main/groups", timeout=60)
            nursery.cancel_scope.cancel()
    await redis.close()
    assert answer.status_code == 504
    assert ("was stopped" if how == "stopped" else "is gone") in answer.text


async def test_the_life_of_a_process_is_kept_for_as_long_as_it_runs_and_a_month(
    external_url: str, postgres_url: str
) -> None:
    tape, redis = Held(), open_redis(external_url)
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}
    with installed(tape=tape):
        async with running_gateway(tables) as gateway:
            with trio.fail_after(60):
                while not tape.ran:
                    await trio.sleep(0.05)
                key = life_of(await _holder(postgres_url))
                while not (written := await redis.command("GET", key)):
                    await trio.sleep(0.05)
                assert KEPT - 60 < await redis.command("TTL", key) <= KEPT
                await redis.command("EXPIRE", key, 1000)
                gateway.clock.shift(KEEP)
                while await redis.command("TTL", key) <= KEPT - 60:
                    await trio.sleep(0.05)
            assert await redis.command("GET", key) == written
    await redis.close()


async def _holder(url: str) -> str:
    async with open_database(url, Path()) as database:
        [account] = await database.read(list_accounts)
        return await database.read(holder_of, account.id, now=datetime.now(UTC))


async def test_an_errand_that_a_process_took_and_died_is_waited_for_no_longer_than_its_lease(
    external_url: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "LOOK", 0.5)
    tape, shared = Held(), {"dir": str(tmp_path / "media"), "fetch": False}
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables |= {"accounts.main": {"provider": "tape"}, "media": shared}
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with installed(tape=tape):
        async with running_gateway(tables, ca_file=tmp_path / "ca.pem") as gateway, https_sink() as sink:
            await gateway.register(sink.url, events=["message"])
            with trio.fail_after(60):
                while not tape.ran:
                    await trio.sleep(0.05)
            await tape.write("file:bill")
            await sink.until_accepted(1)
            file = urlsplit(sink.accepted[0].json["media"]["url"])
            later = gateway.clock.now() + timedelta(hours=1)
        redis = open_redis(external_url)
        try:
            async with open_database(postgres_url, Path()) as database:
                [account] = await database.read(list_accounts)
                await database.write(hold, [account.id], "dead", now=later, until=later + timedelta(hours=1))
                async with running_gateway(tables) as other, trio.open_nursery() as nursery:

                    async def die() -> None:
                        while not await redis.command("LPOP", inbox_of("dead")):
                            await trio.sleep(0.05)
                        ended = later + timedelta(hours=2)
                        await database.write(hold, [account.id], "dead", now=ended, until=later - timedelta(hours=2))

                    nursery.start_soon(die)
                    with trio.fail_after(30):  # of 600 seconds
                        answer = await other.http.get(f"{file.path}?{file.query}", timeout=60)
        finally:
            await redis.close()
    # Its own gateway holds the number by then, as a rule, and is asked for the file next.
    assert answer.status_code == 200 or "took this on, and is gone" in answer.text, answer.text
    assert tape.refused == 0
