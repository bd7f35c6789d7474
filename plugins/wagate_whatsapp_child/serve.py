"""The process itself: lines in from the gateway, lines out to it; when the gateway is gone, it writes down and ends.

In: ``{"ask": 1, "do": "send", "session": …}``, ``{"seen": 17, "session": …}``.
Out: ``{"ask": 1, "ok": …}`` or ``{"ask": 1, "error": …, "left": …}``, ``{"session": …, "n": 17, "event": …}``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from wagate_whatsapp_child.actions import Actions
from wagate_whatsapp_child.flat import Json
from wagate_whatsapp_child.library import Library, LibraryError, load
from wagate_whatsapp_child.session import Session, Start
from wagate_whatsapp_child.spool import Outbox

AT_ONCE = 32
"""Requests of the gateway that run at once; those of one chat come one by one anyway."""
QUIET = 0.3
"""Seconds without an event, after which nothing more comes of the connections that were closed."""
LONGEST_END = 10.0
STUCK = "its connection can't be ended"
"""What the gateway hears when only the end of this process helps."""
LAST_ANSWERS = 2.0
"""Seconds for WhatsApp to confirm what is being sent when the gateway is gone."""


def serve(descriptor: int) -> None:
    """Until the other side of the socket is closed."""
    os.umask(0o077)  # the library makes the file with the keys as the umask lets it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the gateway, which stops us last
    Child(socket.socket(fileno=descriptor)).run()


class Child:
    """All sessions of one gateway."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._outbox = Outbox(sock)
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._sessions: dict[str, Session] = {}
        self._starting: dict[str, threading.Lock] = {}
        self._spent = 0
        """Sessions whose connection came to an end: the library keeps memory and two files of each open, for good."""
        self._library: Library = load()
        self._actions = Actions(self._library)
        self._own: dict[str, Callable[[Json], Any]] = {
            "start": self._start,
            "stop": self._stop,
            "abandon": self._abandon,
            "pair_code": self._pair_code,
            "status": self._status,
        }

    def run(self) -> None:
        """Serve."""
        threading.Thread(target=self._outbox.run, daemon=True).start()
        self._outbox.tell(event="Hello", version=self._library.version, pid=os.getpid())
        try:
            with self._sock.makefile("rb") as lines:
                for raw in lines:
                    self._take(json.loads(raw))
        except (OSError, ValueError):  # it was killed with something unread, or in the middle of a line
            pass
        self._leave()

    def _take(self, line: Json) -> None:
        if "seen" in line:
            session = self._sessions.get(line["session"])
            if session is not None:
                session.spool.seen(line["seen"])
        else:
            self._pool.submit(self._answer, line)

    def _answer(self, line: Json) -> None:
        try:
            self._outbox.tell(ask=line["ask"], ok=self._do(line))
        except LibraryError as error:
            self._outbox.tell(ask=line["ask"], error=str(error)[:1000])
        except Exception as error:  # noqa: BLE001  (the gateway is told)
            self._outbox.tell(ask=line["ask"], error=f"{type(error).__name__}: {error}"[:1000], ours=True)

    def _do(self, line: Json) -> Any:
        if line["do"] in self._own:
            return self._own[line["do"]](line)
        session = self._sessions.get(line["session"])
        if session is None or not session.usable:
            raise LibraryError("not connected")
        return self._actions.named[line["do"]](session, line)

    def _start(self, line: Json) -> Json:
        """Start a session, or go on with the one that is; either way, tell what is not stored yet."""
        start = Start(**{name: line[name] for name in Start._fields if name in line})
        with self._starting.setdefault(start.session, threading.Lock()):
            session = self._sessions.get(start.session)
            if session is not None and (session.state.ended or session.start != start or line.get("anew")):
                self._end(session)
                session = None
            if session is None:
                session = self._sessions[start.session] = Session(self._library, self._outbox, start)
                session.attach()
                session.begin()
            else:
                session.attach()
        state = session.state
        return {"connected": state.connected, "jid": state.jid, "lid": state.lid, "spent": self._spent}

    def _stop(self, line: Json) -> None:
        """End a session, after what it holds was written down; one that is being started, too."""
        with self._starting.setdefault(line["session"], threading.Lock()):
            session = self._sessions.get(line["session"])
            if session is not None:
                self._end(session)

    def _abandon(self, line: Json) -> None:
        with self._starting.setdefault(line["session"], threading.Lock()):
            session = self._sessions.pop(line["session"], None)
            if session is not None:
                session.abandon()

    def _end(self, session: Session) -> None:
        self._spent += 1
        if not session.leave():
            raise LibraryError(STUCK)
        _until_quiet([session])
        self._sessions.pop(session.start.session, None)
        if session.state.jid:
            session.end()
        else:
            session.abandon()

    def _pair_code(self, line: Json) -> str:
        """A code for a session that waits to be linked."""
        session = self._sessions[line["session"]]
        deadline = time.monotonic() + 20
        while not self._library.go.IsConnected(session.key):
            if time.monotonic() > deadline:
                raise LibraryError("not connected")
            time.sleep(0.05)
        wanted = self._library.types.PairPhoneParams(
            phone=line["phone"], showPushNotification=True, clientType=1, clientDisplayName="Chrome (Linux)"
        ).SerializeToString()
        answer = self._library.go.PairPhone(*session.of(wanted))
        code: str = self._library.answer("PairPhoneReturnFunction", answer).Code
        return code

    def _status(self, _line: Json) -> Json:
        return {
            "version": self._library.version,
            "rss": _rss(),
            "threads": threading.active_count(),
            "sessions": {
                name: {"connected": each.state.connected, "ended": each.state.ended, "waiting": len(each.spool.waiting)}
                for name, each in list(self._sessions.items())
            },
        }

    def _leave(self) -> None:
        """The gateway is gone: nothing more from WhatsApp, and what the library still holds goes to the spools."""
        sessions = list(self._sessions.values())
        until = time.monotonic() + LAST_ANSWERS
        for each in sessions:
            each.turn.acquire(timeout=max(0.0, until - time.monotonic()))  # kept: nothing else is sent any more
        for each in sessions:
            each.leave()
        _until_quiet(sessions)
        for each in sessions:
            each.spool.sync()
        sys.stdout.flush()
        os._exit(0)  # the library's threads never end


def _until_quiet(sessions: list[Session]) -> None:
    deadline, before = time.monotonic() + LONGEST_END, -1
    while before != (now := sum(each.heard for each in sessions)) and time.monotonic() < deadline:
        before = now
        time.sleep(QUIET)


def _rss() -> int:
    """Bytes in memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
