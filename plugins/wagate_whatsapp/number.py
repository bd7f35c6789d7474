"""One account's number: its settings, its folder, its keys, and what is known of it right now.

The settings are all optional: the number itself comes with the scan.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio

from wagate.events import SessionChange
from wagate.hooks import Duration, Inlet, ProviderAccount, Rate
from wagate.http import read_proxy
from wagate.parsing.chats import chat_key
from wagate_whatsapp.ids import References
from wagate_whatsapp.people import Us

LONGEST_HISTORY = Duration("365d")
PROXIES = ("http://", "https://", "socks5://")
LINKED: Final = "linked.json"
"""Our own JIDs; there once the number was linked, so that nobody starts a session that would show a QR code."""
HALTED: Final = "halted"
"""There while the session is stopped, by hand or for good; in it, why, as long as that was not told."""


class WhatsAppSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` with ``provider = "whatsapp"``."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] = "wagate"
    """How the phone shows this device among those that are linked."""
    proxy: str = ""
    """Through which the connection and all files go: ``http://``, ``https://`` or ``socks5://``, with user and password
    if need be; '' for none."""
    typing: bool = True
    """Show "typing…" before a text, for a time in proportion to it: what answers at once is taken for a machine."""
    new_chats: Rate = Rate("6/hour")
    """How many chats it begins with people who never wrote to it, after five at once; further ones wait. ``off``: no
    limit, and WhatsApp bans numbers for that."""
    reject_calls: bool = False
    """Reject calls as they ring."""
    history: Duration = Duration(0)
    """How far back the phone is asked for messages when the number is linked: ``7d``. They go into conversations alone,
    and are delivered to nobody. 0: not at all."""

    def __post_init__(self) -> None:
        if self.history > LONGEST_HISTORY:
            raise ValueError("history: at most 365d")
        if self.proxy and not self.proxy.startswith(PROXIES):
            raise ValueError(f"proxy: begins with one of {', '.join(PROXIES)}")
        if self.proxy:
            try:
                read_proxy(self.proxy)
            except ValueError as error:
                raise ValueError(f"proxy: {error}") from error


SECRETS = frozenset({"proxy"})
CONFIG_ONLY = frozenset({"proxy"})
"""The engine dials it by itself, past the guard."""


def settings_of(account: ProviderAccount) -> WhatsAppSettings:
    """The account's settings."""
    assert isinstance(account.settings, WhatsAppSettings)
    return account.settings


class Number:
    """What outlives a single connection. One for each account, for as long as the gateway runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.us = self._read()
        self._references: References | None = None
        self.connected = False
        self.qr = ""
        """The QR code that waits to be scanned."""
        self.command = ""
        """What somebody asked for, not done yet."""
        self.asked = trio.Event()
        """Set with `command`."""
        self.obeys = False
        """Whether it is being done."""
        self.runs = False
        """Whether its task does."""
        self.begun = False
        """Whether it ever did, in this process: else another gateway may hold the number."""
        self.connections = 0
        """How often it was connected."""
        self.restarts = 0
        """Connections that were made anew because nothing came of them."""
        self.told = ""
        """The last state, for people."""
        self.inlet: Inlet | None = None
        """Where what is heard goes, while its task runs."""
        self.receipt_at: datetime | None = None
        """When WhatsApp last told that a message of ours arrived."""
        self.skew = 0.0
        """Seconds by which our clock is ahead of WhatsApp's at least; negative: behind."""

    @property
    def references(self) -> References:
        """What puts our ids into messages, and finds them again."""
        if self._references is None:
            self._references = References(self.folder)
        return self._references

    @property
    def id(self) -> str:
        """The account's id, which is the session's name."""
        return self.folder.name

    @property
    def linked(self) -> bool:
        """Whether there are keys."""
        return bool(self.us.jid)

    @property
    def phone(self) -> str:
        """Digits; '' before the scan."""
        return chat_key(self.us.jid).partition("@")[0]

    @property
    def halted(self) -> bool:
        """Whether it was stopped, until somebody starts it: that holds over restarts."""
        return (self.folder / HALTED).exists()

    @property
    def untold(self) -> SessionChange | None:
        """Why it was stopped, as long as that was not told; whatever ended the process in between."""
        try:
            return msgspec.json.decode((self.folder / HALTED).read_bytes(), type=SessionChange)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def halt(self, *, on: bool, untold: SessionChange | None = None) -> None:
        """Stop it, for a reason that is still to be told, or let it go on."""
        file = self.folder / HALTED
        if not on:
            file.unlink(missing_ok=True)
            return
        file.touch(mode=0o600)
        with contextlib.suppress(OSError):  # a full disk: it stops, and a kill right now leaves the reason untold
            file.write_bytes(b"" if untold is None else msgspec.json.encode(untold))

    def link(self, us: Us) -> None:
        """Note that the number was linked, on the disk."""
        if us == self.us:
            return
        new = self.folder / f"{LINKED}.new"
        with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(us))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.folder / LINKED)
        self.us = us

    def unlink(self) -> None:
        """Wipe the keys; what came and is not stored yet stays."""
        (self.folder / LINKED).unlink(missing_ok=True)
        for each in self.folder.glob("session.db*"):
            each.unlink(missing_ok=True)
        self.us = Us()

    def wipe(self) -> None:
        """All of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self) -> None:
        """Its task runs here from now on; another gateway may have linked or unlinked the number meanwhile."""
        self.runs = self.begun = True
        self.us = self._read()

    def compare(self, theirs: float, before: float, after: float) -> None:
        """WhatsApp's time of something that happened between two moments of ours, in Unix seconds."""
        self.skew = max(before - theirs, 0.0) + min(after - theirs, 0.0)

    def hear(self, late: float) -> None:
        """Something came so many seconds after WhatsApp's time of it: a clock that is behind shows, one ahead not."""
        if late < 0 or self.skew < 0:
            self.skew = min(late, 0.0)

    def ask(self, command: str) -> None:
        """Have its task do something next."""
        self.command = command
        self.asked.set()

    def take_command(self) -> str:
        """What was asked for, once."""
        command, self.command, self.asked = self.command, "", trio.Event()
        return command

    def _read(self) -> Us:
        try:
            return msgspec.json.decode((self.folder / LINKED).read_bytes(), type=Us)
        except (FileNotFoundError, msgspec.DecodeError):
            return Us()


class Numbers:
    """All of them, by the account's id."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._known: dict[str, Number] = {}

    def of(self, account_id: str) -> Number:
        """The account's, made when it is not there."""
        if account_id not in self._known:
            self._known[account_id] = Number(self._folder() / account_id)
        return self._known[account_id]

    def known(self, account_id: str) -> Number | None:
        """The account's, if its task has run."""
        return self._known.get(account_id)

    def twins(self, number: Number) -> int:
        """How many other accounts are linked to the same number and run here, so that they get what it gets."""
        others = (each for each in self._known.values() if each is not number and each.linked and each.runs)
        same = [each for each in others if each.phone == number.phone] if number.linked else []
        return sum(not each.halted for each in same)

    def forget(self, account_id: str) -> None:
        """It was deleted."""
        self._known.pop(account_id, None)
