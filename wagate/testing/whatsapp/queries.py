"""What a client asks the server: keys, devices, who is there, where files go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wagate.testing.whatsapp.groups import RefusedError
from wagate.testing.whatsapp.library import JID, Node, as_jid
from wagate.testing.whatsapp.pairing import REFERENCE, Typing
from wagate.testing.whatsapp.people import Device, Person

if TYPE_CHECKING:
    from wagate.testing.whatsapp.connection import Connection
    from wagate.testing.whatsapp.server import FakeWhatsApp

AUTH = "Afake_-9="
"""The key for the shelf."""
HOST = "mmg.whatsapp.net"
"""Where the shelf is, for those who go by the proxy."""


class Queries:
    """Answers ``iq`` stanzas."""

    def __init__(self, server: FakeWhatsApp) -> None:
        self._server = server

    async def answer(self, connection: Connection, node: Node) -> None:
        """One query; what is not known is answered with nothing."""
        kind, name, children = node.get_str("type"), node.get_str("xmlns"), node.get_children()
        first = children[0].tag if children else ""
        if kind in {"result", "error"}:
            if first == "pair-device-sign":
                await self._server.signed(connection)
            return
        if name == "encrypt" and first == "digest":
            # "Not found" has the client upload its keys, anything else not.
            missing = not _device(connection).keys
            code = ("404", "item-not-found") if missing else ("503", "service-unavailable")
            await connection.fail(node, *code)
            return
        if name == "md" and first == "remove-companion-device":
            await connection.result(node)
            self._server.remove(_device(connection))
            await connection.close()
            return
        if name == "md" and first == "link_code_companion_reg" and children[0].get_str("stage") == "companion_finish":
            await connection.result(node)
            typing = self._server.codes[as_jid(children[0].attrs["jid"]).user]
            await self._server.code_typed(typing, _bytes(children[0], "link_code_pairing_wrapped_key_bundle"))
            return
        try:
            await connection.result(node, self._answer(connection, node, name, first))
        except RefusedError as error:
            await connection.fail(node, error.code, error.text)
        self._server.wake()

    def _answer(self, connection: Connection, node: Node, name: str, first: str) -> list[Node]:
        inner = node.get_children()[0] if first else node
        read = _ANSWERS.get((name, first)) or _ANSWERS.get((name, ""))
        return [] if read is None else read(self, connection, node, inner)

    def _count(self, connection: Connection, _node: Node, _inner: Node) -> list[Node]:
        return [Node("count", {"value": str(len(_device(connection).keys))})]

    def _bundles(self, _connection: Connection, _node: Node, inner: Node) -> list[Node]:
        return [Node("list", {}, [self._bundle(as_jid(each.attrs["jid"])) for each in inner.get_children("user")])]

    def _keys(self, connection: Connection, node: Node, _inner: Node) -> list[Node]:
        self._take_keys(_device(connection), node)
        return []

    def _people(self, _connection: Connection, _node: Node, inner: Node) -> list[Node]:
        return [self._usync(inner)]

    def _groups(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        return self._server.group_queries.answer(connection, node, inner)

    def _blocks(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        return self._server.profiles.block(connection, node, inner)

    def _pictures(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        return self._server.profiles.picture(connection, node, inner)

    def _mex(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        return self._server.profiles.mex(connection, node, inner)

    def _posts(self, connection: Connection, node: Node, inner: Node) -> list[Node]:
        return self._server.profiles.posts(connection, node, inner)

    def _shelf(self, _connection: Connection, _node: Node, _inner: Node) -> list[Node]:
        """As WhatsApp does: the client takes no other host."""
        ages = {"auth": AUTH, "ttl": "3600", "auth_ttl": "3600", "max_buckets": "12"}
        return [Node("media_conn", ages, [Node("host", {"hostname": HOST})])]

    def _state(self, connection: Connection, _node: Node, inner: Node) -> list[Node]:
        return self._server.shared(_device(connection).jid.user).sync(inner)

    def _code(self, connection: Connection, _node: Node, inner: Node) -> list[Node]:
        """``companion_hello``: it shows a code; ``companion_finish`` is answered by `answer`."""
        wrapped = _bytes(inner, "link_code_pairing_wrapped_companion_ephemeral_pub")
        self._server.codes[as_jid(inner.attrs["jid"]).user] = Typing(connection, wrapped)
        self._server.wake()
        return [Node("link_code_companion_reg", {}, [Node("link_code_pairing_ref", {}, REFERENCE)])]

    def _take_keys(self, device: Device, node: Node) -> None:
        signed = node.get_child("skey")
        if signed is None:
            return
        device.registration = int.from_bytes(node.get_child("registration").content_bytes(), "big")
        device.signed_key = (_number(signed), _bytes(signed, "value"), _bytes(signed, "signature"))
        device.keys += [(_number(each), _bytes(each, "value")) for each in node.get_child("list").get_children()]

    def _bundle(self, jid: JID) -> Node:
        """The keys that begin a session with a device."""
        who = self._server.by_jid(jid)
        linked = self._server.devices.get((who.phone, jid.device)) if who is not None and jid.device else None
        if linked is not None and linked.keys:
            return _user(jid, linked.registration, linked.identity, linked.signed_key, linked.keys.pop(0))
        if who is None or jid.device:
            return Node("user", {"jid": jid}, [Node("error", {"code": "406", "text": "not-acceptable"})])
        once = who.keys[1 + len(who.sessions) % 190]
        own = who.signed_key
        signed = (own.key_id, own.public, own.signature)
        return _user(jid, who.registration, who.identity.public, signed, (once.key_id, once.public))

    def _usync(self, query: Node) -> Node:
        """Who is on WhatsApp, with which devices, under which LID."""
        wanted = [each.tag for each in query.get_child("query").get_children()]
        users = [self._told(each, wanted) for each in query.get_child("list").get_children("user")]
        attrs = {name: query.get_str(name) for name in ("sid", "mode", "context")} | {"index": "0", "last": "true"}
        result = Node("result", {}, [Node(each, {}, None) for each in wanted])
        return Node("usync", attrs, [result, Node("list", {}, users)])

    def _told(self, user: Node, wanted: list[str]) -> Node:
        given, contact = user.attrs.get("jid"), user.get_child("contact")
        if given is None and contact is not None:
            digits = contact.content_bytes().decode().lstrip("+").partition("@")[0]
            jid = JID(digits, "s.whatsapp.net")
        else:
            jid = as_jid(given)
        who = self._server.by_jid(jid)
        parts = [part for each in wanted if (part := self._part(each, who)) is not None]
        attrs: dict[str, Any] = {"jid": JID(jid.user, jid.server)}
        if who is not None:
            attrs["pn_jid" if jid.server == "lid" else "lid"] = who.jid if jid.server == "lid" else who.lid_jid
        return Node("user", attrs, parts)

    def _part(self, name: str, who: Person | None) -> Node | None:
        if name == "contact":
            return Node("contact", {"type": "in" if who is not None else "out"})
        if name == "lid" and who is not None:
            return Node("lid", {"val": who.lid_jid})
        if name == "status" and who is not None:
            return Node("status", {}, self._server.profiles.abouts.get(who.phone, "").encode() or None)
        if name != "devices":
            return None
        linked = sorted(number for phone, number in self._server.devices if who is not None and phone == who.phone)
        found = [
            Node("device", {"id": str(each)} | ({"key-index": str(each)} if each else {})) for each in (0, *linked)
        ]
        return Node("devices", {}, [Node("device-list", {"hash": "2:abc"}, found)])


def _device(connection: Connection) -> Device:
    assert connection.device is not None
    return connection.device


def _user(
    jid: JID, registration: int, identity: bytes, signed: tuple[int, bytes, bytes], once: tuple[int, bytes]
) -> Node:
    skey = [
        Node("id", {}, signed[0].to_bytes(3, "big")),
        Node("value", {}, signed[1]),
        Node("signature", {}, signed[2]),
    ]
    parts = [
        Node("registration", {}, registration.to_bytes(4, "big")),
        Node("type", {}, b"\x05"),
        Node("identity", {}, identity),
        Node("skey", {}, skey),
        Node("key", {}, [Node("id", {}, once[0].to_bytes(3, "big")), Node("value", {}, once[1])]),
    ]
    return Node("user", {"jid": jid, "t": "1"}, parts)


def _number(node: Node) -> int:
    return int.from_bytes(_bytes(node, "id"), "big")


def _bytes(node: Node, name: str) -> bytes:
    return bytes(node.get_child(name).content_bytes())


_Answer = Callable[[Queries, "Connection", Node, Node], list[Node]]
_ANSWERS: dict[tuple[str, str], _Answer] = {
    ("encrypt", "count"): Queries._count,  # noqa: SLF001  (its own table)
    ("encrypt", "key"): Queries._bundles,  # noqa: SLF001
    ("encrypt", ""): Queries._keys,  # noqa: SLF001
    ("usync", ""): Queries._people,  # noqa: SLF001
    ("w:g2", ""): Queries._groups,  # noqa: SLF001
    ("w:m", ""): Queries._shelf,  # noqa: SLF001
    ("w:sync:app:state", "sync"): Queries._state,  # noqa: SLF001
    ("md", "link_code_companion_reg"): Queries._code,  # noqa: SLF001
    ("privacy", ""): lambda *_: [Node("privacy", {}, [])],
    ("blocklist", ""): Queries._blocks,  # noqa: SLF001
    ("w:profile:picture", ""): Queries._pictures,  # noqa: SLF001
    ("w:mex", ""): Queries._mex,  # noqa: SLF001
    ("newsletter", ""): Queries._posts,  # noqa: SLF001
}
"""(namespace, first child; '' any) → the answer's children."""
