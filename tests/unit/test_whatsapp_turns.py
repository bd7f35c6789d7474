"""What waits in the engine's process: messages for the one before them, files for the one before them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wagate.errors import NotSentError
from wagate_whatsapp.reach import judged
from wagate_whatsapp_child import actions
from wagate_whatsapp_child.library import LibraryError
from wagate_whatsapp_child.serve import AT_ONCE
from wagate_whatsapp_child.session import Start
from wagate_whatsapp_child.shelf import Shelf


@dataclass
class FakeSession:
    usable: bool = True
    turn: threading.Lock = field(default_factory=threading.Lock)


def test_a_message_does_not_wait_long_behind_one_that_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "TURN", 0.01)
    session: Any = FakeSession()
    with (
        actions.in_turn(session, 50),
        pytest.raises(LibraryError, match="the message before this one") as told,
        actions.in_turn(session, 50),
    ):
        pytest.fail("two at once")
    assert isinstance(judged(str(told.value)), NotSentError)
    session.usable = False  # it ended while one waited
    with pytest.raises(LibraryError, match="not connected"), actions.in_turn(session, 50):
        pytest.fail("the library ends the process when it is asked about a session that ended")
    assert not session.turn.locked()


@pytest.mark.parametrize("seconds", [0.5, actions.TO_CONFIRM])
def test_a_message_waits_for_its_turn_no_longer_than_anybody_waits_for_it(seconds: float) -> None:
    session: Any = FakeSession()
    began = time.monotonic()
    with (
        actions.in_turn(session, 50),
        pytest.raises(LibraryError, match="the message before this one"),
        actions.in_turn(session, seconds),
    ):
        pytest.fail("two at once")
    assert time.monotonic() - began < actions.TURN / 2


@dataclass
class Uploading(FakeSession):
    start: Start = field(default_factory=lambda: Start(session="0190", folder=""))
    shelf: Shelf | None = None
    shelf_failed: bool = False
    whole: threading.Lock = field(default_factory=threading.Lock)


def ask(path: Path, seconds: float) -> dict[str, Any]:
    return {"path": str(path), "kind": "document", "seconds": seconds}


def test_an_upload_without_time_says_nothing_against_the_shelf(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (actions.SMALL + 1))
    shelf = Shelf(host="shelf.invalid", auth="key", until=time.monotonic() + 100)
    session: Any = Uploading(shelf=shelf)
    library: Any = None
    with pytest.raises(LibraryError, match="took too long"):
        actions.Actions(library).upload(session, ask(tmp_path / "file", 0.0))
    assert (session.shelf, session.shelf_failed) == (shelf, False)


def test_files_of_one_session_do_not_wait_for_those_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    library: Any = None
    acts = actions.Actions(library)
    busy: Any = Uploading()
    other: Any = Uploading()

    def uploaded(_self: Any, session: Any, *_file: Any) -> dict[str, Any]:
        if session is busy:  # while its file is on its way
            with pytest.raises(LibraryError, match="before this one"):
                acts.upload(busy, ask(tmp_path / "file", 0.0))
            acts.upload(other, ask(tmp_path / "file", 0.0))
        return {}

    monkeypatch.setattr(actions.Actions, "_uploaded", uploaded)
    assert acts.upload(busy, ask(tmp_path / "file", 0.0)) == {}
    busy.usable = False  # it ended while a file waited
    with pytest.raises(LibraryError, match="not connected"):
        acts.upload(busy, ask(tmp_path / "file", 0.0))


@pytest.mark.parametrize("size", [1, actions.SMALL + 1], ids=["small", "before the shelf is known"])
def test_uploads_that_stall_leave_threads_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    library: Any = None
    acts, going = actions.Actions(library), 0

    def uploaded(*_file: Any) -> dict[str, Any]:
        nonlocal going
        going += 1
        if going < AT_ONCE:  # while this one stalls, a file of another number comes
            session: Any = Uploading()
            acts.upload(session, ask(tmp_path / "file", 0.0))
        return {}

    monkeypatch.setattr(actions.Actions, "_uploaded", uploaded)
    last: Any = Uploading()
    with pytest.raises(LibraryError, match="before this one"):
        acts.upload(last, ask(tmp_path / "file", 0.0))
    assert going == actions.UPLOADING < AT_ONCE / 2
    going = AT_ONCE
    assert acts.upload(last, ask(tmp_path / "file", 0.0)) == {}


def test_asking_for_the_shelf_waits_for_the_file_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x" * (actions.SMALL + 1))
    library: Any = None
    session: Any = Uploading()
    monkeypatch.setattr(actions.Actions, "_uploaded", lambda *_file: pytest.fail("nothing can break it off"))
    with session.whole, pytest.raises(LibraryError, match="before this one"):
        actions.Actions(library).upload(session, ask(tmp_path / "file", 0.0))
