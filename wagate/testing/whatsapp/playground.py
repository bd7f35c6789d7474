"""A gateway of its own beside a fake WhatsApp server, in a folder that goes when it ends; and a phone to use with it.

The phone is made up and used like a real one: it scans, shows what comes, and somebody writes on it.
"""

from __future__ import annotations

import contextlib
import json
import mimetypes
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import trio

from wagate.config import Config, load
from wagate.config.secrets import read_admin_token
from wagate.process.app import serve
from wagate.process.logs import Hide, configure_logs
from wagate.testing.whatsapp.connection import GONE
from wagate.testing.whatsapp.protobuf import unpack
from wagate.testing.whatsapp.run import Running, running_whatsapp
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
SYSTEMS_OWN = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep all certificates in one file. Source: Go, crypto/x509/root_linux.go."""


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


@dataclass(frozen=True)
class Playground:
    """What runs."""

    fake: Running
    http: httpx2.AsyncClient
    """Asks the gateway, as its admin."""
    url: str
    token: str
    config: Path


@asynccontextmanager
async def playground(account: str, port: int) -> AsyncIterator[Playground]:
    """Both, with one account of provider whatsapp that is not linked yet. The gateway's log is beside its config.

    Nothing of a configuration or an environment variable that is there is read: no number of one's own can get in.
    It changes this process's environment, for good: its engine must find the fake.

    Raises:
        ConfigError, AlreadyRunningError, StorageError, QueueError: the gateway can't start, in an exception group.
    """
    stop = trio.Event()
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        folder = Path(name)
        async with running_whatsapp(folder) as fake:
            os.environ.update(fake.environment)
            _trust_the_system_too(folder, Path(fake.environment["SSL_CERT_FILE"]))
            file = folder / "config.toml"
            file.write_text(_toml(account, port, fake.proxy), encoding="utf-8")
            config = load(file, {})
            # The nursery is innermost: the gateway drains first, into the log and towards the fake.
            with _logged(config, folder / "gateway.log") as hide:
                async with trio.open_nursery() as nursery:
                    started = await nursery.start(partial(serve, config, stop=stop, hide=hide))
                    token, url = read_admin_token(config) or "", started.urls[0]
                    headers = {"Authorization": f"Bearer {token}"}
                    try:
                        async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
                            yield Playground(fake, http, url, token, file)
                    finally:
                        stop.set()


@contextmanager
def _logged(config: Config, file: Path) -> Iterator[Hide]:
    """The gateway's log goes there: the terminal is the phone's."""
    with file.open("w") as log:
        with contextlib.redirect_stderr(log):
            hide = configure_logs(config.log.level, "json", config.secrets)
        yield hide


def _trust_the_system_too(folder: Path, ca_file: Path) -> None:
    """Let webhooks' receivers of the real world be trusted as well."""
    found = next((Path(each) for each in SYSTEMS_OWN if Path(each).is_file()), None)
    bundle = folder / "trusted.pem"
    bundle.write_bytes(ca_file.read_bytes() + (found.read_bytes() if found else b""))
    os.environ["SSL_CERT_FILE"] = str(bundle)


def _toml(account: str, port: int, proxy: str) -> str:
    return f"""# Of "wagate simulate phone": the proxy leads to a fake WhatsApp server.
[server]
port = {port}

[delivery]
allow_http = true
allow_networks = ["127.0.0.0/8"]

[plugins.webhook]

[plugins.n8n]

[accounts.{json.dumps(account)}]
provider = "whatsapp"
proxy = {json.dumps(proxy)}
typing = false
"""
