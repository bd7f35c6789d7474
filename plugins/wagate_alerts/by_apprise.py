"""Ask the child process that has Apprise in it: it can be ended when it takes too long, and takes its memory along."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import trio

SECONDS: Final = 30.0
"""For one message."""
_CHILD: Final = Path(__file__).with_name("child.py")
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_HIDDEN: Final = "•••"
_SHORTEST: Final = 4


class NotTakenError(Exception):
    """Nobody was told; the text says why, without a secret."""


async def send(url: str, title: str, body: str, *, proxy: str = "", seconds: float = SECONDS) -> None:
    """One message. NotTakenError."""
    found = await _ask({"url": url, "title": title, "body": body}, proxy=proxy, seconds=seconds, hide=[url])
    if found.get("error"):
        raise NotTakenError(hidden(str(found["error"]), [url]))


async def check(urls: Mapping[str, str], *, seconds: float = SECONDS) -> dict[str, str]:
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
