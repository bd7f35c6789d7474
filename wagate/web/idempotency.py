"""Idempotency-Key: the same POST again gets the same answer, whatever became of the connection."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable

import structlog
import trio
from quart import Response, request
from quart.wrappers.response import DataBody

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import BadRequestError, ConflictError, UnavailableError, WagateError
from wagate.parsing.fields import fingerprint
from wagate.storage.database import Database
from wagate.storage.idempotency import InFlight, Mismatch, Replay, begin, finish, forget

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~](?:[ -~]{0,253}[!-~])?$"
"""1 to 255 printable ASCII characters, no spaces at the ends."""
LONGEST = 55.0
"""Seconds that a request with a key may run after its client has gone; shorter than a key stays in flight."""

log = structlog.get_logger("wagate.api")
View = Callable[[], Awaitable[Response]]


async def submission_key() -> str:
    """What stands for the running request for ever, beside its client: '' without an Idempotency-Key.

    It holds the path and the body too: after a refusal, or a day, a key may come again with another body.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        return ""
    body: bytes = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    return fingerprint(key, request.path, hashlib.sha256(body).hexdigest())


class Once:
    """Keeps answers of 2xx for 24 h, encrypted, since they may hold secrets that are shown once."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def run(self, view: View, *, who: str) -> Response:
        """The answer of ``view``, or the one it gave before to the same key and body of the same caller.

        Raises:
            BadRequestError: the key is empty, too long or not printable.
            ConflictError: it was used with another body, or its twin is being worked on.
        """
        key = request.headers.get(HEADER, "")
        if not re.fullmatch(PATTERN, key):
            raise BadRequestError("a key has 1 to 255 printable ASCII characters", field=HEADER)
        body = await request.get_data(cache=True, as_text=False, parse_form_data=False)
        digest = hashlib.sha256(request.query_string + b"\0" + body).hexdigest()
        # The client may go away and ask again: what has begun is finished, so that its answer can be given then.
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LONGEST):
            return await self._run(view, f"{who} {request.method} {request.path}", key, digest)
        raise UnavailableError("this took too long; ask again with the same key", retry_after=5)

    async def _run(self, view: View, client: str, key: str, digest: str) -> Response:
        begun = await self._database.write(begin, client=client, key=key, body_hash=digest, now=self._clock.now())
        match begun:
            case Replay():
                return self._replayed(begun)
            case Mismatch():
                raise ConflictError("this key was used with another body; take a new key", field=HEADER)
            case InFlight():
                error = ConflictError("the first request with this key is being worked on; ask again", field=HEADER)
                error.retry_after = 1
                raise error
        try:
            response = await view()
        except BaseException:
            await self._forget(client, key)
            raise
        if 200 <= response.status_code < 300 and isinstance(response.response, DataBody):
            await self._keep(client, key, response)
        else:
            await self._forget(client, key)
        return response

    def _replayed(self, kept: Replay) -> Response:
        body = self._vault.decrypt(kept.body.decode("ascii")).encode("latin-1")
        headers = {"Idempotent-Replayed": "true"}
        return Response(body, status=kept.status, headers=headers, content_type=kept.content_type)

    async def _keep(self, client: str, key: str, response: Response) -> None:
        body = await response.get_data(as_text=False)
        sealed = self._vault.encrypt(body.decode("latin-1")).encode("ascii")
        kind, status = response.content_type or "", response.status_code
        try:
            await self._database.write(finish, client=client, key=key, status=status, content_type=kind, body=sealed)
        except WagateError as error:
            # The work is done and committed; its caller must hear so.
            log.warning("answer not kept for its idempotency key", error=str(error))

    async def _forget(self, client: str, key: str) -> None:
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await self._database.write(forget, client=client, key=key)
        except WagateError as error:
            log.warning("idempotency key not let go; it is free in a minute", error=str(error))
