"""Idempotency-Key in front of a door that takes tokens: the same POST again gets the same answer."""

from __future__ import annotations

from functools import partial

from wagate.web.access.auth import Authenticator, token_of
from wagate.web.access.idempotency import HEADER, REPLAYED, Form, Kept, Once
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer, Door


class OnceDoor:
    """Asks the door behind it once for each key of a caller; without a key, each time."""

    def __init__(self, door: Door, auth: Authenticator, once: Once) -> None:
        self._door = door
        self._auth = auth
        self._once = once

    def admit(self, request: Request) -> bool:
        """As the door."""
        return self._door.admit(request)

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """As the door, or as it answered before. Raises as `Once.run`."""
        headers = request.headers
        key = headers.get(HEADER.lower())
        if key is None:
            return await self._door(request, body)
        token = token_of(headers.get("authorization"), headers.get("x-api-key"))
        who = self._auth.identify(token, address=request.address)
        place = f"{'admin' if who.admin else who.client_id} {request.method} {request.path}"
        return await self._once.answer(partial(self._door, request, body), ANSWERS, key=key, place=place, asked=body)


async def _kept(answer: Answer) -> Kept:
    return Kept(answer.status, answer.content_type, answer.body)


def _again(kept: Kept) -> Answer:
    return Answer(kept.status, kept.body, kept.content_type, note="given again", headers=dict([REPLAYED]))


ANSWERS: Form[Answer] = Form(_kept, _again)
