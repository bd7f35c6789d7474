"""Pulls: which are worked on, how they go on, what they say; old messages and their dates; tables in config.toml."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio
from msgspec.structs import replace

from tests.chatwoot_desk import CHAT, Desk, a_desk
from tests.unit.test_chatwoot_changed import begins_again
from wagate.errors import ConfigError, NotFoundError, Reject
from wagate.hooks import ChatView, DeliveryView
from wagate.testing import NOW, make_event
from wagate.testing.chatwoot import Inbox
from wagate_chatwoot.agents.texts import load_texts
from wagate_chatwoot.api.posts import Post
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.pull import ABANDONED, HISTORY, Pull, Pulls, begin, read_pull, start_pull
from wagate_chatwoot.setup.connect import add_table, check_place, keep_secrets, table_text
from wagate_chatwoot.to_chatwoot.incoming import OLD, dated

DAY = 86_400.0


async def archived(desk: Desk, count: int) -> None:
    desk.fakes.archive.stored = [
        make_event(id=f"e{number}", message_id=f"m{number}", content=f"{number}") for number in range(count)
    ]


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[Pulls]:
    """The task, and deliveries that are done as soon as they are there."""
    pulls = Pulls(desk.apps)

    async def deliver() -> None:
        done: set[str] = set()
        while True:
            for row in list(desk.fakes.deliveries.rows):
                if row.id not in done and row.event.kind != "chatwoot.answer":
                    done.add(row.id)
                    await desk.handle(desk.arrives(row.event))
                    set_status(desk, row, "delivered")
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulls.run)
        nursery.start_soon(deliver)
        yield pulls
        nursery.cancel_scope.cancel()


def set_status(desk: Desk, row: DeliveryView, status: str) -> None:
    rows = desk.fakes.deliveries.rows
    rows[[each.id for each in rows].index(row.id)] = replace(row, status=status)


async def until_ended(desk: Desk, what: str = "messages") -> Pull:
    with trio.fail_after(60):
        while True:
            pull = await read_pull(desk.app, "messages" if what == "messages" else "contacts")
            if pull is not None and pull.state != "running":
                return pull
            await trio.sleep(0.005)


def said(desk: Desk) -> list[str]:
    return [event.content for event, _ in desk.fakes.emitted if event.kind == "chatwoot.answer"]


async def test_what_another_inbox_has_that_the_table_named_is_copied_agents_messages_included() -> None:
    async with a_desk(pull="off") as desk:
        written = desk.server.agent.writes((await desk.takes(id="e1", message_id="m1")).conversation, "from an agent")
        about = {"inbox": "support", "message": written.id, "conversation": written.conversation.id}
        origin = {"source": "chatwoot", "id": "p1", "metadata": about | {"site": desk.app.site}}
        agents = make_event(id="e2", kind="message.any", from_me=True, message_id="m2", content="agent", extra=origin)
        await desk.handle(desk.arrives(agents))
        desk.fakes.archive.stored = [make_event(id="e1", message_id="m1"), agents]
        made = Inbox(id=8, account=desk.server.account, name="Second", webhook_url="", secret="", identifier="second8")
        desk.server.state.inboxes.append(made)
        begins_again(desk, inbox_id=made.id)
        for done, skipped in ((2, 0), (0, 2)):
            async with working(desk):
                await begin(desk.app, "messages", DAY)
                pull = await until_ended(desk)
            assert (pull.done, pull.skipped, pull.failed) == (done, skipped, 0)
        there = [each.source_id for each in desk.server.posted() if each.conversation.inbox is made]
        assert there == ["m1", "m2"]


async def test_a_pull_that_stopped_begins_anew_in_another_inbox() -> None:
    async with a_desk() as desk:
        first, _ = await start_pull(desk.app, "contacts")
        await desk.fakes.store.set(first.key, msgspec.to_builtins(replace(first, state="failed", after=("x", "main"))))
        begins_again(desk, inbox_id=8)
        again, new = await start_pull(desk.app, "contacts")
        assert new
        assert again.after == ()


async def test_a_pull_that_runs_stops_when_the_table_names_another_inbox() -> None:
    async with a_desk(pull="off") as desk:
        await archived(desk, 2)
        await start_pull(desk.app, "messages", DAY)
        begins_again(desk, inbox_id=8)
        async with working(desk):
            pull = await until_ended(desk)
        assert (pull.state, pull.done) == ("failed", 0)
        assert "now names inbox 8" in pull.reason
        assert said(desk) == []


async def test_what_a_pull_handed_on_for_another_inbox_is_refused() -> None:
    async with a_desk(pull="off") as desk:
        await archived(desk, 1)
        await start_pull(desk.app, "messages", DAY)
        async with working(desk):
            await until_ended(desk)
        [event] = [event for event, _ in desk.fakes.emitted if event.kind == HISTORY]
        handed = make_event(kind=event.kind, extra=event.extra)
        begins_again(desk, inbox_id=8)
        with pytest.raises(Reject, match="now names inbox 8"):
            await desk.handle(desk.arrives(handed))


async def test_a_pull_is_told_of_when_it_begins_and_when_it_ends() -> None:
    async with a_desk(pull="off") as desk:
        await archived(desk, 3)
        assert "started" in await begin(desk.app, "messages", DAY)
        assert "already running" in await begin(desk.app, "messages", DAY)
        async with working(desk):
            pull = await until_ended(desk)
        assert (pull.state, pull.done, pull.asked) == ("finished", 3, "24h")
        assert said(desk) == ["✅ Messages of the last 24h: done; 3 copied, 0 already there, 0 failed."]
        assert [each.source_id for each in desk.server.posted(CHAT)] == ["m0", "m1", "m2"]


async def test_a_pull_goes_on_where_a_dead_process_left_it_and_hands_nothing_on_twice() -> None:
    async with a_desk(pull="off") as desk:
        await archived(desk, 4)
        pull, _ = await start_pull(desk.app, "messages", DAY)
        dead = replace(pull, after=("e1",), done=2, holder="a dead process", at=desk.fakes.clock.time())
        await desk.fakes.store.set(pull.key, msgspec.to_builtins(dead))
        assert not Pulls(desk.apps)._free(desk.app, dead)
        assert Pulls(desk.apps)._free(desk.app, replace(dead, at=dead.at + 10 * ABANDONED)), "the clock was ahead"
        desk.fakes.clock.shift(ABANDONED + 1)
        async with working(desk):
            ended = await until_ended(desk)
        assert ended.done == 4
        assert [each.source_id for each in desk.server.posted()] == ["m2", "m3"]
        names = [(event.provider_id, event.variant) for event, _ in desk.fakes.emitted if event.provider_id[:1] == "e"]
        assert names == [(f"e{number}", f"support/{pull.run}") for number in (2, 3)]


async def test_what_is_known_is_passed_over_without_asking_chatwoot() -> None:
    async with a_desk(pull="off") as desk:
        await archived(desk, 2)
        for number in range(2):
            entry = Entry(message=number, conversation=1, direction="in", account="main", chat=CHAT)
            await desk.app.ledger.write(replace(entry, whatsapp=(f"m{number}",)))
        await start_pull(desk.app, "messages", DAY)
        async with working(desk):
            pull = await until_ended(desk)
        assert (pull.done, pull.skipped) == (0, 2)
        assert desk.server.seen == []


async def test_an_event_that_went_out_of_retention_meanwhile_is_no_failure() -> None:
    async with a_desk(pull="off") as desk:
        await archived(desk, 1)
        await start_pull(desk.app, "messages", DAY)
        known = desk.fakes.archive.event

        async def gone(event_id: str, *, client_id: int) -> None:
            await known(event_id, client_id=client_id)
            raise NotFoundError("no such event")

        desk.fakes.archive.event = gone  # type: ignore[method-assign,assignment]
        async with working(desk):
            pull = await until_ended(desk)
        assert (pull.state, desk.server.posted()) == ("finished", [])


async def test_a_pull_that_stopped_goes_on_from_there_and_another_begins_anew() -> None:
    async with a_desk(pull="off") as desk:
        pull, _ = await start_pull(desk.app, "messages", DAY)
        stopped = msgspec.to_builtins(replace(pull, state="failed", after=("e1",), done=2))
        await desk.fakes.store.set(pull.key, stopped)
        again, new = await start_pull(desk.app, "messages", DAY)
        assert (again.run, again.done, new) == (pull.run, 2, True)
        await desk.fakes.store.set(pull.key, stopped)
        other, _ = await start_pull(desk.app, "messages", 2 * DAY)
        assert (other.run != pull.run, other.done) == (True, 0)


async def test_contacts_are_pulled_with_their_names_and_a_known_one_is_passed_over() -> None:
    async with a_desk(pull="off") as desk:
        talks = [("111@c.us", "Ana"), ("15550002222@c.us", ""), ("1@g.us", "Team")]
        desk.fakes.archive.talks[1] = [
            ChatView(account="main", chat=chat, name=name, aliases=[], last_at=NOW) for chat, name in talks
        ]
        for _ in range(2):
            await start_pull(desk.app, "contacts")
            async with working(desk):
                pull = await until_ended(desk, "contacts")
        assert {each.name for each in desk.server.state.contacts} == {"Ana", "+15550002222", "Team (Group)"}
        assert desk.server.state.conversations == []
        assert pull.skipped >= 1


@pytest.mark.parametrize(("age", "shown"), [(OLD - 1, "Hi"), (OLD + 1, "🗓️ 2025-01-20 10:00 UTC\nHi")])
def test_only_old_messages_show_when_they_were_written(age: float, shown: str) -> None:
    event = make_event(timestamp=NOW.replace(year=2025, month=1, day=20, hour=10, minute=0, second=0, microsecond=0))
    now = (event.timestamp + timedelta(seconds=age)).timestamp()
    assert dated(Post(content="Hi"), event, load_texts("en"), now=now).content == shown
    reaction = make_event(kind="message.reaction", timestamp=event.timestamp)
    assert dated(Post(content="Hi"), reaction, load_texts("en"), now=now + DAY).content == "Hi"


def test_a_table_reads_back_as_it_was_meant(tmp_path: Path) -> None:
    values = {"url": 'https://x.example/"quoted"\\é', "inbox_id": 7, "accounts": ["a", "b"]}
    found = tomllib.loads(table_text("with space", values))
    assert found["plugins"]["chatwoot"]["inboxes"]["with space"] == values
    file = tmp_path / "config.toml"
    file.write_text("[server]")
    add_table(file, "desk", values)
    with pytest.raises(ConfigError, match="already exists"):
        check_place(file, "desk")
    check_place(file, "other")


def test_a_file_that_would_be_wrong_afterwards_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[plugins]\nchatwoot = {inboxes = {}}\n")
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="add this by hand"):
        add_table(file, "desk", {"inbox_id": 7})
    assert file.read_bytes() == before


def test_secrets_are_kept_beside_the_configuration_and_references_stay(tmp_path: Path) -> None:
    said = keep_secrets(tmp_path / "config.toml", [("a-token", "env:TOKEN"), ("a-secret", "s3cret")], reader=tmp_path)
    assert said == {"a-token": "env:TOKEN", "a-secret": "file:secrets/a-secret"}
    assert (tmp_path / "secrets/a-secret").read_text() == "s3cret"
