"""Which of a contact's conversations goes on."""

from __future__ import annotations

from typing import Any

import pytest

from wagate_chatwoot.api.client import Conversation
from wagate_chatwoot.settings import Conversations, Inbox
from wagate_chatwoot.to_chatwoot.conversations import select

OURS = 7
FOUND = (
    Conversation(id=1, inbox_id=OURS, status="open", created_at=100, last_activity_at=900),
    Conversation(id=2, inbox_id=OURS, status="pending", created_at=200, last_activity_at=500),
    Conversation(id=3, inbox_id=OURS, status="snoozed", created_at=300, last_activity_at=700),
    Conversation(id=4, inbox_id=OURS, status="resolved", created_at=400, last_activity_at=950),
    Conversation(id=5, inbox_id=99, status="open", created_at=999, last_activity_at=999),
)


def chosen(**settings: Any) -> int | None:
    inbox = Inbox(
        url="https://chat.example", account_id=1, token="t", inbox_id=OURS, conversations=Conversations(**settings)
    )
    found = select(FOUND, inbox)
    return None if found is None else found.id


@pytest.mark.parametrize(
    ("sort", "number"), [("activity_newest", 4), ("activity_oldest", 2), ("created_newest", 4), ("created_oldest", 1)]
)
def test_the_sort_decides_between_several_of_our_inbox(sort: str, number: int) -> None:
    assert chosen(sort=sort) == number


@pytest.mark.parametrize(
    ("status", "number"), [(("open",), 1), (("pending", "snoozed"), 3), (("resolved",), 4), ((), None)]
)
def test_only_those_in_the_wanted_states_go_on(status: tuple[str, ...], number: int | None) -> None:
    assert chosen(status=status) == number


def test_a_resolved_one_never_goes_on_when_new_ones_are_wanted() -> None:
    assert chosen(mode="new") == 1
    assert chosen(mode="new", status=("resolved",)) is None


def test_an_old_server_that_tells_no_times_gets_the_last_one() -> None:
    inbox = Inbox(url="https://chat.example", account_id=1, token="t", inbox_id=OURS)
    bare = [Conversation(id=number, inbox_id=OURS, status="open") for number in (3, 8, 5)]
    found = select(bare, inbox)
    assert found is not None
    assert found.id == 8
