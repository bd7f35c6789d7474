"""What the gateway may ask for, once a session is connected."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict

from wagate_whatsapp_child.flat import Json, jid, keep_poll
from wagate_whatsapp_child.groups import CHANNELS, GROUPS
from wagate_whatsapp_child.library import Library, LibraryError
from wagate_whatsapp_child.people import PEOPLE, lid_of
from wagate_whatsapp_child.session import Session, as_jid, as_jids
from wagate_whatsapp_child.shelf import KeyRefusedError, LateError, Shelf, reaches

KINDS = {"image": 0, "video": 1, "audio": 2, "document": 3}
"""Kind of a file → the library's number (whatsmeow's MediaType)."""
UPLOAD = "wagate_whatsapp_child.upload"
TURN = 10.0
"""Seconds that a message waits for the one before it. The library sends one after the other: behind one that is never
confirmed the rest would wait with it, be in doubt though they never left, and take the threads of other numbers."""
TO_CONFIRM = 1.0
"""Seconds that are left at least when it is a message's turn."""
SMALL = 1024 * 1024
"""Bytes up to which a file is the library's to upload."""
LARGEST_WHOLE = 64 * 1024 * 1024
"""Bytes of the largest one: it holds each some three times over."""
UPLOADING = 8
"""Uploads of the library at once. Nothing can break them off: those that stall must leave threads for the rest."""


