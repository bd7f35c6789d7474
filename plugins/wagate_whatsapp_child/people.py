"""What the gateway may ask about people and about the number itself.

Source of what whatsmeow does with each: ``user.go``, ``presence.go``; of what its C functions take:
neonize, ``goneonize/main.go``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wagate_whatsapp_child.flat import Json, jid
from wagate_whatsapp_child.library import Library, LibraryError
from wagate_whatsapp_child.session import Act, Session, as_jid, as_jids


def about(library: Library, session: Session, line: Json) -> str:
    """The line that somebody writes about themselves; '' when it can't be seen."""
    return next((str(each.UserInfo.Status) for each in _asked(library, session, line["chat"])), "")


def lid(library: Library, session: Session, line: Json) -> str:
    """The LID of a phone's JID, as it was learned, or as WhatsApp tells it; '' when it has none."""
    if not (found := lid_of(library, session, line["chat"])):
        _asked(library, session, line["chat"])  # whatsmeow notes it
        found = lid_of(library, session, line["chat"])
    return found


def block(library: Library, session: Session, line: Json) -> None:
    """Block or unblock someone."""
    word = b"block" if line["on"] else b"unblock"
    raw = library.go.UpdateBlocklist(*session.of(as_jid(library, line["chat"])), word)
    library.answer("GetBlocklistReturnFunction", raw)


def watch(library: Library, session: Session, line: Json) -> None:
    """Hear of somebody's presence: WhatsApp tells only those who are there themselves."""
    library.done(library.go.SendPresence(session.key, b"available"))
    library.done(library.go.SubscribePresence(*session.of(as_jid(library, line["chat"]))))


def own_name(library: Library, session: Session, line: Json) -> None:
    """The name that others see."""
    library.done(library.go.SetPushName(session.key, line["name"].encode()))


def own_about(library: Library, session: Session, line: Json) -> None:
    """Set the about text."""
    library.done(library.go.SetStatusMessage(session.key, line["text"].encode()))


def picture(library: Library, session: Session, line: Json) -> None:
    """Our own picture (``chat`` is ''), or a group's: the JPEG at ``path``."""
    content = Path(line["path"]).read_bytes()
    if line["chat"]:
        raw = library.go.SetGroupPhoto(*session.of(as_jid(library, line["chat"]), content))
    else:
        raw = library.go.SetProfilePhoto(*session.of(content))
    library.answer("SetGroupPhotoReturnFunction", raw)


def _asked(library: Library, session: Session, chat: str) -> list[Any]:
    wanted = library.types.JIDArray(JIDS=as_jids(library, [chat])).SerializeToString()
    raw = library.go.GetUserInfo(*session.of(wanted))
    return list(library.answer("GetUserInfoReturnFunction", raw).UsersInfo)


def lid_of(library: Library, session: Session, chat: str) -> str:
    """The LID of a phone's JID, as the library has learned it; '' when it has not."""
    raw = library.go.GetLIDFromPN(*session.of(as_jid(library, chat)))
    try:
        return jid(library.answer("GetJIDFromStoreReturnFunction", raw).Jid)
    except LibraryError:
        return ""


PEOPLE: dict[str, Act] = {
    "about": about,
    "lid": lid,
    "block": block,
    "watch": watch,
    "own_name": own_name,
    "own_about": own_about,
    "picture": picture,
}
"""By the name that the gateway asks with."""
