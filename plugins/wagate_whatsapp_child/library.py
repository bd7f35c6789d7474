"""whatsmeow, as the package neonize carries it: its C functions, bound without its Python layer.

Source of the signatures: neonize 0.5.2, ``_binder.py``; of the events' numbers: ``events.py``.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

TEXT, NUMBER, POINTER, YES = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_bool
ON_TEXT = ctypes.CFUNCTYPE(None, POINTER, POINTER)
ON_EVENT = ctypes.CFUNCTYPE(None, TEXT, POINTER, NUMBER, NUMBER)
ON_LOG = ctypes.CFUNCTYPE(None, POINTER, NUMBER)

DEVICE, PAIR, HISTORY, MESSAGE, RECEIPT = 0, 2, 13, 17, 18
NOTED = 1000
"""No event of the library's: a line of our own, as JSON."""
EVENTS = {
    PAIR: "PairStatus",
    3: "Connected",
    4: "KeepAliveTimeout",
    5: "KeepAliveRestored",
    6: "LoggedOut",
    7: "StreamReplaced",
    8: "TemporaryBan",
    9: "ConnectFailure",
    10: "ClientOutdated",
    11: "StreamError",
    12: "Disconnected",
    HISTORY: "HistorySync",
    MESSAGE: "Message",
    RECEIPT: "Receipt",
    19: "ChatPresence",
    20: "Presence",
    21: "JoinedGroup",
    22: "GroupInfoEvent",
    23: "Picture",
    36: "CallOffer",
    37: "CallAccept",
    42: "CallTerminate",
    44: "UndecryptableMessage",
}
"""Number of an event that we want → its protobuf type."""
KEPT = frozenset({HISTORY, MESSAGE, RECEIPT, 21, 22, 23, 36, 37, 42, 44})
"""Events that must not be lost: these go to the spool before anything else is done with them."""


class Bytes(ctypes.Structure):
    """Bytes that Go allocated."""

    _fields_ = (("data", POINTER), ("size", ctypes.c_size_t))


class Proxy(ctypes.Structure):
    """How it goes out."""

    _fields_ = (("address", TEXT), ("no_websocket", YES), ("only_login", YES), ("no_media", YES))


_QUERY = re.compile(r"""\?[^\s"'<>]*""")
"""All from a question mark on. Each character is looked at once: people write these texts, too, and a pattern with a
``=`` in its middle begins again at each question mark."""
_BYTES = ctypes.POINTER(Bytes)
_CHAT = (TEXT, TEXT, NUMBER)
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "Neonize": (
        POINTER,
        (
            *(TEXT, TEXT, TEXT, NUMBER, NUMBER, TEXT),
            *(ON_TEXT, ON_TEXT, ON_EVENT, ON_LOG),
            *(TEXT, NUMBER, TEXT, NUMBER, TEXT, NUMBER, POINTER),
        ),
    ),
    "Stop": (POINTER, (TEXT,)),
    "Disconnect": (POINTER, (TEXT,)),
    "Logout": (POINTER, (TEXT,)),
    "IsConnected": (YES, (TEXT,)),
    "PairPhone": (_BYTES, _CHAT),
    "SendMessage": (_BYTES, (*_CHAT, TEXT, NUMBER)),
    "MarkRead": (POINTER, (TEXT, TEXT, NUMBER, TEXT, NUMBER, TEXT, NUMBER, TEXT)),
    "SendChatPresence": (POINTER, (*_CHAT, NUMBER, NUMBER)),
    "SendPresence": (POINTER, (TEXT, TEXT)),
    "IsOnWhatsApp": (_BYTES, _CHAT),
    "Upload": (_BYTES, (*_CHAT, NUMBER)),
    "GetPNFromLID": (_BYTES, _CHAT),
    "GetProfilePicture": (_BYTES, (*_CHAT, TEXT, NUMBER)),
    "GetContact": (_BYTES, _CHAT),
    "GetGroupInfo": (_BYTES, _CHAT),
    "RejectCall": (POINTER, (*_CHAT, TEXT)),
    "GetJoinedGroups": (_BYTES, (TEXT,)),
    "GetGroupInfoFromLink": (_BYTES, (TEXT, TEXT)),
    "CreateGroup": (_BYTES, _CHAT),
    "SetGroupName": (POINTER, (*_CHAT, TEXT)),
    "SetGroupTopic": (POINTER, (*_CHAT, TEXT, TEXT, TEXT)),
    "SetGroupAnnounce": (POINTER, (*_CHAT, YES)),
    "SetGroupLocked": (POINTER, (*_CHAT, YES)),
    "UpdateGroupParticipants": (_BYTES, (*_CHAT, TEXT, NUMBER, TEXT)),
    "LeaveGroup": (POINTER, _CHAT),
    "GetGroupInviteLink": (_BYTES, (*_CHAT, YES)),
    "JoinGroupWithLink": (_BYTES, (TEXT, TEXT)),
    "SetGroupPhoto": (_BYTES, (*_CHAT, TEXT, NUMBER)),
    "SetProfilePhoto": (_BYTES, _CHAT),
    "SetPushName": (POINTER, (TEXT, TEXT)),
    "SetStatusMessage": (POINTER, (TEXT, TEXT)),
    "GetUserInfo": (_BYTES, _CHAT),
    "GetLIDFromPN": (_BYTES, _CHAT),
    "UpdateBlocklist": (_BYTES, (*_CHAT, TEXT)),
    "SubscribePresence": (POINTER, _CHAT),
    "CreateNewsletter": (_BYTES, _CHAT),
    "BuildPollVote": (_BYTES, (*_CHAT, TEXT, NUMBER)),
    "GetSubscribedNewsletters": (_BYTES, (TEXT,)),
    "GetNewsletterInfo": (_BYTES, _CHAT),
    "GetNewsletterInfoWithInvite": (_BYTES, (TEXT, TEXT)),
    "GetNewsletterMessages": (_BYTES, (*_CHAT, NUMBER, NUMBER)),
    "FollowNewsletter": (POINTER, _CHAT),
    "UnfollowNewsletter": (POINTER, _CHAT),
    "NewsletterToggleMute": (POINTER, (*_CHAT, YES)),
    "GetVersion": (POINTER, ()),
    "FreeBytesStruct": (None, (_BYTES,)),
    "FreeString": (None, (POINTER,)),
}


