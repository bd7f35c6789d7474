"""People and the number itself, asked of WhatsApp."""

from __future__ import annotations

from pathlib import Path

import trio

from wagate.errors import SendRefusedError
from wagate.hooks.asks import (
    BlockPerson,
    FindLid,
    FindNumber,
    ReadAbout,
    RejectCall,
    SetOnline,
    SetOwnAbout,
    SetOwnName,
    SetPicture,
    WatchPresence,
)
from wagate.parsing.chats import LID, USER, chat_key
from wagate_whatsapp.asking import Act, Asked
from wagate_whatsapp.ids import jid_of

LARGEST_PICTURE = 1024 * 1024
"""Bytes: WhatsApp's own clients send a JPEG of 640 by 640."""


async def find_number(to: Asked, ask: FindNumber) -> str:
    """WhatsApp answers with the number's JID, which may differ: Brazil's ninth digit, Mexico's 1."""
    key = chat_key(await to.read("exists", phone=ask.phone))
    return f"{ask.phone}@{USER}" if key.endswith(f"@{LID}") else key


async def find_lid(to: Asked, ask: FindLid) -> str:
    """As it was learned before, or as WhatsApp tells it."""
    return chat_key(await to.read("lid", chat=jid_of(ask.chat)))


async def read_about(to: Asked, ask: ReadAbout) -> str:
    """'' for those who hide it."""
    return str(await to.read("about", chat=jid_of(ask.chat)))


async def block_person(to: Asked, ask: BlockPerson) -> None:
    """Block, or no longer."""
    await to.change("block", chat=jid_of(ask.chat), on=ask.on)


async def set_online(to: Asked, ask: SetOnline) -> None:
    """Until it is taken back, or the connection ends."""
    await to.change("presence", on=ask.on)


async def watch_presence(to: Asked, ask: WatchPresence) -> None:
    """For this connection; we are shown as online from now on, since WhatsApp tells nobody else."""
    await to.change("watch", chat=jid_of(ask.chat))


async def reject_call(to: Asked, ask: RejectCall) -> None:
    """WhatsApp does not say whether the call was still ringing."""
    await to.change("reject_call", sender=jid_of(ask.chat), call=ask.call_id)


async def set_own_name(to: Asked, ask: SetOwnName) -> None:
    """On all of our devices."""
    await to.change("own_name", name=ask.name)


async def set_own_about(to: Asked, ask: SetOwnAbout) -> None:
    """'' is allowed."""
    await to.change("own_about", text=ask.text)


async def set_picture(to: Asked, ask: SetPicture) -> None:
    """SendRefusedError: it is too large, or to be taken away, which the library can't."""
    if ask.file is None or ask.file.path is None:
        raise SendRefusedError("this engine can't remove a picture: do it on the phone", code="NOT_SUPPORTED")
    path = await picture_at(ask.file.path)
    await to.change("picture", chat=jid_of(ask.chat) if ask.chat else "", path=path)


async def picture_at(place: Path) -> str:
    """Where the engine reads it. SendRefusedError: it is too large."""
    size = await trio.Path(place).stat()
    if size.st_size > LARGEST_PICTURE:
        raise SendRefusedError(f"the picture has {size.st_size} bytes, and WhatsApp takes at most {LARGEST_PICTURE}")
    return str(await trio.Path(place).absolute())


PEOPLE: dict[type, Act] = {
    FindNumber: find_number,
    FindLid: find_lid,
    ReadAbout: read_about,
    BlockPerson: block_person,
    SetOnline: set_online,
    WatchPresence: watch_presence,
    RejectCall: reject_call,
    SetOwnName: set_own_name,
    SetOwnAbout: set_own_about,
    SetPicture: set_picture,
}
"""What can be asked → how it is."""
