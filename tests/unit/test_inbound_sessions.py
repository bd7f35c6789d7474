from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from wagate.errors import BadRequestError
from wagate.events import NewEvent, SessionChange, SessionStatus
from wagate.inbound.qr_image import qr_image
from wagate.inbound.session import events as sessions
from wagate.inbound.session.events import parse_session
from wagate.web.sessions.view import SessionState, list_view, status_filter, status_view, summary

THEN = datetime(2025, 1, 20, 10, 0, tzinfo=UTC)


def parse(event: str, data: Any = None) -> NewEvent:
    [parsed] = parse_session({"event": event, "data": data}, account="main")
    assert (parsed.kind, parsed.type, parsed.chat, parsed.provider_id) == ("session.status", "status", "", "")
    return parsed


def change_of(event: str, data: Any = None) -> SessionChange:
    change = parse(event, data).session
    assert change is not None
    return change


def state(status: str, **changes: Any) -> SessionState:
    fields = {
        "session_id": "session-123",
        "user_id": "user-456",
        "created_at": THEN,
        "updated_at": THEN + timedelta(minutes=5),
    }
    return SessionState(status=SessionStatus(status), **(fields | changes))


@pytest.mark.parametrize(
    ("event", "data", "status", "message"),
    [
        ("qr", {"qr": "1@ABC123..."}, "qr_generated", "QR code generated, scan to connect"),
        ("ready", {}, "session_connected", "WhatsApp session connected successfully"),
        ("ready", None, "session_connected", "WhatsApp session connected successfully"),
        ("authenticated", None, "connecting", "Authenticated, connecting"),
        ("disconnected", {"reason": "User logged out"}, "session_not_connected", "Disconnected: User logged out"),
        ("disconnected", {}, "session_not_connected", "Disconnected"),
        ("auth_failure", {"msg": "Invalid QR scan"}, "auth_failure", "Authentication failed: Invalid QR scan"),
        ("status", {"msg": "auth failure"}, "auth_failure", "Authentication failed: auth failure"),
        ("change_state", {"state": "connecting"}, "connecting", "State: connecting"),
        (
            "loading_screen",
            {"percent": 75, "message": "Loading session..."},
            "loading",
            "Loading: 75% - Loading session...",
        ),
        ("loading_screen", {"percent": "75"}, "loading", "Loading: 75%"),
        ("loading_screen", {"percent": 74.6}, "loading", "Loading: 75%"),
    ],
)
def test_events_set_the_status_and_say_it_in_words(event: str, data: Any, status: str, message: str) -> None:
    parsed = parse(event, data)
    assert parsed.session is not None
    assert (parsed.session.status, parsed.session.message) == (status, message)
    assert (parsed.extra["name"], parsed.extra["status"], parsed.extra["message"]) == ("main", status, message)


def test_only_a_qr_event_carries_a_qr() -> None:
    assert change_of("qr", {"qr": "1@ABC123..."}).qr == "1@ABC123..."
    for event in ("ready", "authenticated", "disconnected"):
        assert change_of(event).qr is None


def test_progress_is_kept_between_0_and_100() -> None:
    assert change_of("loading_screen", {"percent": 75}).percent == 75
    assert change_of("loading_screen", {"percent": 900}).percent == 100
    assert change_of("loading_screen", {"percent": -5}).percent == 0


@pytest.mark.parametrize(
    ("status", "states"),
    [
        ("session_connected", ["CONNECTED", "connected"]),
        ("connecting", ["OPENING", "PAIRING", "connecting", "CONNECTING"]),
        ("session_not_connected", ["UNLAUNCHED", "UNPAIRED", "UNPAIRED_IDLE", "TIMEOUT", "CONFLICT", "disconnected"]),
        ("error", ["TOS_BLOCK", "SMB_TOS_BLOCK", "PROXYBLOCK", "DEPRECATED_VERSION"]),
    ],
)
def test_whatsapps_states_map_to_our_words(status: str, states: list[str]) -> None:
    assert {change_of("change_state", {"state": word}).status for word in states} == {status}


@pytest.mark.parametrize("word", ["OF_NEXT_YEAR", "", " ", "qr_generated"])
def test_a_state_that_says_nothing_leaves_the_status_alone(word: str) -> None:
    assert sessions.state_changed(word) is None


def test_an_unknown_state_is_stored_as_an_event_all_the_same() -> None:
    parsed = parse("change_state", {"state": "OF_NEXT_YEAR"})
    assert parsed.session is None
    assert parsed.extra == {"name": "main", "event": "change_state", "status": None, "state": "OF_NEXT_YEAR"}


@pytest.mark.parametrize("event", [("loading_screen", {"percent": 99}), ("authenticated", None)])
def test_what_comes_late_after_ready_changes_nothing(event: tuple[str, Any]) -> None:
    assert change_of(*event).unless == {"session_connected"}