def words(said: str | bytes) -> str:
    """A text of the library's, as it may be told: URLs without their queries, since these hold keys.

    ``said`` is bytes when it is no UTF-8: that is how protobuf gives such texts.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return _QUERY.sub(lambda found: "" if "=" in found[0] else found[0], text)


class LibraryError(Exception):
    """The library said no; its text is the library's."""

    def __init__(self, said: str | bytes) -> None:
        super().__init__(words(said))


class Library(NamedTuple):
    """The loaded library, and the types of what it says."""

    go: ctypes.CDLL
    types: Any
    """The module of neonize's protobuf types."""
    message: Any
    """WhatsApp's ``Message``."""
    device: Any
    """``DeviceProps``."""

    def text(self, pointer: int | None) -> str:
        """A text that Go allocated, freed."""
        if not pointer:
            return ""
        found = ctypes.string_at(pointer).decode("utf-8", "replace")
        self.go.FreeString(pointer)
        return found

    def parsed(self, type_name: str, result: Any) -> Any:
        """Bytes that Go allocated, freed, as one of its types."""
        try:
            raw = ctypes.string_at(result.contents.data, result.contents.size) if result.contents.data else b""
        finally:
            self.go.FreeBytesStruct(result)
        return getattr(self.types, type_name).FromString(raw)

    def answer(self, type_name: str, result: Any) -> Any:
        """The same for an answer that may hold an error. LibraryError."""
        found = self.parsed(type_name, result)
        if found.Error:
            raise LibraryError(found.Error)
        return found

    def done(self, pointer: int | None) -> None:
        """What a call without an answer gave. LibraryError: a text, which is its error."""
        if said := self.text(pointer):
            raise LibraryError(said)

    @property
    def version(self) -> str:
        """Of the package that it was built for."""
        return self.text(self.go.GetVersion())


def load() -> Library:
    """Load it from the installed package, without importing that package's own code, which needs 26 MB more."""
    folder = next(found for each in sys.path if (found := Path(each) / "neonize" / "proto").is_dir()).parent
    package = types.ModuleType("neonize")
    package.__path__ = [str(folder)]
    sys.modules["neonize"] = package
    go = ctypes.CDLL(str(next(each for each in folder.glob("neonize-*") if each.suffix in {".so", ".dylib"})))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(go, name)
        function.restype, function.argtypes = result, arguments
    return Library(
        go=go,
        types=importlib.import_module("neonize.proto.Neonize_pb2"),
        message=importlib.import_module("neonize.proto.waE2E.WAWebProtobufsE2E_pb2").Message,
        device=importlib.import_module("neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2").DeviceProps,
    )


Heard = Callable[[int, bytes], None]
"""(number of the event, its bytes)"""
