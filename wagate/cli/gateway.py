"""Talk to a running gateway: over its unix socket in the data folder, or to ``--url``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from wagate.cli.errors import CommandError, NoGatewayError
from wagate.cli.options import Call

if TYPE_CHECKING:
    import httpx2

SOCKET: Final = "wagate.sock"
"""In ``data.dir``; the gateway listens there for commands."""
HERE: Final = "http://wagate"
"""What a gateway is called over its socket."""
TIMEOUT: Final = 30.0
"""Seconds; sending a message may take ten."""
ID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
PAGE: Final = 200
"""Rows asked for at once: the API's most."""


class Gateway:
    """A running gateway."""

    def __init__(self, client: httpx2.Client, where: str) -> None:
        """``where`` names it for people."""
        self._client = client
        self.where = where

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request; the answer's JSON, None when it has no body.

        Raises:
            CommandError: the gateway refused; the message is its reason in one line.
            NoGatewayError: it could not be reached.
        """
        import httpx2

        try:
            answer = self._client.request(method, path, json=body, params=params, headers=headers)
        except httpx2.TransportError as error:
            raise NoGatewayError(f"{self.where}: {error or type(error).__name__}") from error
        if answer.is_success:
            return answer.json() if answer.content else None
        raise CommandError(reason(answer))

    def rows(self, path: str, params: Mapping[str, str], *, most: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a list, page by page; ``most`` None: all of them."""
        left = most
        cursor: str | None = None
        while left is None or left > 0:
            asked = dict(params) | {"limit": str(min(PAGE, left or PAGE))} | ({"cursor": cursor} if cursor else {})
            page = self.ask("GET", path, params=asked)
            yield from page["data"]
            cursor = page.get("next_cursor")
            left = None if left is None else left - len(page["data"])
            if cursor is None or not page["data"]:
                return

    def full_id(self, path: str, given: str, params: Mapping[str, str] | None = None) -> str:
        """The id in this list that begins so; what could be no such beginning is left as it is.

        CommandError: several begin so, or none.
        """
        cursor = last_with(given)
        if cursor is None:
            return given
        query = dict(params or {}) | {"limit": "2", "cursor": cursor}
        found = [row["id"] for row in self.ask("GET", path, params=query)["data"] if row["id"].startswith(given)]
        return only(found, given)


def last_with(given: str) -> str | None:
    """The last id that begins so: lists go on, newest first, below a cursor. None: a whole id, or no id's beginning."""
    if not 4 <= len(given) < len(LAST) or not re.fullmatch("[0-9a-f-]+", given):
        return None
    whole = given + LAST[len(given) :]
    return whole if re.fullmatch(ID, whole) else None


def only(found: Sequence[str], given: str) -> str:
    """The one id that was found. CommandError: there are several, or none."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"no id begins with {given}")
    raise CommandError(f"several ids begin with {given}, such as {' and '.join(found[:2])}; give more characters")


@contextmanager
def connect(call: Call) -> Iterator[Gateway | None]:
    """The gateway that runs for this configuration, or at ``--url``; None when none runs.

    Raises:
        CommandError: there is a gateway, but no way or no token to talk to it.
    """
    import httpx2

    if call.url is None and not _answers(call):
        yield None
        return
    # A connection of its own for each request: what a proxy at --url sends behind an answer is no answer to the next.
    once = httpx2.Limits(max_keepalive_connections=0)
    transport = httpx2.HTTPTransport(trust_env=False, uds=_socket(call), limits=once)
    with httpx2.Client(transport=transport, **_options(call)) as client:
        yield Gateway(client, call.url or f"the gateway of {call.data_dir}")


@asynccontextmanager
async def connect_async(call: Call) -> AsyncIterator[httpx2.AsyncClient]:
    """A trio client of the gateway, for many requests at once. Raises as `required`."""
    import httpx2

    if call.url is None and not _answers(call):
        raise _none_runs(call)
    transport = httpx2.AsyncHTTPTransport(trust_env=False, uds=_socket(call))
    async with httpx2.AsyncClient(transport=transport, **_options(call)) as client:
        yield client


@contextmanager
def required(call: Call) -> Iterator[Gateway]:
    """As `connect`, but NoGatewayError when none runs."""
    with connect(call) as gateway:
        if gateway is None:
            raise _none_runs(call)
        yield gateway


def _none_runs(call: Call) -> NoGatewayError:
    return NoGatewayError(f'no gateway is running on {call.data_dir}; start one with "wagate serve"')


def _socket(call: Call) -> str | None:
    return None if call.url else str(call.data_dir / SOCKET)


def _options(call: Call) -> dict[str, Any]:
    """What both kinds of client are made with. CommandError: there is no token."""
    from wagate.config.secrets import read_admin_token

    token = call.token or read_admin_token(call.part("data.dir", "auth.admin_token"))
    if token is None:
        raise CommandError(f"{call.data_dir} has no token; give one with --token or WAGATE_TOKEN")
    headers = {"Authorization": f"Bearer {token}"}
    return {"base_url": call.url or HERE, "headers": headers, "timeout": TIMEOUT, "trust_env": False}


def _answers(call: Call) -> bool:
    """Whether a gateway takes connections on the socket. CommandError when one runs and doesn't."""
    import socket

    from wagate.config.lock import find_holder

    path = call.data_dir / SOCKET
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(TIMEOUT)
            probe.connect(str(path))
    except OSError as error:  # not there, nobody listens, or a path too long for a socket
        holder = find_holder(call.data_dir)
        if holder is None:
            return False
        raise CommandError(
            f"a gateway is running (process {holder.pid} on {holder.host}), but {path} does not answer: {error}; "
            f"try --url http://127.0.0.1:{holder.port}"
        ) from error
    return True


def reason(answer: httpx2.Response) -> str:
    """Why a request was refused, in one line."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        return f"{status_line(answer)} from {answer.request.url.path}"
    detail = str(problem.get("detail") or "")
    line = f"{problem['title']} ({answer.status_code})" + (f": {detail}" if detail else "")
    if code := problem.get("code"):
        line += f" (the provider's code {code})"
    for fault in problem.get("errors") or []:
        field, why = fault.get("field"), fault.get("detail")
        if field and why and why not in detail:
            line += f"; {field}: {why}"
        elif field and field not in detail:
            line += f"; the field is {field}"
    return line.replace("\n", " ")


def status_line(answer: httpx2.Response) -> str:
    """``404 Not Found``, also when the server left the words out."""
    try:
        return f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"
    except ValueError:
        return str(answer.status_code)
