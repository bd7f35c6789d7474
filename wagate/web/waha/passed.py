"""What WAHA has: passed on as it came when the provider is WAHA; else asked of a provider that can, or 501."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import msgspec
from quart import Response, request

from wagate.errors import BadRequestError, NotSupportedError, UnprocessableError
from wagate.hooks.messages import OutMessage
from wagate.hooks.passing import PassedOn, PassOn
from wagate.hooks.routes import MOST_VALUES, acts_on, decode, read_query
from wagate.outbound.submitted import in_dialogue
from wagate.parsing.fields import mapping
from wagate.parsing.jsonbody import refuse_deep, refuse_many
from wagate.web.messages.content import check_storable, read_chat
from wagate.web.waha.asked import CLOSE_GROUP, INVITE, MAKE_CHANNEL, PRESS, PREVIEW, VOTE, Asked
from wagate.web.waha.converted import convert_video, convert_voice
from wagate.web.waha.desk import Call, Row, as_json
from wagate.web.waha.menus import ButtonsBody, ListBody, send_buttons, send_list
from wagate.web.waha.sessions import show_qr

NO_SCREEN = "wagate runs no browser: a screenshot shows the QR code to scan, and there is none now"
NO_CHANNELS = "wagate makes and deletes no channels"
NO_SEARCH = "wagate does not search for channels"
NO_READING = "wagate does not read channels that you don't follow"
_FILES: Final = ("file", "picture", "headerImage")
_SHOWN: Final = ("application/json", "image/jpeg", "image/png", "audio/ogg", "video/mp4")
"""Types of answers that are passed on; others become plain bytes, which no browser shows."""
_BASE64: Final = re.compile(r"(?:data:[^,]*+,)?+[\s=]*+[^\s=]")
"""Something in base64: blanks and padding are nothing. Possessive, so that nothing is gone through twice."""


def _passed(
    verb: str,
    why: str = "",
    *,
    status: int = 200,
    act: str = "",
    large: bool = False,
    own: Asked | None = None,
    here: Callable[[Call], Awaitable[Response]] | None = None,
    message: bool = False,
) -> Row:
    """``why`` is said where neither ``own`` nor ``here`` answers; ``message``: it goes to a chat of the body's."""

    async def pass_on(call: Call) -> Response:
        body = await _read_body() if verb.startswith(("POST ", "PUT ")) else None
        query = dict(request.args)
        named = call.parts.get("session") or (body or {}).get("session") or query.get("session")
        account = call.desk.account(named if isinstance(named, str) else None)
        answers = call.desk.answers(account)
        if PassOn not in answers:
            if here is not None:
                return await here(replace(call, found=account))
            if own is None or own.ask not in answers:
                raise NotSupportedError(why)
            answer = await _own(own, replace(call, found=account))
            acts_on(account.name, owner=account.client_id)
            return as_json(answer, status)
        _refuse_links(body)
        _refuse_empty(body)
        if message:
            _refuse_stories(body or {})
        ask = PassOn(
            method=verb.partition(" ")[0],
            path=_path_of(verb, call.parts),
            query=query,
            body=body,
            names_session=body is not None and "{session}" not in verb,
        )
        answered: PassedOn = await call.desk.ask(account, ask)
        if act:
            told = " ".join(value for name, value in call.parts.items() if name != "session")
            acts_on(account.name, owner=account.client_id, detail=told)
        return _shown(answered, status)

    return Row(
        verb=verb,
        doc="Forwarded to WAHA.",
        handle=pass_on,
        status=status,
        act=act,
        large=large,
        sessionless=True,
    )


async def _own(asked: Asked, call: Call) -> Any:
    """What the provider answers to an ask of wagate's own. UnprocessableError: the body or the query is wrong."""
    query = None if asked.query is None else read_query(asked.query)
    body = None if asked.body is None else await _decoded(asked.body)
    return await asked.handle(replace(call, body=body, query=query))


async def _decoded(kind: type[msgspec.Struct]) -> Any:
    """The body. UnprocessableError: it is wrong."""
    data = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    body = decode(kind, data)
    check_storable(msgspec.to_builtins(body), "")
    return body


async def _screenshot(call: Call) -> Response:
    """The QR code, as with WAHA's engines without a browser. NotSupportedError, UnprocessableError, BadGatewayError."""
    desk, account = call.desk, call.account
    provider = desk.providers.get(account.provider)
    if provider is None or not provider.sessions:
        raise NotSupportedError("wagate runs no browser to take a screenshot of")
    shown = await show_qr(desk.states, account.name, account.client_id, none=NO_SCREEN)
    return shown if isinstance(shown, Response) else as_json(shown)


