"""One number: its connection, which the library keeps, what is heard over it, and what its phone gives of the past."""

from __future__ import annotations

import base64
import ctypes
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict

from wagate_whatsapp_child.flat import Json, Known, flat, jid, keep_poll, slim
from wagate_whatsapp_child.keys import Keys
from wagate_whatsapp_child.library import (
    DEVICE,
    EVENTS,
    HISTORY,
    KEPT,
    NOTED,
    ON_EVENT,
    ON_LOG,
    ON_TEXT,
    Library,
    LibraryError,
    Proxy,
    words,
)
from wagate_whatsapp_child.polls import Polls
from wagate_whatsapp_child.shelf import Shelf, shelf_of
from wagate_whatsapp_child.spool import Entry, Line, Outbox, Spool

KEYS = "session.db"
OPTIONS = "?_journal_mode=WAL&_synchronous=NORMAL&_foreign_keys=on&_busy_timeout=10000&x="
"""Behind the path of the keys: without WAL, linking takes 18 s instead of 1.4, each message 19 ms instead of 2."""
SPOOL = "spool"
POLLS = "polls"
TOLD = frozenset({"WARN", "WARNING", "ERROR"})
"""Levels of the library's log that the gateway hears; the rest has each stanza in it."""
RECENT = 90
"""Days that the phone gives without being asked for all."""
_numbers = itertools.count(1)
TO_LEAVE = 3.0
"""Seconds for a connection to end: that takes milliseconds, but behind a dial it waits as long as the dial does."""
CHUNK = 100
DAY = 86_400


class Start(NamedTuple):
    """What a session is started with."""

    session: str
    folder: str
    """The account's own."""
    proxy: str = ""
    device: str = "wagate"
    """As the phone shows it among its linked devices."""
    history: int = 0
    """Days of the past that the phone is asked for; 0: none."""


class State:
    """How it is."""

    def __init__(self) -> None:
        self.connected = False
        self.jid = ""
        self.lid = ""
        self.ended = False
        """The library's call returned: it is started anew, or not at all."""


