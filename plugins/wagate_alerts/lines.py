"""The ways to people: each channel is one line, on WhatsApp one for each number.

Apprise is asked in a child process: it can be ended when it takes too long, and takes its memory along.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import trio

from wagate.errors import RequestError, StorageError
from wagate.hooks import OutMessage, PluginContext
from wagate.parsing.chats import chat_key
from wagate_alerts.settings import Channel, Settings

PATIENCE: Final = 20.0
"""Seconds that WhatsApp may take before a message counts as waiting."""
SECONDS: Final = 30.0
"""For one message."""
_CHILD: Final = Path(__file__).with_name("child.py")
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_HIDDEN: Final = "•••"
_SHORTEST: Final = 4


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    title: str
    text: str
    key: str
    """The same for the same message, so that a way that knows keys sends it once."""


Send = Callable[[Alert], Awaitable[str]]
"""'' when it left; else what is not quite right, though it must not be sent again. NotTakenError."""


@dataclass(kw_only=True)
class Ways:
    """What counts now; `wagate reload` puts new ones in their place."""

    settings: Settings
    lines: Mapping[str, Send]


def make_lines(context: PluginContext, settings: Settings) -> Mapping[str, Send]:
    """By name: that of the channel, on WhatsApp with the number's place: ``phone`` or ``phone 2``."""
    lines: dict[str, Send] = {}
    for name, channel in settings.channels.items():
        if channel.apprise:
            lines[name] = partial(_by_apprise, channel, settings.proxy)
        for place, to in enumerate(channel.to, 1):
            lines[name if len(channel.to) == 1 else f"{name} {place}"] = partial(_by_whatsapp, context, channel, to)
    return lines


async def _by_apprise(channel: Channel, proxy: str, alert: Alert) -> str:
    await send_by_apprise(channel.apprise, alert.title, alert.text, proxy=proxy)
    return ""


async def _by_whatsapp(context: PluginContext, channel: Channel, to: str, alert: Alert) -> str:
    account = context.accounts.get(channel.account)
    if account is None:
        raise NotTakenError(f"there is no account {channel.account!r}")
    message = OutMessage(chat=chat_key(to), type="text", text=f"*{alert.title}*\n\n{alert.text}", preview_url=False)
    try:
        made = await context.messages.send(message, client_id=account.client_id, account=account.name, key=alert.key)
        made = await context.messages.wait(made.id, client_id=account.client_id, seconds=PATIENCE)
    except (RequestError, StorageError) as error:
        raise NotTakenError(str(error)) from error
    if made.status == "failed":
        raise NotTakenError(f"{channel.account} could not send it: {made.error or 'no reason was given'}")
    if made.status in {"queued", "sending"}:
        return f"it waits to leave through {channel.account}" + (f": {made.error}" if made.error else "")
    return ""


class NotTakenError(Exception):
    """Nobody was told; the text says why, without a secret."""


async def send_by_apprise(url: str, title: str, body: str, *, proxy: str = "", seconds: float = SECONDS) -> None:
    """One message. NotTakenError."""
    found = await _ask({"url": url, "title": title, "body": body}, proxy=proxy, seconds=seconds, hide=[url])
    if found.get("error"):
        raise NotTakenError(hidden(str(found["error"]), [url]))


async def check_urls(urls: Mapping[str, str], *, seconds: float = SECONDS) -> dict[str, str]:
    """Name → why its URL is no use; those that are understood are left out. NotTakenError: it can't be known."""
    found = await _ask({"check": dict(urls)}, proxy="", seconds=seconds, hide=list(urls.values()))
    return {name: hidden(str(why), [urls[name]]) for name, why in found.items() if why and name in urls}


async def _ask(task: Mapping[str, Any], *, proxy: str, seconds: float, hide: Iterable[str]) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # The library reads another variable than Python and wagate do.
    if ca_file := environment.get("SSL_CERT_FILE"):
        environment["REQUESTS_CA_BUNDLE"] = ca_file
    if proxy:
        environment |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    command = [sys.executable, "-I", str(_CHILD)]
    with trio.move_on_after(seconds):
        try:
            ended = await trio.run_process(
                command,
                stdin=msgspec.json.encode(task),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=environment,
            )
        except OSError as error:
            raise NotTakenError(f"Apprise could not be started: {error.strerror}") from error
        return _answer(ended, hide)
    raise NotTakenError(f"no answer within {seconds:g} s")


def _answer(ended: subprocess.CompletedProcess[bytes], hide: Iterable[str]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(ended.stdout, type=dict[str, Any])
    except msgspec.DecodeError as error:
        last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise NotTakenError(hidden(f"Apprise failed: {last[0][:300]}", hide)) from error


def hidden(text: str, urls: Iterable[str]) -> str:
    """The text without these URLs and anything that stands in them: which part is secret depends on the service."""
    for url in urls:
        parts = {url, unquote(url)}
        split = urlsplit(url)
        for each in (split.netloc, split.path, *(value for _, value in parse_qsl(split.query))):
            parts |= {each, *re.split(r"[/@:,]", each)}
        parts |= {unquote(each) for each in parts}
        for each in sorted(parts, key=len, reverse=True):
            if len(each) >= _SHORTEST:
                text = text.replace(each, _HIDDEN)
    return text
