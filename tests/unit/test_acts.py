"""Every route that changes something is an act that the audit names, or says here why it is none."""

from __future__ import annotations

from tests.acts import NO_ACTS, changing_routes
from wagate.web.waha.routes import ROWS, SERVER


def test_every_route_that_changes_something_has_a_word_for_the_audit() -> None:
    unnamed = {route for route, act in changing_routes().items() if not act}
    assert unnamed == NO_ACTS.keys(), "give it act=…, or say why it is none"


def test_no_two_places_say_it_in_different_words() -> None:
    words = {act for act in changing_routes().values() if act}
    assert all(word == word.lower() and len(word) < 30 for word in words)


def test_every_operation_of_waha_that_changes_something_has_a_word() -> None:
    """What sends has a record of its own; to look, to convert and to be told of somebody's presence changes nothing."""
    unnamed = {row.verb for row in ROWS if row.method != "GET" and not row.act and row not in SERVER}
    looks = {"POST /{session}/chats/overview", "POST /{session}/groups/refresh"}
    looks |= {f"POST /{{session}}/channels/search/by-{what}" for what in ("text", "view")}
    looks |= {f"POST /{{session}}/media/convert/{what}" for what in ("voice", "video")}
    sends = {each for each in unnamed if each.startswith(("POST /send", "POST /reply", "POST /forwardMessage"))}
    chats = "{session}/chats/{chatId}/messages"
    signals = {f"POST /{chats}/read", f"PUT /{chats}/{{messageId}}", "POST /{session}/presence/{chatId}/subscribe"}
    names_itself = {"PUT /keys/{id}", "PUT /apps/{id}"}  # when it revokes one, or pauses it
    refuses = {"POST /apps", "DELETE /apps/{id}"}
    assert unnamed == looks | sends | signals | names_itself | refuses
    assert all(row.act == row.act.lower() and len(row.act) < 30 for row in ROWS)
