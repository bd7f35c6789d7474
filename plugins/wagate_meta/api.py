"""Where one account's API is, and as whom it is asked. 360dialog's differs in nothing but this."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import trio

from wagate.hooks import MediaRequest, ProviderAccount
from wagate.http import HttpClient, Response, Trust
from wagate_meta.errors import MOST_KEPT, Failure, failure

PATIENCE: Final = 30.0
"""Seconds for one answer."""
LEFT_TO_TELL: Final = 1.0
"""Seconds between the end of our patience and that of the caller, who would not know whether the request had left."""
_TOKEN: Final = re.compile(r"EAA[A-Za-z0-9]{8,}")
"""How every token of the Graph API begins."""
_META_HOSTS: Final = (".facebook.com", ".fbsbx.com", ".fbcdn.net", ".whatsapp.net", ".whatsapp.com")
"""What a file's address may end in to get the token."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """The API of one account."""

    base: str
    """URL without a slash at the end; paths of objects begin here."""
    number: str
    """``/<phone number id>`` between the base and ``/messages``; '' where the key names the number."""
    headers: Mapping[str, str]
    """What authenticates."""
    secret: str
    """What must not show up in a record: the token."""
    trust: Trust
    media_query: Mapping[str, str] = field(default_factory=dict)
    """Parameters of ``GET /<media id>``."""
    media_lookups: int = 2
    """How often a file is asked for that is said not to be there."""
    files_here: bool = False
    """Files are fetched from ``base``'s host, whatever host their address names."""
    failure: Failure = failure
    """What an answer that is not 2xx means."""

    @property
    def messages(self) -> str:
        """Where messages are posted."""
        return f"{self.base}{self.number}/messages"

    @property
    def uploads(self) -> str:
        """Where files are posted."""
        return f"{self.base}{self.number}/media"

    def object(self, name: str, query: Mapping[str, str] | None = None) -> str:
        """The URL of an object by its id."""
        return f"{self.base}/{quote(name, safe='')}" + (f"?{urlencode(query)}" if query else "")

    def file(self, url: str, *, mimetype: str = "", size: int | None = None) -> MediaRequest:
        """How a file is fetched from the address that the API or a webhook gave.

        The token goes to the API's own host and to Meta's; an address elsewhere gets none.
        """
        own = urlsplit(self.base)
        if self.files_here:
            url = urlsplit(url)._replace(scheme=own.scheme, netloc=own.netloc).geturl()
        parts = urlsplit(url)
        here = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        known = here or (parts.scheme == "https" and f".{parts.hostname or ''}".endswith(_META_HOSTS))
        return MediaRequest(
            url=url,
            headers=dict(self.headers) if known else {},
            trust=self.trust if here else "public",
            mimetype=mimetype,
            size=size,
        )

    def kept(self, body: bytes) -> str:
        """The first part of an answer for a record, without the token."""
        text = body.decode("utf-8", "replace")
        if self.secret:
            text = text.replace(self.secret, "***")
        return _TOKEN.sub("***", text)[:MOST_KEPT]

    async def ask(self, http: HttpClient, method: str, url: str, content: bytes = b"") -> Response:
        """One request, within the time that the caller has; any answer is returned.

        Raises:
            HttpError: there was none.
        """
        kind = {"Content-Type": "application/json"} if content else {}
        left = trio.current_effective_deadline() - trio.current_time() - LEFT_TO_TELL
        patience = max(0.0, min(PATIENCE, left))
        return await http.request(
            method, url, headers={**self.headers, **kind}, content=content, timeout=patience, trust=self.trust
        )

    async def need(self, http: HttpClient, method: str, url: str, content: bytes = b"") -> Response:
        """One request that succeeds, or what its failure means.

        Raises:
            SendError, HttpError: it did not.
        """
        answer = await self.ask(http, method, url, content)
        if not 200 <= answer.status < 300:
            raise self.failure(answer, self.kept(answer.body))
        return answer


ApiOf = Callable[[ProviderAccount], Api]


def meta_api(account: ProviderAccount) -> Api:
    """Meta's Graph API for an account with `wagate_meta.settings.MetaSettings`."""
    settings = account.settings
    return Api(
        base=f"{settings.base_url.rstrip('/')}/{settings.api_version}",
        number=f"/{settings.phone_number_id}",
        headers={"Authorization": f"Bearer {settings.access_token}"},
        secret=settings.access_token,
        trust=account.trust,
        media_query={"phone_number_id": settings.phone_number_id},
    )
