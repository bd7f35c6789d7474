"""`context.messages`: what the core gives and what the fake gives do the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from uuid_utils import uuid7

from tests.sending import CHAT, FakeProvider, open_post
from wagate.errors import ConflictError, NotFoundError, SendError, SendRefusedError, UnprocessableError
from wagate.hooks import OutMessage, OutReaction, Signal
from wagate.rules.filters import MessageFilter
from wagate.storage.owners.accounts import NewAccount
from wagate.testing import fake_context

if TYPE_CHECKING:
    from wagate.hooks.context import Messages

pytest_plugins = ("tests.valkey",)

TEXT = OutMessage(chat=CHAT, type="text", text="hi")
REACTION = OutMessage(chat=CHAT, type="reaction", reaction=OutReaction(message_id="x", emoji="x"))


@dataclass
class Kind:
    """Messages, with the account ``main`` of client 1 and ``theirs`` of client 2, whose provider has no reactions."""

    messages: Messages
    theirs: str
    refuse: Callable[[SendError], None]
    """What the provider says to all that it is asked from now on."""
    holding: Callable[[], AbstractContextManager[None]]
    """The provider takes nothing meanwhile."""


@pytest.fixture(params=["core", "fake"])
async def kind(request: pytest.FixtureRequest, tmp_path: Path, external_url: str) -> AsyncIterator[Kind]:
    if request.param == "fake":
        fakes = fake_context("alarm")
        fakes.messages.cannot = {"reaction", "typing"}
        # It sends only what is waited for.
        yield Kind(fakes.context.messages, "acme-main", partial(setattr, fakes.messages, "becomes"), nullcontext)
        return
    accounts = [NewAccount(name=name, client_id=each, provider="pigeon") for name, each in (("main", 1), ("theirs", 2))]
    provider = FakeProvider(abilities=frozenset({"text", "seen", "revoke", "edit"}))
    async with open_post(external_url, tmp_path, accounts=accounts, provider=provider) as post, post.running():
        outbox, refuse = post.outbound.outbox("alarm"), partial(setattr, provider, "unwilling")
        yield Kind(outbox, "theirs", refuse, partial(hold, provider))


@contextmanager
def hold(provider: FakeProvider) -> Iterator[None]:
    go_on = trio.Event()
    provider.script[""] = [go_on]
    yield
    go_on.set()


async def test_a_message_is_queued_and_sent_when_waited_for(kind: Kind) -> None:
    view = await kind.messages.send(TEXT, client_id=1, job_id="j")
    assert (view.account, view.to, view.content, view.job_id) == ("main", "5511999999999", "hi", "j")
    assert (await kind.messages.wait(view.id, client_id=1, seconds=0)).id == view.id
    sent = await kind.messages.wait(view.id, client_id=1, seconds=60)
    assert sent.status == "sent"
    assert sent.message_id
    assert sent.sent_at is not None
    assert await kind.messages.get(view.id, client_id=None) == sent


async def test_a_key_counts_once_for_each_client(kind: Kind) -> None:
    first = await kind.messages.send(TEXT, client_id=1, key="k")
    assert (await kind.messages.send(TEXT, client_id=1, key="k")).id == first.id
    assert (await kind.messages.send(TEXT, client_id=1)).id != first.id
    assert (await kind.messages.send(TEXT, client_id=2, key="k")).id != first.id


async def test_another_clients_things_are_not_there(kind: Kind) -> None:
    view = await kind.messages.send(TEXT, client_id=2)
    assert view.account == kind.theirs
    with pytest.raises(NotFoundError):
        await kind.messages.get(view.id, client_id=1)
    with pytest.raises(NotFoundError):
        await kind.messages.send(TEXT, client_id=1, account=kind.theirs)
    with pytest.raises(NotFoundError):
        await kind.messages.wait(str(uuid7()), client_id=1, seconds=1)
    assert (await kind.messages.page(client_id=1, limit=9, cursor=None)).data == []


async def test_a_message_that_the_provider_cannot_send_is_refused_and_a_signal_is_left_out(kind: Kind) -> None:
    with pytest.raises(UnprocessableError, match="reaction"):
        await kind.messages.send(REACTION, client_id=1)
    await kind.messages.signal(Signal(kind="typing", chat=CHAT), client_id=1)
    await kind.messages.signal(Signal(kind="seen", chat=CHAT), client_id=1)


async def test_what_was_sent_is_revoked_by_its_client_as_often_as_one_likes(kind: Kind) -> None:
    sent = await kind.messages.send(TEXT, client_id=1)
    await kind.messages.wait(sent.id, client_id=1, seconds=60)
    for client_id in (1, None):
        await kind.messages.revoke(sent.id, client_id=client_id)
    assert (await kind.messages.get(sent.id, client_id=1)).status == "sent"
    for message_id, client_id in ((sent.id, 2), (str(uuid7()), 1)):
        with pytest.raises(NotFoundError):
            await kind.messages.revoke(message_id, client_id=client_id)
    kind.refuse(SendRefusedError("too old"))
    with pytest.raises(SendRefusedError, match="too old"):
        await kind.messages.revoke(sent.id, client_id=1)


async def test_what_was_sent_is_edited_by_its_client(kind: Kind) -> None:
    sent = await kind.messages.send(TEXT, client_id=1)
    await kind.messages.wait(sent.id, client_id=1, seconds=60)
    await kind.messages.edit(sent.id, "better", client_id=1)
    with pytest.raises(NotFoundError):
        await kind.messages.edit(sent.id, "theirs", client_id=2)
    kind.refuse(SendRefusedError("too old"))
    with pytest.raises(SendRefusedError, match="too old"):
        await kind.messages.edit(sent.id, "late", client_id=1)


async def test_what_was_not_sent_is_not_revoked(kind: Kind) -> None:
    with kind.holding():
        waiting = await kind.messages.send(TEXT, client_id=1)
        with pytest.raises(ConflictError):
            await kind.messages.revoke(waiting.id, client_id=1)
        with pytest.raises(ConflictError):
            await kind.messages.edit(waiting.id, "x", client_id=1)


async def test_pages_are_newest_first(kind: Kind) -> None:
    ids = [(await kind.messages.send(TEXT, client_id=1)).id for _ in range(5)]
    page = await kind.messages.page(MessageFilter(chat=CHAT, account="main"), client_id=1, limit=3)
    assert [each.id for each in page.data] == ids[:1:-1]
    rest = await kind.messages.page(client_id=1, limit=3, cursor=page.next_cursor)
    assert ([each.id for each in rest.data], rest.next_cursor) == (ids[1::-1], None)
    sent = await kind.messages.wait(ids[0], client_id=1, seconds=60)
    found = await kind.messages.page(MessageFilter(message_id=sent.message_id), client_id=1, limit=9)
    assert [each.id for each in found.data] == [ids[0]]
