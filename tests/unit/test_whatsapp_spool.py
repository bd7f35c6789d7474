"""The spool when the disk is full, and when its session ends while lines of it are still on their way."""

from __future__ import annotations

import resource
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wagate_whatsapp_child import spool as module
from wagate_whatsapp_child.spool import COMPACT, Line, Outbox, Spool

LARGE = b"x" * 3_000


@contextmanager
def full_beyond(size: int) -> Iterator[None]:
    """No file of this process grows over so many bytes: writes end short, then fail, as on a full disk."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def left_in(path: Path) -> list[bytes]:
    """What the next process finds."""
    spool = Spool(path)
    found = [each.raw for each in spool.waiting]
    spool.close()
    return found


def test_what_the_disk_did_not_take_is_written_once_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    parts = [b"%d" % number + LARGE for number in range(5)]
    with full_beyond(10_000):  # two lines and a half
        for each in parts[:4]:
            spool.append(17, each)
        spool.sync()
    spool.append(17, parts[4])
    assert [each.raw for each in spool.waiting] == parts
    spool.sync()
    spool.close()
    assert left_in(tmp_path / "spool") == parts


def test_half_a_line_spoils_none_that_follows(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with full_beyond(10_000):
        for number in range(4):
            spool.append(17, b"%d" % number + LARGE)
        spool.seen(1)
        assert (tmp_path / "spool").read_bytes().endswith(b"\n")
        spool.close()
    assert left_in(tmp_path / "spool") == [b"%d" % number + LARGE for number in range(2)]


def test_a_spool_that_can_not_be_written_anew_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for _ in range(3):
        entry = spool.append(17, b"x" * COMPACT)
    last = spool.append(17, LARGE)
    with full_beyond(1_000):
        spool.seen(entry.number)
        spool.sync()
    assert [each.raw for each in spool.waiting] == [LARGE]
    spool.sync()
    assert (tmp_path / "spool").stat().st_size < 10_000
    spool.seen(last.number)
    spool.close()
    assert left_in(tmp_path / "spool") == []


def test_what_waits_in_memory_is_written_when_the_session_ends(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    parts = [b"%d" % number + LARGE for number in range(5)]
    with full_beyond(10_000):
        for each in parts:
            spool.append(17, each)
    spool.close()
    assert left_in(tmp_path / "spool") == parts


def test_a_session_ends_on_a_full_disk_as_well(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with full_beyond(10_000):
        for number in range(5):
            spool.append(17, b"%d" % number + LARGE)
        spool.close()
    assert left_in(tmp_path / "spool") == [b"%d" % number + LARGE for number in range(2)]


def test_what_comes_after_the_end_is_written_into_no_other_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    first = spool.append(17, b"before")
    spool.close()
    files = [(tmp_path / name).open("ab") for name in ("a", "b", "c")]  # they get the numbers of those that were closed
    late = spool.append(17, b"late")
    spool.close()
    for each in files:
        each.close()
    assert [(tmp_path / name).read_bytes() for name in ("a", "b", "c")] == [b""] * 3
    assert (late.number, late.raw) == (0, b"late")
    assert left_in(tmp_path / "spool") == [first.raw]


def test_a_session_that_ends_does_not_stop_the_lines_of_all(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outbox, spool = Outbox(theirs), Spool(tmp_path / "spool")
        spool.append(17, b"x")
        outbox.put(Line(lambda: {"event": "Message"}, spool))
        spool.close()
        outbox.tell(event="another's")
        threading.Thread(target=outbox.run, daemon=True).start()
        ours.settimeout(10)
        lines = b""
        while lines.count(b"\n") < 2:
            lines += ours.recv(1000)
    assert lines == b'{"event":"Message"}\n{"event":"another\'s"}\n'


def test_a_process_that_does_not_go_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Spool(tmp_path / "spool")
    monkeypatch.setattr(module, "OWNED", 0.0)
    with pytest.raises(TimeoutError, match="another process still has the number"):
        Spool(tmp_path / "spool")
    monkeypatch.setattr(module, "OWNED", 30.0)
    threading.Timer(0.2, other.close).start()
    Spool(tmp_path / "spool").close()
