"""Routes with typed bodies, queries and answers: the same types check requests and make the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

import msgspec
from quart import Response, g, request

from wagate.errors import BadRequestError, FieldError, UnprocessableError
from wagate.parsing.jsonbody import refuse_deep, refuse_many
from wagate.running import RUNNING

M = TypeVar("M", bound=msgspec.Struct)
View = Callable[..., Awaitable[Any]]
Answered: TypeAlias = type[msgspec.Struct] | type[list[Any]] | None

CONTRACT = "wagate_contract"
"""Attribute of a view that holds its `Contract`, for the OpenAPI generator."""

MOST_VALUES = 50_000
"""Of a body; what people send has some hundreds."""

_AT = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
_FIELD = re.compile(r"(?:missing required|unknown) field `(?P<field>[^`]+)`")


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """Types of a route's request and answers."""

    answers: dict[int, Answered]
    """Status → the answer's type, or ``list`` of it; None: no body, or one that is not JSON."""
    problems: frozenset[int]
    """Statuses of problem documents, beside those that every route may answer."""
    body: type[msgspec.Struct] | None = None
    """The JSON body's type."""
    query: type[msgspec.Struct] | None = None
    """The query's type; all its fields have defaults."""
    body_optional: bool = False
    """No body is the same as ``{}``."""
    public: bool = False
    """No token is needed."""
    media_type: str = "application/json"
    """Of the answer."""
    takes_file: bool = False
    """The body is a file: a form with a field ``file``, or any other type."""
    or_json: type[msgspec.Struct] | None = None
    """What a 200 is as JSON, when Accept asks for that in place of ``media_type``."""
    listed: bool = True
    """Whether it stands in the OpenAPI document; another's API that is answered here has a document of its own."""
    large: bool = False
    """The body may be as long as ``server.max_body`` allows; others end at ``limits.body``."""
    act: str = ""
    """What the audit calls it when it is done; '' for what is none: looking, sending, a worker's jobs."""


def finish() -> None:
    """From here on the running request goes on when its client goes away; a stop of the gateway still ends it.

    What it stored is then taken up in memory, and written down as done. A route with ``act=`` does it by itself. To be
    called when the body has come.
    """
    asked = RUNNING.get()
    while asked is not None:
        asked.finishes, asked = True, asked.within


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An act, for the audit."""

    act: str
    thing: str = ""
    """The id or name of what it was done to; '': as the path says."""
    owner: int | None = None
    """Whose thing that is; None: the token's."""
    detail: str = ""
    """In words: a count, a name. Never a secret."""


def acts_on(thing: str, *, owner: int | None = None, detail: str = "", act: str = "") -> None:
    """Say what the running request's act is done to; ``act`` in place of the route's own word.

    A view of a route with ``act=`` calls it when the path alone does not tell, or when the thing is not of the token's
    own client.
    """
    g.done = Done(act=act, thing=thing, owner=owner, detail=detail)


def done_by_request() -> Done | None:
    """The act of the running request, once its view has returned."""
    done: Done | None = g.get("done")
    return done if done is not None and done.act else None


def endpoint(
    *,
    answers: Mapping[int, Answered],
    problems: tuple[int, ...] = (),
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] | None = None,
    body_optional: bool = False,
    public: bool = False,
    media_type: str = "application/json",
    or_json: type[msgspec.Struct] | None = None,
    large: bool = False,
    listed: bool = True,
    act: str = "",
) -> Callable[[View], View]:
    """Check a view's body and query, pass them as ``body=`` and ``query=``, encode what it returns.

    The view returns a Struct or a list of them, or ``(struct, status)``, or ``(struct, status, headers)``, or a Quart
    response; None in place of the struct is an answer without a body. It raises `wagate.errors.RequestError` for
    everything that can't be done; the core turns that into a problem document.
    ``large`` is for bodies that hold files. ``act`` is the audit's word for it; see `acts_on`.
    400 when the body is not JSON, 422 when a field is missing, unknown or wrong.
    """
    contract = Contract(
        answers=dict(answers),
        problems=frozenset(problems),
        body=body,
        query=query,
        body_optional=body_optional,
        public=public,
        media_type=media_type,
        or_json=or_json,
        large=large,
        listed=listed,
        act=act,
    )

    def decorate(view: View) -> View:
        @wraps(view)
        async def checked(**arguments: Any) -> Any:
            if query is not None:
                arguments["query"] = read_query(query)
            if body is not None:
                data = await request.get_data(cache=True, as_text=False, parse_form_data=False)
                arguments["body"] = decode(body, data, optional=body_optional)
            if act:
                await request.get_data(cache=True, as_text=False, parse_form_data=False)
                finish()  # All is here that is to come from the client.
            answer = _answer(await view(**arguments))
            if act:
                done = g.get("done") or Done(act=act)
                g.done = msgspec.structs.replace(done, act=done.act or act)
            return answer

        setattr(checked, CONTRACT, contract)
        return checked

    return decorate


def decode(model: type[M], data: bytes, *, optional: bool = False) -> M:
    """JSON bytes as the type. BadRequestError when they are not JSON, UnprocessableError naming the wrong field.

    What has more than `MOST_VALUES`, or is nested too deep, is refused before anything walks it.
    """
    data = data if data or not optional else b"{}"
    refuse_many(data, MOST_VALUES)
    refuse_deep(data)
    try:
        try:
            return msgspec.json.decode(data, type=model)
        except msgspec.ValidationError:
            # For JSON 1.0 is an integer; msgspec takes it for one only here.
            return msgspec.convert(msgspec.json.Decoder(float_hook=_number).decode(data), model)
    except msgspec.ValidationError as error:
        raise _unprocessable(str(error), prefix="") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}", field="") from error


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def read_query(model: type[M]) -> M:
    """The running request's query as the type; UnprocessableError naming the wrong parameter."""
    try:
        return msgspec.convert(dict(request.args), model, strict=False)
    except msgspec.ValidationError as error:
        raise _unprocessable(str(error), prefix="?") from error


def _unprocessable(message: str, *, prefix: str) -> UnprocessableError:
    at = _AT.search(message)
    path = at["path"] if at else ""
    detail = message[: at.start()] if at else message
    named = _FIELD.search(detail)
    if named:
        path = f"{path}.{named['field']}" if path else named["field"]
    return UnprocessableError(detail, errors=(FieldError(field=f"{prefix}{path}", detail=detail),))


def _answer(given: Any) -> Any:
    status, headers = HTTPStatus.OK.value, {}
    if isinstance(given, tuple):
        given, status, headers = (*given, {})[:3]
    if isinstance(given, msgspec.Struct | list):
        return Response(msgspec.json.encode(given), status=status, headers=headers, content_type="application/json")
    if given is None:
        empty = Response(b"", status=status, headers=headers)
        del empty.headers["content-type"]
        return empty
    return given
