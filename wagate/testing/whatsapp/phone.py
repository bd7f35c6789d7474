"""A made-up phone that is used like a real one: it scans, shows what comes, and somebody writes to it."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass

import trio

from wagate.testing.whatsapp.connection import GONE
from wagate.testing.whatsapp.protobuf import unpack
from wagate.testing.whatsapp.server import Arrived
from wagate.testing.whatsapp.world import World

FILE = "/file "
"""A typed line that begins so sends the file at the path behind it."""
KINDS = {
    3: "image", 4: "contact", 5: "location", 7: "document", 8: "audio", 9: "video", 12: "change", 26: "sticker",
    46: "reaction", 49: "poll", 58: "change", 64: "poll",
}  # fmt: skip
"""Fields of WhatsApp's ``Message``, in words."""
CAPTIONED = frozenset({3, 9, 7})


@dataclass(frozen=True)
class Phone:
    """The phone of a number of ours, and a person who writes to it."""

    world: World
    person: str
    """Their digits."""
    name: str
    tell: Callable[[str], None]
    """Prints a line."""

    async def scan(self, code: str) -> bool:
        """Scan a QR code; whether it is one that WhatsApp gave, and the device still waits."""
        server = self.world.server
        if code.split("#", 1)[-1].split(",", 1)[0] not in server.waiting:
            return False
        try:
            await server.scan(code, self.world.ours)
        except GONE:
            return False
        return True

    async def show(self) -> None:
        """Tell of every message that the person gets, as it comes."""
        server, seen = self.world.server, 0
        while True:
            new = server.messages[seen:]
            seen += len(new)
            for each in new:
                if each.to == self.person:
                    self.tell(f"{self.name} gets: {in_words(each)}")
            if not new:
                await server.change()

    async def write(self, line: str) -> None:
        """What was typed comes in as the person's message: a text, or the file of ``/file PATH``."""
        if not any(of == self.world.ours for of, _ in self.world.server.devices):
            self.tell("the number is not linked yet; nothing was sent")
        elif line.startswith(FILE):
            await self._file(await trio.Path(line.removeprefix(FILE).strip()).expanduser())
        else:
            await self.world.text(self.person, line)

    async def _file(self, path: trio.Path) -> None:
        try:
            content = await path.read_bytes()
        except OSError as error:
            self.tell(f"{path}: {error.strerror}; nothing was sent")
            return
        mimetype = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        kind = "image" if mimetype in {"image/jpeg", "image/png"} else "document"
        await self.world.file(self.person, kind, content, mimetype)


def in_words(message: Arrived) -> str:
    """A line for the terminal."""
    if message.text:
        return message.text
    number = next((each for each in message.fields if each in KINDS), None)
    if number is None:
        return "[something else]"
    inside = unpack(message.fields[number][0]) if number in CAPTIONED else {}
    caption = inside.get({3: 3, 9: 7, 7: 20}.get(number, 0), [b""])[0]
    return f"[{KINDS[number]}] {caption.decode() if isinstance(caption, bytes) else ''}".rstrip()
