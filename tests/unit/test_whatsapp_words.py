"""Texts of the library's: without keys, and also when they are no UTF-8, as protobuf gives them (bytes)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wagate_whatsapp_child.library import LibraryError, words
from wagate_whatsapp_child.session import Session, Start
from wagate_whatsapp_child.shelf import RECEIVED
from wagate_whatsapp_child.spool import Outbox

SAID = 'failed to execute request: Post "https://mmg.whatsapp.net/mms/image/ab==?auth=KEY%3D&token=ab%3D": EOF'
ANSWER = (
    '<iq from="s.whatsapp.net" id="1" type="result"><media_conn auth="a" auth_ttl="60"><host '
    'hostname="mmg.whatsapp.net"/></media_conn></iq>'
)


@dataclass
class Entry:
    """A line of the log, as protobuf reads it."""

    Level: str
    Name: str
    Message: str | bytes


@contextmanager
def session_of(folder: Path, entry: Entry) -> Iterator[tuple[Session, Any]]:
    """A session whose library logs ``entry``, whatever the bytes; and the lines that the gateway gets."""
    types = SimpleNamespace(LogEntry=SimpleNamespace(FromString=lambda _raw: entry))
    library: Any = SimpleNamespace(types=types, go=None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        outbox = Outbox(theirs)
        threading.Thread(target=outbox.run, daemon=True).start()
        session = Session(library, outbox, Start(session="0190", folder=str(folder)))
        try:
            session._log(b"")  # as the library's callback does
            outbox.tell(event="Last")
            yield session, ours.makefile("rb")
        finally:
            session.spool.close()
            outbox.failed.set()
            outbox.tell()


def told_of(folder: Path, entry: Entry) -> tuple[Session, list[dict[str, Any]]]:
    with session_of(folder, entry) as (session, lines):
        told: list[dict[str, Any]] = []
        while not told or told[-1]["event"] != "Last":
            told.append(json.loads(lines.readline()))
        return session, told[:-1]


def test_no_key_is_in_what_the_library_says() -> None:
    assert str(LibraryError(SAID)) == 'failed to execute request: Post "https://mmg.whatsapp.net/mms/image/ab==": EOF'
    assert words("/mms/image/ab?auth=KEY is wrong") == "/mms/image/ab is wrong"
    assert words("/mms/image/ab?token?auth=KEY?x") == "/mms/image/ab"
    assert words("is it there? a=b") == "is it there? a=b"
    assert str(LibraryError(b"what \xff?auth=KEY")) == "what \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("said", ["?" * 65_536, "?a" * 32_768])
def test_a_long_text_of_people_holds_nobody_up(said: str) -> None:
    began = time.process_time()
    assert words(said) == said
    assert words(f"see {said}?auth=KEY now") == "see  now"
    assert time.process_time() - began < 2  # it took 17 s


@pytest.mark.parametrize("said", [SAID, SAID.encode() + b"\xff"])
def test_neither_is_one_in_its_log(tmp_path: Path, said: str | bytes) -> None:
    _, told = told_of(tmp_path, Entry("WARN", "Client", said))
    assert [(each["event"], each["level"]) for each in told] == [("Log", "WARN")]
    assert told[0]["text"].startswith("failed to execute request")
    assert "KEY" not in told[0]["text"]


def test_a_line_of_the_log_that_is_no_text_says_nothing_of_the_shelf(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, told = told_of(tmp_path, Entry("DEBUG", RECEIVED, b'<message notify="\xff"/>'))
    assert (session.shelf, told, capsys.readouterr().err) == (None, [], "")
    session, told = told_of(tmp_path, Entry("DEBUG", RECEIVED, ANSWER))
    assert session.shelf is not None
    assert told == []


def test_a_name_that_is_no_text_stops_no_message() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        outbox = Outbox(theirs)
        threading.Thread(target=outbox.run, daemon=True).start()
        outbox.tell(event="Message", name=b"An\xff")
        line = json.loads(ours.makefile("rb").readline())
        assert line == {"event": "Message", "name": "An\N{REPLACEMENT CHARACTER}"}
        outbox.failed.set()
        outbox.tell()
