"""A table that names another inbox of Chatwoot's: numbers of conversations there are other people's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.chatwoot_agents import (
    ACCOUNT,
    CHAT,
    CONVERSATION,
    INBOX,
    Office,
    arrive,
    fail,
    inbox,
    message,
    office,
    sent,
    updated,
)
from wagate.errors import Reject
from wagate.hooks import OutMessage
from wagate.testing import FakeHttp, answered, make_delivery, make_event
from wagate_chatwoot.agents import answers
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.ledger import Entry, Handed, Place
from wagate_chatwoot.settings import Settings
from wagate_chatwoot.to_chatwoot import acks, notices, results
from wagate_chatwoot.to_whatsapp import doubts, reconcile

OTHER = "34699999999@c.us"
EMPTY = answered(200, b'{"data": {"payload": []}, "payload": []}')


def moves(desk: Office, **changes: Any) -> None:
    """A new process, with another table; in conversation 41 of the new account somebody else writes."""
    object.__setattr__(desk.fakes.context, "settings", Settings(inboxes={"shop": inbox(**changes)}))
    desk.apps = make_apps(desk.fakes.context)
    desk.app = desk.apps["shop"]
    desk.app.memory.look(CONVERSATION)


async def is_others(desk: Office) -> None:
    await desk.app.ledger.put_place("main", OTHER, Place(contact=1, source_id=OTHER, conversation=CONVERSATION))


@pytest.mark.parametrize("changes", [{"account_id": 4, "inbox_id": 9}, {"inbox_id": 9}])
async def test_what_an_agent_wrote_before_is_refused_and_goes_to_nobody_else(changes: dict[str, int]) -> None:
    desk = office()
    await arrive(desk, message(700, "for Ana"), updated(699))
    moves(desk, **changes)
    await is_others(desk)
    for _ in range(2):
        with pytest.raises(Reject, match=rf"inbox {INBOX} of account {ACCOUNT} .* 'shop' now names inbox 9"):
            await desk.run()
        desk.handled += 1
    there = {"account": {"id": desk.app.inbox.account_id}, "inbox": {"id": 9}}
    theirs = message(701, "for the other", **there)
    theirs["conversation"] |= {"inbox_id": 9}
    await arrive(desk, theirs)
    await desk.run()
    assert sent(desk) == [("text", "for the other")]
    assert [each.chat for each in desk.fakes.messages.submitted] == [OTHER]
    assert [number for number, _ in await desk.app.ledger.waiting(CONVERSATION)] == []
    moves(desk)
    assert await desk.app.ledger.waiting(CONVERSATION) == [], "it would go with the next message, unasked"
    del desk.fakes.deliveries.rows[1:]
    desk.handled = 0
    await desk.run()
    assert sent(desk)[1:] == [("text", "for Ana")], "retried, it leaves there"


async def test_what_an_older_version_kept_without_the_inbox_still_leaves() -> None:
    desk = office()
    await arrive(desk, message())
    for key in [key for key in desk.fakes.store.rows if "/turn/" in key]:
        del desk.fakes.store.rows[key]["site"]
    del desk.fakes.deliveries.rows[-1].event.extra["site"]
    await desk.run()
    assert sent(desk) == [("text", "Hello")]


async def test_what_an_agent_deletes_is_taken_back_all_the_same() -> None:
    desk = office()
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    desk.fakes.messages.becomes = "sent"
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await arrive(desk, updated(content_attributes={"deleted": True}))
    moves(desk, account_id=4)
    await desk.run()
    assert desk.fakes.messages.revoked == [part]


async def test_a_look_for_what_no_webhook_brought_begins_anew_at_each_move() -> None:
    desk = office(http=FakeHttp(EMPTY))
    await reconcile.reconcile(desk.app, desk.signals)
    first = await reconcile.mark_of(desk.app)
    assert first is not None
    desk.fakes.clock.shift(3600)
    moves(desk, inbox_id=9)
    assert await reconcile.mark_of(desk.app) is None
    await reconcile.reconcile(desk.app, desk.signals)
    second = await reconcile.mark_of(desk.app)
    assert second is not None
    assert second.since >= first.since + 3600
    moves(desk)
    assert await reconcile.mark_of(desk.app) is None, "what was written meanwhile was not for this table"


async def test_a_mark_of_an_older_version_counts() -> None:
    desk = office()
    old = {"since": 5.0, "at": 6.0, "seen": 7, "safe": 7}
    await desk.fakes.store.set("shop/reconciled", old)
    assert await reconcile.mark_of(desk.app) == reconcile.Mark(since=5.0, at=6.0, seen=7, safe=7)


async def test_what_became_of_a_message_is_not_told_in_another_accounts_conversation() -> None:
    desk = office(http=FakeHttp(404))
    site = desk.app.site
    await arrive(desk, message())
    await desk.run()
    moves(desk, account_id=4)
    with pytest.raises(Reject, match=f"account {ACCOUNT} "):
        await fail(desk, site=site)
    about = {"inbox": "shop", "message": 700, "conversation": CONVERSATION, "site": site}
    event = make_event(kind="message.failed", chat=CHAT, extra={"source": "chatwoot", "metadata": about})
    assert not results.concerns(desk.app, event)
    assert desk.fakes.http.sent == []


async def test_it_is_told_where_the_inbox_alone_is_another() -> None:
    desk = office(http=FakeHttp(200), error_notes=False)
    site = desk.app.site
    await arrive(desk, message())
    await desk.run()
    moves(desk, inbox_id=9, error_notes=False)
    await fail(desk, site=site)
    assert [each.method for each in desk.fakes.http.sent] == ["PATCH"]


async def test_ticks_and_doubts_of_another_accounts_messages_ask_nothing_of_this_one() -> None:
    desk = office(http=FakeHttp(200))
    sending = await desk.fakes.messages.send(OutMessage(chat=CHAT, type="text", text="Hello"), client_id=1)
    entry = Entry(
        message=700,
        conversation=CONVERSATION,
        site=desk.app.site,
        direction="out",
        account="main",
        chat=CHAT,
        whatsapp=("wamid.1",),
        status="sent",
    )
    await desk.app.ledger.write(entry)
    await desk.app.ledger.hand(700, Handed(parts=(sending.id,)))
    moves(desk, account_id=4)
    await reconcile.put_ticks_right(desk.app)
    await notices.notify_again(desk.app, entry)
    ack = make_event(kind="message.ack", chat=CHAT, message_id="wamid.1", extra={"ack": 3, "ackName": "READ"})
    await acks.handle(desk.app, make_delivery(ack, target=desk.app.incoming))
    await acks.again(desk.app, make_delivery(desk.told()[-1], target=desk.app.incoming))
    desk.fakes.messages.rows[sending.id] = msgspec.structs.replace(
        sending, status="queued", created_at=desk.fakes.clock.now(), updated_at=desk.fakes.clock.now()
    )
    desk.fakes.clock.shift(300)
    assert await doubts.look(desk.app, set()) == set()
    assert desk.fakes.http.sent == []


async def test_an_answer_is_not_written_into_another_accounts_conversation() -> None:
    desk = office()
    await arrive(desk, message(content="wa/help"))
    await desk.run()
    [answer] = desk.told()
    moves(desk, account_id=4)
    with pytest.raises(Reject, match=f"account {ACCOUNT} "):
        await answers.handle(desk.app, make_delivery(answer, target=desk.app.incoming))
    assert desk.fakes.http.sent == []