class Session:
    """One number's life in the library, from `begin` to `end`."""

    def __init__(self, library: Library, outbox: Outbox, start: Start) -> None:
        """Waits for a process that had the account before."""
        self.start = start
        self.key = f"{start.session}#{next(_numbers)}".encode()
        """The library's name of it: never the same again, since one that hangs is left behind."""
        self.state = State()
        self.heard = 0
        """Events so far."""
        self.shelf: Shelf | None = None
        """Where files are put, as far as the library's log has told."""
        self.shelf_failed = False
        """Whether an upload to it broke off: the library may have been told of another one meanwhile."""
        self.turn = threading.Lock()
        """Held by the message that is being sent."""
        self.whole = threading.Lock()
        """Held by the file that the library uploads."""
        self._library = library
        self._outbox = outbox
        self._left = False
        self._phones: dict[str, str] = {}
        self.spool = Spool(Path(start.folder) / SPOOL)
        self.polls = Polls(Path(start.folder) / POLLS)
        self._keys = Keys(library.go, Path(start.folder) / KEYS)
        self._callbacks = self._make_callbacks()

    def begin(self) -> None:
        """Connect, in a thread that the library keeps."""
        threading.Thread(target=self._run, name=self.start.session, daemon=True).start()

    def attach(self) -> None:
        """From here on the gateway gets what comes, after what it has not stored yet."""
        with self.spool.lock:
            self._outbox.tell(session=self.start.session, event="Attached")
            for entry in self.spool.waiting:
                self._put(entry)

    def note(self, line: Json) -> None:
        """Write down what we did, for the gateway to take in, as if WhatsApp had told it."""
        with self.spool.lock:
            self._put(self.spool.append(NOTED, json.dumps(line).encode()))

    def leave(self) -> bool:
        """No more from WhatsApp; what the library holds still comes. False: a dial that gets no answer holds it up."""
        if self.state.ended:
            return True
        leaving = threading.Thread(target=self._library.go.Disconnect, args=(self.key,), daemon=True)
        leaving.start()
        leaving.join(TO_LEAVE)
        return not leaving.is_alive()

    def end(self) -> None:
        """For good. May hang, as the library does when the number was never linked."""
        self._left = True
        if not self.state.ended:
            self._library.go.Stop(self.key)
        self.spool.close()
        self._keys.close()

    def abandon(self) -> None:
        """Disconnect and hear nothing more, without waiting for the library."""
        self._left = True
        self.leave()
        self.spool.close()
        self._keys.close()

    @property
    def usable(self) -> bool:
        """Whether the library may be asked about it: asked about one that it has not, it ends the process."""
        return bool(self.state.jid) and not self.state.ended and not self._left

    def phone(self, lid: str) -> str:
        """The phone's JID behind a LID, as the library has learned; '' when it has not."""
        plain = _plain(lid)
        if plain not in self._phones and self.usable:
            raw = as_jid(self._library, plain)
            try:
                found = self._library.answer(
                    "GetJIDFromStoreReturnFunction", self._library.go.GetPNFromLID(*self.of(raw))
                )
            except LibraryError:
                return ""
            if not (phone := jid(found.Jid)):
                return ""  # asked again: it may be learned any time
            self._phones[plain] = phone
        return self._phones.get(plain, "")

    def learn(self, lid: str, phone: str) -> None:
        """Note whose LID it is."""
        self._phones[_plain(lid)] = phone

    def secret(self, message_id: str, chats: Sequence[str], writers: Sequence[str] = ()) -> str:
        """The secret of a message in base64; '' when there is none. Without ``writers``: of one of ours."""
        if not self.state.jid:
            return ""
        writers = writers or (self.state.jid, self.state.lid)
        return base64.b64encode(self._keys.secret(message_id, self.state.jid, chats, writers)).decode()

    def of(self, *parts: bytes) -> tuple[Any, ...]:
        """Arguments of a call: the session, then bytes and their lengths."""
        return self.key, *(each for part in parts for each in (part, len(part)))

    def _run(self) -> None:
        props, wanted = self._props(), bytes(each for each in EVENTS if each != HISTORY or self.start.history)
        proxy = ctypes.pointer(Proxy(self.start.proxy.encode(), False, False, False)) if self.start.proxy else None
        error = self._library.text(
            self._library.go.Neonize(
                f"{Path(self.start.folder) / KEYS}{OPTIONS}".encode(),
                self.key,
                *(b"", 0, 0, b"DEBUG"),  # for `shelf_of`
                *self._callbacks,
                *(wanted, len(wanted), props, len(props), b"", 0),
                ctypes.cast(proxy, ctypes.c_void_p) if proxy else None,
            )
        )
        if self.state.jid and not self._left:
            # It gave up in mid-connection, at an event that it can't encode, and would go on acknowledging what nobody
            # hears any more.
            self.leave()
        self.state.ended, self.state.connected = True, False
        if not self._left:
            self._tell("Ended", error=words(error))

    def _props(self) -> bytes:
        """How this device shows itself when it is linked, and how much of the past it wants."""
        days = self.start.history
        made: bytes = self._library.device(
            os=self.start.device,
            platformType=self._library.device.CHROME,
            requireFullSync=days > RECENT,
            historySyncConfig={"fullSyncDaysLimit": days or 1, "recentSyncDaysLimit": days or 1},
        ).SerializeToString()
        return made

    def _make_callbacks(self) -> tuple[Any, ...]:
        """Kept by the session: the library calls them for as long as it lives."""
        return (
            ON_TEXT(_guarded(lambda _key, text: self._tell("QR", code=_text(text)))),
            ON_TEXT(_guarded(lambda _key, text: self._tell("Login", state=_text(text)))),
            ON_EVENT(_guarded(lambda _key, data, size, code: self._hear(code, ctypes.string_at(data, size)))),
            ON_LOG(_guarded(lambda data, size: self._log(ctypes.string_at(data, size)))),
        )

    def _hear(self, code: int, raw: bytes) -> None:
        """On the library's thread, and quick: what waits behind it has its receipt already."""
        if self._left:
            return
        self.heard += 1
        if code == DEVICE:
            device = self._library.types.Device.FromString(raw)
            self.state.jid, self.state.lid = jid(device.JID), jid(device.LID)
            self._tell("Me", jid=self.state.jid, lid=self.state.lid, platform=device.Platform)
            return
        self.state.connected = {"Connected": True, "Disconnected": False}.get(EVENTS[code], self.state.connected)
        with self.spool.lock:
            self._put(self.spool.append(code, raw) if code in KEPT else Entry(0, code, raw))

    def _put(self, entry: Entry) -> None:
        def make() -> dict[str, Any] | list[dict[str, Any]]:
            line: Json = {"session": self.start.session, "n": entry.number}
            try:
                if entry.code == HISTORY:
                    return past(self._library, entry.raw, self, line, self.start.history)
                if entry.code == NOTED:
                    noted: Json = json.loads(entry.raw)
                    return line | noted
                return line | flat(self._library, entry.code, entry.raw, self)
            except Exception as error:  # noqa: BLE001  (kept whole, for people)
                raw = base64.b64encode(entry.raw).decode()
                return line | {"event": "Unread", "code": entry.code, "raw": raw, "error": repr(error)[:300]}

        self._outbox.put(Line(make, self.spool if entry.number else None))

    def _tell(self, event: str, **fields: Any) -> None:
        if not self._left:
            self._outbox.tell(session=self.start.session, event=event, **fields)

    def _log(self, raw: bytes) -> None:
        entry = self._library.types.LogEntry.FromString(raw)
        if entry.Level in TOLD:
            self._tell("Log", level=entry.Level, text=words(entry.Message)[:1000])
        elif isinstance(entry.Message, str) and (found := shelf_of(entry.Name, entry.Message)) is not None:
            self.shelf, self.shelf_failed = found, False


