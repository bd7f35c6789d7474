"""One request to WAHA for an ask: its deadline, and what its refusals say when nothing is sent by it."""

from __future__ import annotations

from typing import Any, Final

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.hooks import ProviderAccount
from wagate.http import HttpClient, Response
from wagate.parsing.fields import first_text, mapping
from wagate_waha.client import WahaClient, document_of, in_path
from wagate_waha.settings import settings_of

SECONDS: Final = 25.0
"""Less than the 30 that the core gives."""
LARGEST: Final = 16 * 2**20
"""Bytes of an answer: a thousand groups with their members."""


class Asking:
    """One account's WAHA, for one ask."""

    def __init__(self, http: HttpClient, account: ProviderAccount) -> None:
        self._client = WahaClient(http, account)
        self.account = account

    @property
    def session(self) -> str:
        """WAHA's name of it."""
        return settings_of(self.account).session

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | bytes | None = None,
    ) -> Response:
        """Make a request; ``{session}`` in the path is the account's.

        Raises:
            HttpError, SendError: as `WahaClient.call`, but 404 and 422 refuse the ask, and only that.
        """
        path = path.replace("{session}", in_path(self.session))
        try:
            return await self._client.call(method, path, query=query, body=body, seconds=SECONDS, limit=LARGEST)
        except AccountStoppedError as error:
            if error.http_status != 404:
                raise
            raise _refused(error) from error
        except NotSentError as error:
            if error.http_status != 422:
                raise
            raise _refused(error) from error

    async def read(self, path: str, *, query: dict[str, str] | None = None) -> Any:
        """GET JSON. OutcomeUnknownError: the answer is none, or over `LARGEST` bytes."""
        return _document(await self.ask("GET", path, query=query))

    async def post(self, path: str, body: dict[str, Any] | bytes | None = None) -> Any:
        """POST; the answer's JSON, None without any."""
        return document_of(await self.ask("POST", path, body=body))

    async def put(self, path: str, body: dict[str, Any] | bytes) -> Any:
        """PUT; the answer's JSON, None without any. SendRefusedError: it says that it did nothing."""
        return done(document_of(await self.ask("PUT", path, body=body)))


def done(answer: Any) -> Any:
    """The answer; SendRefusedError when it says no: ``false``, or ``{"success": false}``."""
    if answer is False or mapping(answer).get("success") is False or mapping(answer).get("result") is False:
        said = first_text(mapping(answer), "message", "error")[:300]
        raise SendRefusedError(f"WAHA says that WhatsApp refused it{f': {said}' if said else ''}")
    return answer


def _document(answer: Response) -> Any:
    found = document_of(answer)
    if found is None and answer.body.strip() not in {b"", b"null"}:
        raise OutcomeUnknownError(f"WAHA's answer is not JSON, or over {LARGEST // 2**20} MiB")
    return found


def _refused(error: AccountStoppedError | NotSentError) -> SendRefusedError:
    """The same words, without what an account must mend."""
    reason = error.reason.partition("; compare ")[0]
    return SendRefusedError(reason, code=error.code, http_status=error.http_status, response=error.response)
