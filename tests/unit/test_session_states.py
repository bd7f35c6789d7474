"""Each state of a session has its place in the table, the summary, WAHA's words, Chatwoot's texts and on the page."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from wagate.events import SESSION_STATES, SessionGroup, SessionStatus
from wagate.inbound.session.events import state_changed
from wagate.web.sessions.view import Summary, summary
from wagate_chatwoot.agents.texts import packaged
from wagate_waha.envelope import Envelope, status_event

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sessions.md"


def test_the_table_has_every_state() -> None:
    assert set(SESSION_STATES) == set(SessionStatus)


def test_a_word_of_an_engine_means_one_state() -> None:
    words = Counter(word for facts in SESSION_STATES.values() for word in facts.engine)
    assert [word for word, count in words.items() if count > 1] == []
    for status, facts in SESSION_STATES.items():
        for word in facts.engine:
            change = state_changed(word.upper())
            assert change is not None
            assert change.status is status


@pytest.mark.parametrize("status", SessionStatus)
def test_a_state_is_counted_in_its_group(status: SessionStatus) -> None:
    counted = {name: count for name, count in msgspec.to_builtins(summary([status])).items() if count}
    assert counted == {SESSION_STATES[status].group.value: 1, "total": 1}


def test_the_summary_has_every_group() -> None:
    assert {field.encode_name for field in msgspec.structs.fields(Summary)} == {*SessionGroup, "total"}


@pytest.mark.parametrize("word", sorted({facts.waha for facts in SESSION_STATES.values()}))
def test_what_we_call_it_to_wahas_clients_is_read_from_waha_as_the_same(word: str) -> None:
    change = status_event(Envelope(event="session.status", session="", payload={"status": word}), "main").session
    assert change is not None
    assert SESSION_STATES[change.status].waha == word


@pytest.mark.parametrize("status", SessionStatus)
def test_chatwoot_has_words_for_it(status: SessionStatus) -> None:
    assert {f"status.{status}", f"state.{status}"} <= packaged("en").keys()


def test_the_page_shows_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (\w+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {status: group for status, _, group in rows} == {
        status.value: facts.group.value for status, facts in SESSION_STATES.items()
    }
    words = {status: {word.lower() for word in re.findall(r"\b[A-Z_]{5,}\b", by)} for status, by, _ in rows}
    shown = {status.value: facts.engine - {"disconnected"} for status, facts in SESSION_STATES.items()}
    assert words == shown
