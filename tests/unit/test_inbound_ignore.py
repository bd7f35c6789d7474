"""What an account does not take in."""

from __future__ import annotations

import pytest

from wagate.inbound.ignore import ignored


@pytest.mark.parametrize(
    ("chat", "kind"),
    [
        ("120363041234567890@g.us", "groups"),
        ("status@broadcast", "status"),
        ("1749420000@broadcast", "broadcast"),
        ("120363021234567890@newsletter", "channels"),
    ],
)
def test_each_kind_of_chat_is_left_out_by_its_own_word_only(chat: str, kind: str) -> None:
    others = {"groups": True, "status": True, "broadcast": True, "channels": True} | {kind: False}
    assert ignored(chat, {kind: True})
    assert not ignored(chat, others)
    assert not ignored(chat, {})


def test_a_person_and_a_session_event_are_never_left_out() -> None:
    everything = {"groups": True, "status": True, "broadcast": True, "channels": True}
    assert not ignored("5511999990000@c.us", everything)
    assert not ignored("", everything)