class Actions:
    """Each takes a session and the line that asked."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._uploading = threading.BoundedSemaphore(UPLOADING)
        self.named: dict[str, Callable[[Session, Json], Any]] = {
            "send": self.send,
            "vote": self.vote,
            "read": self.read,
            "typing": self.typing,
            "presence": self.presence,
            "exists": self.exists,
            "upload": self.upload,
            "profile": self.profile,
            "group": self.group,
            "reject_call": self.reject_call,
            "log_out": self.log_out,
            **{name: partial(act, library) for name, act in (GROUPS | PEOPLE | CHANNELS).items()},
        }

    def send(self, session: Session, line: Json) -> Json:
        """Send ``message`` (WhatsApp's Message as JSON) to ``to``; its id, its time, and the phone behind a LID.

        ``seconds`` says how long the gateway waits for that. With ``note`` (who, and where) it is written down as
        heard, once WhatsApp has it: the device that sends it does not get it back, and the gateway may be gone by then.
        """
        raw = ParseDict(line["message"], self._library.message()).SerializeToString()
        with in_turn(session, line["seconds"]):
            answer = self._library.go.SendMessage(*session.of(as_jid(self._library, line["to"]), raw))
            sent = self._library.answer("SendMessageReturnFunction", answer).SendResponse
            if "note" in line:
                head = {"event": "Message", "id": sent.ID, "time": sent.Timestamp * 1000}
                session.note({**head, "message": line["message"], **line["note"]})
        keep_poll(session.polls, sent.ID, line["message"])
        to = line["to"]
        phone = session.phone(to) if to.endswith("@lid") else ""
        return {"id": sent.ID, "time": sent.Timestamp, "chat": phone or to}

    def vote(self, session: Session, line: Json) -> Json:
        """A vote for ``options`` in a poll (``id``, ``chat``, ``sender``), to be sent."""
        types, none = self._library.types, self._library.types.JID.FromString(as_jid(self._library, ""))
        # By LID where it is known: whatsmeow takes our own JID of the writer's kind, and people write by LID.
        known = (lid_of(self._library, session, line[name]) or line[name] for name in ("chat", "sender"))
        chat, sender = as_jids(self._library, list(known))
        source = types.MessageSource(
            Chat=chat, Sender=sender, IsFromMe=line["from_me"], IsGroup=line["group"], SenderAlt=none,
            RecipientAlt=none, BroadcastListOwner=none,
        )  # fmt: skip
        about = types.MessageInfo(
            MessageSource=source, ID=line["id"], ServerID=0, Type="poll", Pushname="", Timestamp=0, Category="",
            Multicast=False, MediaType="", Edit="",
        )  # fmt: skip
        parts = about.SerializeToString(), types.ArrayString(data=line["options"]).SerializeToString()
        answer = self._library.go.BuildPollVote(*session.of(*parts))
        found = self._library.answer("BuildPollVoteReturnFunction", answer).PollVote
        made: Json = MessageToDict(found, preserving_proto_field_name=True)
        return made

    def read(self, session: Session, line: Json) -> None:
        """Mark messages (``ids``) of ``sender`` in ``chat`` as read."""
        chat, sender = (as_jid(self._library, line[name]) for name in ("chat", "sender"))
        ids = " ".join(line["ids"]).encode()
        arguments = session.of(chat, sender)[1:]
        self._library.done(self._library.go.MarkRead(session.key, ids, int(time.time()), *arguments, b"read"))

    def typing(self, session: Session, line: Json) -> None:
        """Show typing (or recording) in ``to``, or end it."""
        to, on, voice = as_jid(self._library, line["to"]), line["on"], line.get("voice", False)
        self._library.done(self._library.go.SendChatPresence(*session.of(to), 0 if on else 1, 1 if voice else 0))

    def presence(self, session: Session, line: Json) -> None:
        """Be there, or not: WhatsApp shows typing only of those who are."""
        word = b"available" if line["on"] else b"unavailable"
        self._library.done(self._library.go.SendPresence(session.key, word))

    def exists(self, session: Session, line: Json) -> str:
        """The JID of a phone number on WhatsApp, by phone if that is known; '' when it is not there."""
        number = f"+{line['phone']}".encode()
        found = self._library.answer("IsOnWhatsAppReturnFunction", self._library.go.IsOnWhatsApp(*session.of(number)))
        there = next((jid(each.JID) for each in found.IsOnWhatsAppResponse if each.IsIn), "")
        return (session.phone(there) if there.endswith("@lid") else "") or there

    def upload(self, session: Session, line: Json) -> Json:
        """Encrypt and upload a file (``path``) in ``seconds``; what a message says of it, as JSON. LibraryError.

        What the library uploads may take longer: nothing can break that off. Of one session it uploads one file after
        the other, for it holds each whole; of all sessions `UPLOADING` at once.
        """
        path, kind, until = Path(line["path"]), line["kind"], time.monotonic() + line["seconds"]
        size = path.stat().st_size
        if size > SMALL and (shelf := self._shelf(session, until)) is not None:
            try:
                made: Json = import_module(UPLOAD).upload(path, kind, shelf, session.start.proxy, until)
            except KeyRefusedError:
                # The library keeps this key for some minutes, and tells nothing of it meanwhile: until then it uploads.
                session.shelf = None
                raise
            except LateError:
                raise  # the shelf took all that we had time for
            except LibraryError:
                session.shelf_failed = True
                raise
            return made
        if size > LARGEST_WHOLE:
            raise LibraryError(f"the library takes at most {LARGEST_WHOLE} bytes, and there is no other way now")
        with self._uploads(session, until):
            return self._uploaded(session, path.read_bytes(), kind)

    def _shelf(self, session: Session, until: float) -> Shelf | None:
        """Where files are put; None: the library has to do it."""
        if not reaches(session.start.proxy):
            return None
        if session.shelf is not None and session.shelf.until < time.monotonic():
            session.shelf = None
        if session.shelf is None or session.shelf_failed:
            with self._uploads(session, until):
                session.shelf_failed = False
                # For it the library asks WhatsApp, unless it did within the last minutes, and logs the answer.
                self._uploaded(session, b"\0", "document")
        return session.shelf

    @contextmanager
    def _uploads(self, session: Session, until: float) -> Iterator[None]:
        """The library may upload meanwhile. LibraryError: not before ``until``, or the session ended."""
        with in_time(session.whole, until), in_time(self._uploading, until):
            if not session.usable:
                raise LibraryError("not connected")
            yield

    def _uploaded(self, session: Session, content: bytes, kind: str) -> Json:
        answer = self._library.go.Upload(*session.of(content), KINDS[kind])
        found = self._library.answer("UploadReturnFunction", answer).UploadResponse
        return {
            "URL": found.url,
            "directPath": found.DirectPath,
            "mediaKey": _base64(found.MediaKey),
            "fileEncSHA256": _base64(found.FileEncSHA256),
            "fileSHA256": _base64(found.FileSHA256),
            "fileLength": str(found.FileLength),
        }

    def profile(self, session: Session, line: Json) -> Json:
        """``name`` and ``picture`` (a URL) of a person or group; '' for what can't be seen."""
        of, types = as_jid(self._library, line["chat"]), self._library.types
        if line["chat"].endswith("@g.us"):
            name = self._group(session, of).GroupName.Name
        else:
            known = self._library.go.GetContact(*session.of(of))
            info = self._library.answer("ContactsGetContactReturnFunction", known).ContactInfo
            name = info.FullName or info.BusinessName or info.PushName
        wanted = types.GetProfilePictureParams(Preview=False, ExistingID="", IsCommunity=False).SerializeToString()
        picture = self._library.parsed(
            "GetProfilePictureReturnFunction", self._library.go.GetProfilePicture(*session.of(of, wanted))
        )
        return {"name": name, "picture": "" if picture.Error else picture.Picture.URL}

    def group(self, session: Session, line: Json) -> Json:
        """A group's name and who is in it."""
        found = self._group(session, as_jid(self._library, line["chat"]))
        return {"name": found.GroupName.Name, "members": [jid(each.JID) for each in found.Participants]}

    def reject_call(self, session: Session, line: Json) -> None:
        """Reject a call that rings."""
        caller = as_jid(self._library, line["sender"])
        self._library.done(self._library.go.RejectCall(*session.of(caller), line["call"].encode()))

    def log_out(self, session: Session, _line: Json) -> None:
        """Unlink this device; its keys are worth nothing then."""
        self._library.done(self._library.go.Logout(session.key))

    def _group(self, session: Session, chat: bytes) -> Any:
        return self._library.answer(
            "GetGroupInfoReturnFunction", self._library.go.GetGroupInfo(*session.of(chat))
        ).GroupInfo


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@contextmanager
def in_time(lock: threading.Lock | threading.Semaphore, until: float) -> Iterator[None]:
    """Holds ``lock``. LibraryError: others held it until then."""
    if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
        raise LibraryError("the files before this one take too long")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def in_turn(session: Session, seconds: float) -> Iterator[None]:
    """Nothing else is sent meanwhile. LibraryError: it was not this one's turn in time, or the session ended.

    ``seconds``: how long anybody waits for its outcome.
    """
    if not session.turn.acquire(timeout=max(0.0, min(TURN, seconds - TO_CONFIRM))):
        raise LibraryError("not connected: WhatsApp has not confirmed the message before this one")
    try:
        if not session.usable:
            raise LibraryError("not connected")
        yield
    finally:
        session.turn.release()
