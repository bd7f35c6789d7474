"""From a request to what answers it: paths with stars, parameters as Rails merges them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from wagate.testing.chatwoot.messages import Upload
from wagate.testing.chatwoot.state import Account, Inbox, Json, RefusedError, State, User
from wagate.testing.server import Reply, Seen


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request for the application API, its token already checked."""

    seen: Seen
    state: State
    base: str
    """The server's address, for URLs in answers."""
    user: User
    parts: tuple[str, ...]
    """What stood at the path's stars."""
    given: Json
    """Query, form or JSON."""

    @property
    def account(self) -> Account:
        """The token's."""
        return self.user.account

    def may_see(self, inbox: Inbox) -> bool:
        """Whether the token's user is a member of the inbox, or an administrator."""
        return inbox.members is None or self.user.role != "agent" or self.user.id in inbox.members

    def sees(self, inbox: Inbox) -> None:
        """401 for an agent outside the inbox."""
        if not self.may_see(inbox):
            raise RefusedError(401, {"error": "You are not authorized to do this action"})


Answer = Callable[[Ask], Reply]
Route = tuple[str, str, Answer]


def matched(pattern: str, path: str) -> tuple[str, ...] | None:
    """What stands at the stars; None when the path is another."""
    wanted, given = pattern.split("/"), path.strip("/").split("/")
    if len(wanted) != len(given) or any(w not in {"*", g} for w, g in zip(wanted, given, strict=True)):
        return None
    return tuple(unquote(g) for w, g in zip(wanted, given, strict=True) if w == "*")


def given(seen: Seen) -> Json:
    """Parameters: the query's, and the body's on top. 400 for what is no JSON."""
    found: Json = dict(seen.query)
    kind = seen.headers.get("content-type", "")
    if seen.parts:
        for part in seen.parts:
            if part.filename is None:
                _put(found, part.name, part.text)
    elif "json" in kind and seen.body:
        try:
            body = json.loads(seen.body)
        except ValueError:
            raise RefusedError(400, {"status": 400, "error": "Bad Request"}) from None
        found |= body if isinstance(body, dict) else {"_json": body}
    elif "urlencoded" in kind:
        found |= seen.form
    return found


def uploads(seen: Seen) -> list[Upload]:
    """Files under ``attachments[]``."""
    return [
        Upload(
            filename=part.filename or "file",
            content_type=part.content_type or "application/octet-stream",
            content=part.content,
            size=part.size,
            sha256=part.sha256,
        )
        for part in seen.parts
        if part.filename is not None and part.name in {"attachments[]", "attachments"}
    ]


def needs(found: Json, *names: str) -> None:
    """422 when a parameter is missing."""
    for name in names:
        if found.get(name) in {None, ""}:
            raise RefusedError(422, {"error": f"param is missing or the value is empty: {name}"})


def refused(error: RefusedError) -> Reply:
    """The answer that an error is."""
    if isinstance(error.body, str):
        kind = "text/html" if error.body.startswith("<") else "text/plain"
        return Reply(status=error.status, body=error.body.encode(), headers={"content-type": kind})
    return Reply(status=error.status, json=error.body)


def _put(found: Json, name: str, value: Any) -> None:
    """``content_attributes[in_reply_to]`` goes inside."""
    if name.endswith("]") and "[" in name and not name.endswith("[]"):
        outer, _, inner = name[:-1].partition("[")
        found.setdefault(outer, {})[inner] = value
    else:
        found[name] = value
