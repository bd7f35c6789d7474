"""Ask the gateway that is moved from: one request after the other, with errors that say what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import msgspec

from wagate.cli.errors import CommandError
from wagate.cli.imports.plan import bare

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
TIMEOUT: Final = 30.0
"""Seconds for one answer."""
MOST: Final = 16 * 1024 * 1024
"""Bytes of an answer."""


class Site:
    """A gateway of another kind."""

    def __init__(self, client: httpx2.Client, kind: str, where: str) -> None:
        """``kind``: whose API it is, for people."""
        self._client = client
        self.kind = kind
        self.where = where

    def get(self, path: str, wanted: type[T], params: Mapping[str, str] | None = None) -> T:
        """The answer. CommandError: there is none, it is a refusal, or something else than ``wanted``."""
        answer = self._asked(path, params)
        if not answer.is_success:
            raise CommandError(self._refusal(path, answer.status_code))
        return self._read(path, answer.content, wanted)

    def find(self, path: str, wanted: type[T], params: Mapping[str, str] | None = None) -> T | None:
        """As `get`; None when this is turned off there, or not known (400, 404)."""
        answer = self._asked(path, params)
        if answer.status_code in {400, 404} or (answer.is_success and not answer.content):
            return None
        if not answer.is_success:
            raise CommandError(self._refusal(path, answer.status_code))
        return self._read(path, answer.content, wanted)

    def _asked(self, path: str, params: Mapping[str, str] | None) -> httpx2.Response:
        import httpx2

        try:
            with self._client.stream("GET", path, params=params) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > MOST:
                        raise CommandError(f"{self.where}{path} answers with more than {MOST >> 20} MiB")
                return httpx2.Response(answer.status_code, content=body)
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise CommandError(f"{self.kind} can't be reached at {self.where}: {reason}; correct --url") from error

    def _refusal(self, path: str, status: int) -> str:
        if status in {401, 403}:
            return f"{self.kind} refuses the key ({status} from {path}): give its plain key with --api-key env:NAME"
        if 300 <= status < 400:
            return f"{self.where}{path} answers with a redirect ({status}): give the address that it leads to as --url"
        cure = "is --url the address of its API?" if status == 404 else "try again, or check its log"
        return f"{self.where}{path} answers {status}: {cure}"

    def _read(self, path: str, body: bytes, wanted: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=wanted)
        except msgspec.ValidationError as error:
            raise CommandError(f"{self.where}{path} is not what {self.kind} answers: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CommandError(
                f"{self.where}{path} does not answer with JSON: is --url the address of {self.kind}?"
            ) from error


@contextmanager
def open_site(kind: str, url: str, headers: Mapping[str, str]) -> Iterator[Site]:
    """The gateway at ``url``. CommandError: that is no URL, or the key can't be sent."""
    import httpx2

    from wagate.http import BadUrlError, check_url

    try:
        check_url(url, allow_http=True)
    except BadUrlError as error:
        raise CommandError(f"--url: {error}") from error
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise CommandError("--api-key: a key has printable ASCII characters only; is a line break in it?")
    transport = httpx2.HTTPTransport(trust_env=False)
    with httpx2.Client(
        base_url=url.rstrip("/"), headers=dict(headers), timeout=TIMEOUT, transport=transport, trust_env=False
    ) as client:
        yield Site(client, kind, bare(url).rstrip("/"))


def segment(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def secret(given: str, option: str) -> str:
    """A secret as it was given; ``env:NAME`` comes from the environment. CommandError: it is not set."""
    if not given.startswith("env:"):
        return given
    name = given.removeprefix("env:")
    if not os.environ.get(name):
        raise CommandError(f"{option} {given}: the environment variable {name} is not set; export it first")
    return os.environ[name]