def as_jid(library: Library, text: str) -> bytes:
    """A JID for the library."""
    user, _, server = text.partition("@")
    user, _, device = user.partition(":")
    made: bytes = library.types.JID(
        User=user, Server=server, RawAgent=0, Device=int(device or 0), Integrator=0, IsEmpty=False
    ).SerializeToString()
    return made


def as_jids(library: Library, texts: Sequence[str]) -> list[Any]:
    """Several, as parts of another message."""
    return [library.types.JID.FromString(as_jid(library, each)) for each in texts]


def _text(pointer: int) -> str:
    return ctypes.string_at(pointer).decode("utf-8", "replace")


def _guarded(function: Callable[..., None]) -> Callable[..., None]:
    """Nothing may be raised into the library."""

    def guarded(*arguments: Any) -> None:
        try:
            function(*arguments)
        except BaseException as error:  # noqa: BLE001  (as said)
            print("not heard:", repr(error), file=sys.stderr, flush=True)  # noqa: T201  (this process's log)

    return guarded


Act = Callable[[Library, Session, dict[str, Any]], Any]
"""(library, session, the line that asked) → what is answered."""


def past(library: Library, raw: bytes, known: Known, head: Json, days: int) -> list[Json]:
    """Lines of one part of the history, without what is older than ``days``; the last one has ``head``'s number.

    Source: waHistorySync, HistorySync and Conversation; waWeb, WebMessageInfo.
    """
    data = library.types.HistorySync.FromString(raw).Data
    oldest = time.time() - days * DAY
    messages = [each for chat in data.conversations for each in _messages(chat, known, oldest)]
    parts = [messages[at : at + CHUNK] for at in range(0, len(messages), CHUNK)] or [[]]
    lines = [head | {"event": "History", "n": 0, "messages": part} for part in parts]
    lines[-1]["n"] = head["n"]
    return lines


def _plain(lid: str) -> str:
    """Without the device."""
    return f"{lid.partition('@')[0].partition(':')[0]}@lid"


def _messages(chat: Any, known: Known, oldest: float) -> Iterator[Json]:
    other = chat.pnJID or chat.lidJID or (known.phone(chat.ID) if chat.ID.endswith("@lid") else "")
    group = chat.ID.endswith("@g.us")
    for each in chat.messages:
        info = each.message
        if info.messageTimestamp < oldest or not info.HasField("message"):
            continue
        body = slim(MessageToDict(info.message, preserving_proto_field_name=True))
        writer = info.key.participant or info.participant if group else "" if info.key.fromMe else chat.ID
        keep_poll(known.polls, info.key.ID, body)
        yield {
            "chat": chat.ID,
            "chat_alt": "" if group else other,
            "sender": writer,
            "sender_alt": (known.phone(writer) if writer.endswith("@lid") else "") if group else other,
            "from_me": info.key.fromMe,
            "group": group,
            "id": info.key.ID,
            "time": info.messageTimestamp * 1000,
            "name": info.pushName,
            "message": body,
        }
