"""What people show of themselves, whom we block, and channels, at the fake server.

Source of the stanzas: whatsmeow, ``user.go`` (blocklist, about), ``group.go`` (pictures), ``newsletter.go`` (``w:mex``:
queries by number with JSON inside, and the form of a channel).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from wagate.testing.whatsapp.groups import RefusedError
from wagate.testing.whatsapp.library import JID, Node, as_jid

if TYPE_CHECKING:
    from wagate.testing.whatsapp.connection import Connection
    from wagate.testing.whatsapp.server import FakeWhatsApp

JPEG = b"\xff\xd8\xff"
LONGEST_ABOUT = 139
MOST_POSTS = 100


@dataclass
class Post:
    """A message in a channel."""

    content: bytes
    """WhatsApp's ``Message``; no secret of channels."""
    views: int = 0
    reactions: dict[str, int] = field(default_factory=dict)


@dataclass
class Channel:
    """Somebody's channel."""

    id: str
    """With ``@newsletter``."""
    name: str
    description: str = ""
    picture: bytes = b""
    """A JPEG."""
    owner: str = ""
    """A phone."""
    invite: str = field(default_factory=lambda: os.urandom(11).hex())
    followers: set[str] = field(default_factory=set)
    """Phones."""
    muted_by: set[str] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)