@pytest.mark.parametrize("event", [("qr", {"qr": "x"}), ("disconnected", None), ("change_state", {"state": "OPENING"})])
def test_what_ends_a_connection_counts_after_ready(event: tuple[str, Any]) -> None:
    assert not change_of(*event).unless


def test_the_status_answer_is_the_specs() -> None:
    view = status_view(state("qr_generated", qr="1@ABC123...", message="QR code generated, scan to connect"))
    shown = msgspec.json.decode(msgspec.json.encode(view))
    assert shown.pop("qrImage").startswith("data:image/png;base64,iVBORw0KGgo")
    assert shown == {
        "sessionId": "session-123",
        "status": "qr_generated",
        "message": "QR code generated, scan to connect",
        "qr": "1@ABC123...",
        "userId": "user-456",
        "createdAt": "2025-01-20T10:00:00.000Z",
        "updatedAt": "2025-01-20T10:05:00.000Z",
        "isConnected": False,
        "needsQR": True,
        "isLoading": False,
        "hasError": False,
    }


def test_an_item_of_the_list_is_the_specs() -> None:
    view = list_view(state("session_connected", message="WhatsApp session connected successfully"))
    assert msgspec.json.decode(msgspec.json.encode(view)) == {
        "sessionId": "session-123",
        "status": "session_connected",
        "message": "WhatsApp session connected successfully",
        "qr": None,
        "userId": "user-456",
        "createdAt": "2025-01-20T10:00:00.000Z",
        "updatedAt": "2025-01-20T10:05:00.000Z",
        "isConnected": True,
        "needsQR": False,
        "isLoading": False,
        "hasError": False,
        "hasQR": False,
        "lastUpdated": "2025-01-20T10:05:00.000Z",
    }


@pytest.mark.parametrize(
    ("status", "flag"),
    [
        ("initializing", None),
        ("qr_generated", "needs_qr"),
        ("connecting", "is_loading"),
        ("loading", "is_loading"),
        ("session_connected", "is_connected"),
        ("session_not_connected", None),
        ("auth_failure", "has_error"),
        ("error", "has_error"),
    ],
)
def test_at_most_one_flag_is_set(status: str, flag: str | None) -> None:
    view = status_view(state(status, qr="1@ABC"))
    flags = {"is_connected", "needs_qr", "is_loading", "has_error"}
    assert {name for name in flags if getattr(view, name)} == ({flag} if flag else set())


def test_a_qr_that_is_no_longer_to_be_scanned_is_not_shown() -> None:
    view = status_view(state("session_connected", qr="1@ABC"))
    assert (view.qr, view.qr_image, list_view(state("loading", qr="1@ABC")).has_qr) == (None, None, False)


def test_waiting_for_a_scan_without_a_qr_needs_none() -> None:
    assert not status_view(state("qr_generated")).needs_qr


def test_times_are_utc_with_milliseconds() -> None:
    there = datetime(2025, 1, 20, 12, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    assert status_view(state("loading", created_at=there)).created_at == "2025-01-20T10:00:00.123Z"


def test_the_summary_adds_up() -> None:
    counted = summary([*SessionStatus, "session_connected"])
    assert msgspec.to_builtins(counted) == {
        "connected": 2,
        "disconnected": 1,
        "loading": 3,
        "needsQR": 1,
        "error": 2,
        "total": 9,
    }


@pytest.mark.parametrize(
    ("word", "through"),
    [
        (None, set(SessionStatus)),
        ("", set(SessionStatus)),
        ("connected", {"session_connected"}),
        ("disconnected", {"session_not_connected"}),
        ("loading", {"loading", "connecting", "initializing"}),
        ("needsQR", {"qr_generated"}),
        ("error", {"error", "auth_failure"}),
        ("auth_failure", {"auth_failure"}),
        ("connecting", {"connecting"}),
    ],
)
def test_the_filter_takes_a_group_or_one_exact_status(word: str | None, through: set[str]) -> None:
    wanted = status_filter(word)
    assert {status for status in SessionStatus if wanted(status)} == through


def test_a_filter_that_is_neither_is_refused() -> None:
    with pytest.raises(BadRequestError, match="needsQR") as caught:
        status_filter("asleep")
    assert caught.value.errors[0].field == "?status"


def test_a_qr_is_drawn_as_a_png() -> None:
    drawn = qr_image("2@" + "AbCd/+e=" * 30)
    assert drawn is not None
    head, _, picture = drawn.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(picture, validate=True).startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("text", ["", None, "x" * 2954, "Ж" * 2000, "x" * 1_000_000])
def test_a_qr_that_cannot_be_drawn_is_null(text: str | None) -> None:
    assert qr_image(text) is None