async def _buttons(call: Call) -> Response:
    return as_json(await send_buttons(call, await _decoded(ButtonsBody)), 201)


async def _list(call: Call) -> Response:
    return as_json(await send_list(call, await _decoded(ListBody)), 201)


async def _read_body() -> dict[str, Any] | None:
    """The JSON object without fields that are null; None without a body. BadRequestError, UnprocessableError.

    WAHA's n8n node sends null for what nobody filled in; WAHA's document knows no null there.
    """
    data = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    if not data:
        return None
    refuse_many(data, MOST_VALUES)
    refuse_deep(data)
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}", field="") from error
    if not isinstance(found, dict):
        raise UnprocessableError("the body must be a JSON object", field="")
    return {name: value for name, value in found.items() if value is not None}


def _refuse_links(body: dict[str, Any] | None) -> None:
    """WAHA would fetch a link itself, from the operator's network, where it reaches what the caller can't."""
    if (body or {}).get("url"):
        raise UnprocessableError("wagate does not forward links to WAHA: send the file as data", field="url")
    for name in _FILES:
        if mapping((body or {}).get(name)).get("url"):
            raise UnprocessableError(
                "wagate does not forward links to WAHA: send the file as data", field=f"{name}.url"
            )


def _refuse_empty(body: dict[str, Any] | None) -> None:
    """A file without a byte: no provider of ours sends one."""
    given = body or {}
    files = {"data": given.get("data"), **{f"{name}.data": mapping(given.get(name)).get("data") for name in _FILES}}
    for field, data in files.items():
        if isinstance(data, str) and _BASE64.match(data) is None:
            raise UnprocessableError("the file is empty", field=field)


def _refuse_stories(body: dict[str, Any]) -> None:
    """As of all messages: nothing goes to stories, lists and channels, where nobody can be answered."""
    chat = body.get("chatId")
    if isinstance(chat, str):
        in_dialogue(OutMessage(chat=read_chat(chat, "chatId"), type="interactive"), field="chatId")


def _path_of(verb: str, parts: dict[str, str]) -> str:
    path = f"/api{verb.partition(' ')[2]}"
    for name, value in parts.items():
        if name == "session":
            continue
        if value in {".", ".."}:
            raise UnprocessableError("this is not an id", field=name)
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def _shown(answered: PassedOn, status: int) -> Response:
    kind = answered.content_type
    known = kind.partition(";")[0].strip().lower() in _SHOWN
    return Response(answered.body, status=status, content_type=kind if known else "application/octet-stream")


_CHANNEL, _SEARCH = "{session}/channels/{id}", "{session}/channels/search"
PASSED = (
    _passed("GET /screenshot", here=_screenshot),
    _passed("POST /sendPollVote", "wagate can't vote in other people's polls", status=201, own=VOTE),
    _passed(
        "POST /send/buttons/reply",
        "wagate can't press buttons in other people's messages: send a text, with reply_to",
        status=201,
        own=PRESS,
    ),
    _passed("POST /sendButtons", status=201, large=True, here=_buttons, message=True),
    _passed("POST /sendList", status=201, here=_list, message=True),
    _passed("POST /{session}/events", "wagate sends no calendar events", status=201, act="send event", own=INVITE),
    _passed("POST /{session}/channels", NO_CHANNELS, status=201, act="create channel", large=True, own=MAKE_CHANNEL),
    _passed(f"DELETE /{_CHANNEL}", NO_CHANNELS, act="delete channel"),
    _passed(f"GET /{_CHANNEL}/messages/preview", NO_READING, own=PREVIEW),
    _passed(f"POST /{_SEARCH}/by-view", NO_SEARCH),
    _passed(f"POST /{_SEARCH}/by-text", NO_SEARCH),
    _passed(f"GET /{_SEARCH}/views", NO_SEARCH),
    _passed(f"GET /{_SEARCH}/countries", NO_SEARCH),
    _passed(f"GET /{_SEARCH}/categories", NO_SEARCH),
    _passed(
        "DELETE /{session}/groups/{id}",
        "WhatsApp deletes no groups: remove everybody, then leave",
        act="delete group",
        own=CLOSE_GROUP,
    ),
    _passed("POST /{session}/media/convert/voice", large=True, here=convert_voice),
    _passed("POST /{session}/media/convert/video", large=True, here=convert_video),
)
