"""What an agent asks of wagate in words: ``restart shop``, ``wa/queue pause``, ``messages pull --since 7d``. Pure."""

from __future__ import annotations

import re
import shlex
from typing import Final, Literal, get_args

import msgspec

STATUS_SOURCE: Final = "whatsapp.integration"
"""source_id of the contact through which agents talk to wagate itself."""
PREFIX: Final = "wa/"
"""Begins a command that stands in any other conversation."""
USUAL_SINCE: Final = "7d"
"""How far back messages are pulled when nobody says."""

Name = Literal[
    "help",
    "status",
    "qr",
    "start",
    "stop",
    "restart",
    "logout",
    "queue status",
    "queue pause",
    "queue resume",
    "contacts pull",
    "messages pull",
]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
"""In the order of the help."""
OF_ACCOUNTS: Final = frozenset({"status", "qr", "start", "stop", "restart", "logout"})
"""May be followed by an account's name."""

_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SINCE: Final = re.compile(r"([0-9]{1,5})([mhdw])")
_LONGEST: Final = 3650 * _SECONDS["d"]
_DASHES: Final = re.compile(r"^[‐-―−-]+")


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A command."""

    name: Name
    account: str = ""
    """'' when none was named."""
    since: float = 0.0
    """Seconds back; only of ``messages pull``."""
    since_text: str = ""
    """The same as it was written: ``7d``."""


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """No command."""

    word: str
    """What is not understood."""
    near: Name | None = None
    """The command that was begun; None: there is none that begins so."""


def is_command(source: str, text: str, *, anywhere: bool) -> bool:
    """Whether a message of an agent is for wagate.

    ``source`` is the source_id of the conversation's contact; ``anywhere``: `PREFIX` is heeded in every conversation.
    """
    return source == STATUS_SOURCE or (anywhere and text.lstrip()[: len(PREFIX)].lower() == PREFIX)


def parse(text: str) -> Ask | Unread:
    """Read one command, with or without `PREFIX`; upper and lower case are one. Never raises."""
    text = text.strip()
    words = _words(text[len(PREFIX) :] if text[: len(PREFIX)].lower() == PREFIX else text)
    if not words:
        return Ask(name="help")
    for length in (2, 1):
        named = " ".join(words[:length]).lower()
        name = next((each for each in NAMES if each == named), None)
        if name is not None and len(words) >= length:
            return _rest(name, words[length:])
    first = words[0].lower()
    return Unread(word=words[0], near=next((each for each in NAMES if each.split()[0] == first), None))


def usage(name: Name) -> str:
    """How it is written."""
    if name == "messages pull":
        return f"{name} [--since {USUAL_SINCE}]"
    return f"{name} [account]" if name in OF_ACCOUNTS else name


def _rest(name: Name, words: list[str]) -> Ask | Unread:
    if name == "messages pull":
        return _since(name, words)
    if not words:
        return Ask(name=name)
    if name in OF_ACCOUNTS and len(words) == 1:
        return Ask(name=name, account=words[0])
    return Unread(word=words[-1], near=name)


def _since(name: Name, words: list[str]) -> Ask | Unread:
    """``--since 7d``, ``--since=7d``, ``since 7d`` or ``7d``; keyboards make one long dash of two short ones."""
    joined = " ".join(_DASHES.sub("", each) for each in words).replace("=", " ").split()
    given = joined[1:] if joined[:1] == ["since"] else joined
    if words and (len(given) != 1 or len(joined) > 2):
        return Unread(word=words[-1], near=name)
    text = given[0].lower() if given else USUAL_SINCE
    found = _SINCE.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST:
        return Unread(word=text, near=name)
    return Ask(name=name, since=seconds, since_text=text)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark that stands alone
        return text.split()