class Profiles:
    """Answers queries about people and channels."""

    def __init__(self, server: FakeWhatsApp) -> None:
        self._server = server
        self.blocked: set[str] = set()
        """Phones."""
        self.abouts: dict[str, str] = {}
        """By phone."""
        self.own_picture = b""
        self.pictures: dict[str, str] = {}
        """By phone or a group's id: where on the shelf it lies."""
        self.channels: dict[str, Channel] = {}

    def channel(self, name: str, *, owner: str = "", followers: tuple[str, ...] = ()) -> Channel:
        """A new one."""
        made = Channel(f"12036399{len(self.channels):04d}@newsletter", name, owner=owner, followers=set(followers))
        self.channels[made.id] = made
        return made

    def block(self, _connection: Connection, node: Node, inner: Node) -> list[Node]:
        """``blocklist``: told, or changed by LID (a phone alone is refused, since WhatsApp's move to LIDs)."""
        if node.get_str("type") == "set":
            jid = as_jid(inner.attrs["jid"])
            who = self._server.by_jid(jid)
            if (
                who is None
                or jid.server != "lid"
                or (inner.get_str("action") == "block" and "pn_jid" not in inner.attrs)
            ):
                raise RefusedError("400", "bad-request")
            (self.blocked.add if inner.get_str("action") == "block" else self.blocked.discard)(who.phone)
        items = [Node("item", {"jid": self._server.person(each).lid_jid}) for each in sorted(self.blocked)]
        return [Node("list", {"dhash": "x"}, items)]

    def picture(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        """``w:profile:picture``: ours, or with a ``target`` a group's, is set; anybody's can be asked for."""
        if node.get_str("type") != "set":
            return [self._picture(as_jid(node.attrs["target"]))]
        content = inner.content_bytes() if inner.tag == "picture" else b""
        if not content.startswith(JPEG):
            raise RefusedError("406", "not-acceptable")
        target = node.attrs.get("target")
        if target is None:
            self.own_picture = content
        else:
            group = self._server.groups.get(as_jid(target).user)
            if group is None or not group.rules(_us(connection)):
                raise RefusedError("401", "not-authorized")
            group.picture = content
        return [Node("picture", {"id": "1"})]

    def _picture(self, target: JID) -> Node:
        who = self._server.by_jid(target)
        path = self.pictures.get(target.user if target.server == "g.us" or who is None else who.phone)
        if path is None:
            raise RefusedError("404", "item-not-found")
        url = f"https://{self._server.shelf}{path}"
        return Node("picture", {"id": "1700000000", "type": "image", "url": url, "direct_path": path})

    def mex(self, connection: Connection, _node: Node, inner: Node) -> list[Node]:
        """``w:mex``."""
        given = msgspec.json.decode(inner.content_bytes())["variables"]
        act = _QUERIES.get(inner.get_str("query_id"))
        if act is None:
            raise RefusedError("400", "bad-request")
        data = act(self, _us(connection), given)
        return [Node("result", {}, msgspec.json.encode({"data": data}))]

    def posts(self, _connection: Connection, node: Node, inner: Node) -> list[Node]:
        """``newsletter``: the newest messages of a channel, whoever asks."""
        found = self.channels.get(str(inner.attrs["jid"]))
        if node.get_str("type") != "get" or inner.tag != "messages" or inner.get_str("type") != "jid":
            raise RefusedError("400", "bad-request")
        if found is None:
            raise RefusedError("404", "item-not-found")
        count = int(inner.get_str("count"))
        if not 1 <= count <= MOST_POSTS:
            raise RefusedError("406", "not-acceptable")
        shown = [_post(number, each) for number, each in enumerate(found.posts, start=100)]
        return [Node("messages", {"jid": inner.attrs["jid"], "t": "1700000000"}, shown[-count:])]

    def _about(self, us: str, given: Any) -> Any:
        text = given["input"]["text"]
        if len(text) > LONGEST_ABOUT:
            raise RefusedError("406", "not-acceptable")
        self.abouts[us] = text
        return {}

    def _followed(self, us: str, _given: Any) -> Any:
        mine = [each for each in self.channels.values() if us in each.followers or us == each.owner]
        return {"xwa2_newsletter_subscribed": [_shown(each, us) for each in mine]}

    def _one(self, us: str, given: Any) -> Any:
        key, by_invite = given["input"]["key"], given["input"]["type"] == "INVITE"
        mine = (each for each in self.channels.values() if key == (each.invite if by_invite else each.id))
        found = next(mine, None)
        return {"xwa2_newsletter": None if found is None else _shown(found, us, viewer=not by_invite)}

    def _create(self, us: str, given: Any) -> Any:
        told = given["newsletter_input"]
        made = self.channel(told["name"], owner=us)
        made.description = told.get("description", "")
        made.picture = base64.b64decode(told.get("picture", ""), validate=True)
        if made.picture and not made.picture.startswith(JPEG):
            raise RefusedError("406", "not-acceptable")
        return {"xwa2_newsletter_create": _shown(made, us)}

    def _change(self, us: str, given: Any, change: Callable[[Channel], Callable[[str], None]]) -> Any:
        found = self.channels.get(given["newsletter_id"])
        if found is None:
            raise RefusedError("404", "item-not-found")
        change(found)(us)
        return {}


def _post(number: int, post: Post) -> Node:
    reactions = [Node("reaction", {"code": code, "count": str(count)}) for code, count in post.reactions.items()]
    parts = [Node("plaintext", {}, post.content), Node("views_count", {"count": str(post.views)})]
    attrs = {"id": f"3EB0{number:012X}", "server_id": str(number), "type": "text", "t": "1700000000"}
    return Node("message", attrs, [*parts, Node("reactions", {}, reactions)] if reactions else parts)


def _shown(channel: Channel, us: str, *, viewer: bool = True) -> dict[str, Any]:
    def text(value: str) -> dict[str, str]:
        return {"text": value, "id": "1", "update_time": "1700000000000000"}

    role = "OWNER" if us == channel.owner else "SUBSCRIBER" if us in channel.followers else "GUEST"
    meta = {
        "creation_time": "1700000000",
        "invite": channel.invite,
        "name": text(channel.name),
        "description": text(channel.description),
        "subscribers_count": str(len(channel.followers)),
        "verification": "UNVERIFIED",
        "picture": None,
        "preview": {"url": "", "id": "", "type": "PREVIEW", "direct_path": ""},
        "settings": {"reaction_codes": {"value": "ALL"}},
    }
    seen = {"mute": "ON" if us in channel.muted_by else "OFF", "role": role}
    shown: dict[str, Any] = {"id": channel.id, "state": {"type": "ACTIVE"}, "thread_metadata": meta}
    return shown | ({"viewer_metadata": seen} if viewer else {})


def _us(connection: Connection) -> str:
    assert connection.device is not None
    return str(connection.device.jid.user)


_QUERIES: dict[str, Callable[[Profiles, str, Any], Any]] = {
    "9152604461510864": Profiles._about,  # noqa: SLF001  (its own table)
    "6388546374527196": Profiles._followed,  # noqa: SLF001
    "6563316087068696": Profiles._one,  # noqa: SLF001
    "6234210096708695": Profiles._create,  # noqa: SLF001
    "9926858900719341": lambda own, us, given: own._change(us, given, lambda each: each.followers.add),  # noqa: SLF001
    "6392786840836363": lambda own, us, given: own._change(us, given, lambda each: each.followers.discard),  # noqa: SLF001
    "6274038279359549": lambda own, us, given: own._change(us, given, lambda each: each.muted_by.add),  # noqa: SLF001
    "6068417879924485": lambda own, us, given: own._change(us, given, lambda each: each.muted_by.discard),  # noqa: SLF001
}
"""whatsmeow's numbers of the queries (newsletter.go, user.go)."""
