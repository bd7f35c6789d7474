"""What the panel to scan from says in each state of a number."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_needs import number
from wagate.events import SessionStatus
from wagate.storage.owners.accounts import QR_EXPIRED
from wagate.web.ui.leaves import number_mark
from wagate.web.ui.linking import Linking, linking

NEW: dict[str, Any] = {"ever_connected": False}
TIRED = "Nobody scanned a QR code for 10 minutes; start the session to get a new one"
BANNED = "WhatsApp blocks this number until 2026-01-02 10:00 UTC: too many people blocked it"


def said(status: SessionStatus, **fields: Any) -> Linking:
    return linking(number(status, **fields), code=False, can=True)


@pytest.mark.parametrize(
    ("status", "fields", "heading", "again"),
    [
        (SessionStatus.INITIALIZING, NEW, "Starting", ""),
        (SessionStatus.CONNECTING, NEW, "Starting", ""),
        (SessionStatus.QR_GENERATED, NEW, "Waits for a scan", ""),
        (SessionStatus.CONNECTING, NEW | {"phone": "12025550142"}, "Phone seen. Connecting", ""),
        (SessionStatus.LOADING, NEW | {"percent": 40}, "Phone seen. Loading chats, 40 %", ""),
        (SessionStatus.CONNECTING, {}, "Connecting", ""),
        (SessionStatus.SESSION_CONNECTED, {"phone": "12025550142"}, "Connected as +12025550142", ""),
        (SessionStatus.SESSION_CONNECTED, {}, "Connected", ""),
        (SessionStatus.SESSION_NOT_CONNECTED, NEW | {"message": TIRED}, "Not linked", "Show a new code"),
        (SessionStatus.SESSION_NOT_CONNECTED, {"message": "Stopped"}, "Not connected", "Try again"),
        (SessionStatus.AUTH_FAILURE, {"message": "Logged out on the phone"}, "Logged out", "Show a new code"),
        (SessionStatus.ERROR, {"message": BANNED}, "Blocked by WhatsApp", "Try again"),
        (SessionStatus.ERROR, {"message": "State: TOS_BLOCK"}, "Blocked by WhatsApp", "Try again"),
        (SessionStatus.ERROR, {"message": "The engine can't be used: too old"}, "It failed", "Try again"),
    ],
)
def test_each_state_has_its_words_and_the_button_that_helps(
    status: SessionStatus, fields: dict[str, Any], heading: str, again: str
) -> None:
    found = said(status, **fields)
    assert (found.heading, found.again) == (heading, again)
    if "message" in fields:
        assert found.raw == fields["message"]


def test_a_code_is_to_be_scanned_whatever_else_is_known() -> None:
    found = linking(number(SessionStatus.QR_GENERATED), code=True, can=True)
    assert found == Linking(heading="Scan this code")


def test_a_code_that_lapsed_at_an_engine_says_so_in_words() -> None:
    assert said(SessionStatus.SESSION_NOT_CONNECTED, message=QR_EXPIRED, **NEW).raw.startswith("Nobody scanned")


@pytest.mark.parametrize("seen", [{"can": False}, {"can": True, "acts": False}])
def test_no_button_is_named_where_there_is_none(seen: dict[str, Any]) -> None:
    for status in (SessionStatus.AUTH_FAILURE, SessionStatus.ERROR, SessionStatus.SESSION_NOT_CONNECTED):
        found = linking(number(status, message="why"), code=False, **seen)
        assert (found.text, found.again, found.raw) == ("", "", "why")


def test_who_may_not_see_the_code_is_not_told_that_it_appears() -> None:
    found = linking(number(SessionStatus.QR_GENERATED), code=False, can=True, acts=False)
    assert found.text == "Your link does not show the code."


def test_logged_out_and_blocked_are_told_apart_in_lists() -> None:
    assert number_mark(number(SessionStatus.AUTH_FAILURE)) == ("bad", "Logged out")
    assert number_mark(number(SessionStatus.ERROR, message=BANNED)) == ("bad", "Blocked by WhatsApp")
    assert number_mark(number(SessionStatus.ERROR)) == ("bad", "Error")
