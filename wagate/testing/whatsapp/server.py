"""A WhatsApp server on loopback: linking, login, keys, messages both ways, receipts, an offline queue, and faults.

The server's side of the cryptography is pywhats (Apache-2.0). whatsmeow runs against it unchanged, but for the root key
of the server's certificate (see ``redirect``). Nothing here ever leaves loopback.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio
from trio_websocket import WebSocketRequest

from wagate.testing.whatsapp.connection import GONE, SERVER, Connection
from wagate.testing.whatsapp.groups import Group, Groups
from wagate.testing.whatsapp.library import JID, Node, as_jid, signal
from wagate.testing.whatsapp.pairing import Typing, WrongCodeError
from wagate.testing.whatsapp.people import Device, Person
from wagate.testing.whatsapp.profiles import Profiles
from wagate.testing.whatsapp.protobuf import pack, unpack
from wagate.testing.whatsapp.queries import Queries
from wagate.testing.whatsapp.shared import Shared

PATIENCE = 60.0


@dataclass(frozen=True)
class Arrived:
    """A message of ours, as one person got it."""

    id: str
    to: str
    """The person's phone."""
    fields: dict[int, list[Any]]
    """Of WhatsApp's ``Message``."""
    edit: str
    tags: tuple[str, ...]
    """Of the stanza's children."""

    @property
    def text(self) -> str:
        """Wherever it commonly is; '' when there is none."""
        if 1 in self.fields:
            return str(self.fields[1][0].decode())
        if 6 in self.fields:
            return str(unpack(self.fields[6][0]).get(1, [b""])[0].decode())
        return ""


@dataclass
class FakeWhatsApp:
    """The server, and what tests may set and see."""

    receipts: int = 2
    """What our messages get: 0 nothing, 1 delivered, 2 read, too."""
    swallow: int = 0
    """So many of our next messages get no answer, and reach nobody."""
    silent: int = 0
    """So many of our next messages reach people, but WhatsApp's answer is lost, and their receipts come later."""
    held: trio.Event | None = None
    """Our messages reach people at once, and WhatsApp's answer comes once it is set."""
    torn: int = 0
    """So many of the next stanzas for us break off in the middle of their frame, and the connection with them."""
    turned_away: int = 0
    """So many of the next clients get no websocket."""
    farewell: bool = True
    """Whether a client that was just linked is told to come again (515) before its connection is closed."""
    codes_each: int = 6
    """QR codes for each client that is to be linked."""
    asked_for_codes: int = 0
    """Clients that were to be linked."""
    linger: float = 0.3
    """Seconds from the last stanza (515 after linking, a refusal) until the connection is closed."""
    shelf: str = "127.0.0.1"
    """Host and port of the shelf for files, for those who look names up."""
    uploads: list[str] = field(default_factory=list)
    """Who put each file onto the shelf, by its User-Agent; the library's is Go's."""
    shelf_breaks: int = 0
    """So many of the next uploads break off."""
    shelf_silent: int = 0
    """So many of the next uploads are taken, and get no answer."""
    shelf_left: int = 0
    """Uploads without an answer whose client hung up."""
    shelf_refusals: int = 0
    """So many of the next uploads are refused, as with a key that is no longer good."""
    dialled: list[str] = field(default_factory=list)
    """Host and port of all that went through the proxy."""
    logins: int = 0
    retries: int = 0
    """Messages that the client asked for again, since it could not open them."""
    messages: list[Arrived] = field(default_factory=list)
    """Ours, in order; once for each person."""
    typed: list[str] = field(default_factory=list)
    shown: str = ""
    """How we are shown: ``available``, ``unavailable``; '' when we never said."""
    watched: list[str] = field(default_factory=list)
    """Phones whose presence we asked for."""
    rejected: list[str] = field(default_factory=list)
    """Ids of calls that we rejected."""
    read: list[str] = field(default_factory=list)
    """Ids that we marked as read."""
    errors: list[str] = field(default_factory=list)
    """What went wrong in here."""
    devices: dict[tuple[str, int], Device] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    waiting: dict[str, Connection] = field(default_factory=dict)
    """By the reference in their QR codes: clients that wait for a scan."""

    codes: dict[str, Typing] = field(default_factory=dict)
    """By phone: clients that show a code to be typed on it."""
    wrong_codes: int = 0

    def __post_init__(self) -> None:
        self.root, middle, self.static = (signal.IdentityKeyPair.generate() for _ in range(3))
        now = int(time.time())
        days = {4: now - 3600, 5: now + 86400 * 30}
        issuer = pack({1: 7, 2: 0, 3: middle.public, **days})
        leaf = pack({1: 9, 2: 7, 3: self.static.public, **days})
        signed = {1: leaf, 2: signal.xeddsa_sign(middle.private, leaf)}
        self.certificate = pack({1: signed, 2: {1: issuer, 2: signal.xeddsa_sign(self.root.private, issuer)}})
        self.queries = Queries(self)
        self.group_queries = Groups(self)
        self.profiles = Profiles(self)
        self._shared: dict[str, Shared] = {}
        self._refusals: list[dict[str, str]] = []
        self._changed = trio.Event()

    def person(self, phone: str, name: str = "") -> Person:
        """Somebody on WhatsApp."""
        if phone not in self.people:
            lid = str(10**14 + int(phone) % 10**13)
            self.people[phone] = Person(phone, lid, name or f"Person {phone[-4:]}")
        return self.people[phone]

    def shared(self, phone: str) -> Shared:
        """What the devices of a number share."""
        return self._shared.setdefault(phone, Shared())

    def by_jid(self, jid: JID) -> Person | None:
        """By phone or LID."""
        if jid.server == "lid":
            return next((each for each in self.people.values() if each.lid == jid.user), None)
        return self.people.get(jid.user)

    def device(self, phone: str) -> Device:
        """The one that is linked last; connected ones first."""
        own = [each for (of, _), each in self.devices.items() if of == phone]
        return max(own, key=lambda each: (each.connection is not None, each.jid.device))

    def connected(self, phone: str) -> bool:
        """Whether the number has a linked device with a connection."""
        return any(of == phone and each.connection is not None for (of, _), each in self.devices.items())

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until something is so. TooSlowError after a minute."""
        with trio.fail_after(PATIENCE):
            while not there():
                await self._changed.wait()

    async def change(self) -> None:
        """Wait until anything changes."""
        await self._changed.wait()

    def wake(self) -> None:
        """Something changed."""
        woken, self._changed = self._changed, trio.Event()
        woken.set()

    def refuse(self, **attrs: str) -> None:
        """Refuse the next client, linked or not, with a reason like 405, or 402 with ``code`` and ``expire``."""
        self._refusals.append(attrs)

    def take_refusal(self) -> dict[str, str] | None:
        """For the client that comes."""
        return self._refusals.pop(0) if self._refusals else None

    async def scan(self, code: str, phone: str) -> None:
        """Somebody scans a QR code with the phone of this number."""
        ref, _noise, identity, secret = code.split("#", 1)[-1].split(",")[:4]
        await self._link(self.waiting[ref], phone, base64.b64decode(identity), base64.b64decode(secret))

    async def type_code(self, code: str, phone: str) -> None:
        """Somebody types a pairing code on the phone of this number, which the client asked one for."""
        typing, me = self.codes[phone], self.person(phone, "Me")
        inner, connection = typing.typed(me, code), typing.connection
        attrs = {"from": SERVER, "id": connection.next_id(), "type": "link_code_companion_reg"}
        await connection.send(Node("notification", attrs | {"t": str(int(time.time()))}, [inner]))

    async def code_typed(self, typing: Typing, bundle: bytes) -> None:
        """The client answered: it is linked, if it was its code."""
        assert typing.phone is not None
        try:
            identity, secret = typing.finished(bundle)
        except WrongCodeError:
            self.wrong_codes += 1
            self.wake()
            return
        await self._link(typing.connection, typing.phone.phone, identity, secret)

    async def _link(self, connection: Connection, phone: str, identity: bytes, secret: bytes) -> None:
        me = self.person(phone, "Me")
        number = 1 + max((device for of, device in self.devices if of == phone), default=0)
        details = pack({1: 99, 2: int(time.time()), 3: number, 4: 0, 5: 0})
        proof = signal.xeddsa_sign(me.identity.private, b"\x06\x00" + details + identity)
        signed = pack({1: details, 2: me.identity.public, 3: proof})
        mac = hmac.new(secret, signed, hashlib.sha256).digest()
        keys = connection.register
        connection.pending = Device(
            JID(phone, "s.whatsapp.net", number),
            JID(me.lid, "lid", number),
            identity,
            int.from_bytes(keys[1][0], "big"),
            (int.from_bytes(keys[4][0], "big"), keys[5][0], keys[6][0]),
        )
        parts = [
            Node("device-identity", {}, pack({1: signed, 2: mac})),
            Node("platform", {"name": "android"}),
            Node("device", {"jid": connection.pending.jid, "lid": connection.pending.lid}),
        ]
        attrs = {"from": SERVER, "id": connection.next_id(), "type": "set", "xmlns": "md", "t": str(int(time.time()))}
        await connection.send(Node("iq", attrs, [Node("pair-success", {}, parts)]))

    async def signed(self, connection: Connection) -> None:
        """The client signed its device: it is linked, and has to come again."""
        made = connection.pending
        assert made is not None
        self.devices[made.jid.user, made.jid.device] = made
        if self.farewell:
            await connection.send(Node("stream:error", {"code": "515"}))
            await trio.sleep(self.linger)
        await connection.close()

    def remove(self, device: Device) -> None:
        """It is no longer linked."""
        self.devices.pop((device.jid.user, device.jid.device), None)
        self.wake()

    async def log_out(self, phone: str) -> None:
        """Somebody unlinks the device on the phone."""
        device = self.device(phone)
        self.remove(device)
        conflict = Node("conflict", {"type": "device_removed"})
        if device.connection is not None:
            await device.connection.close(Node("stream:error", {"code": "401"}, [conflict]))

    async def replace(self, phone: str) -> None:
        """The same keys log in from somewhere else."""
        connection = self.device(phone).connection
        assert connection is not None
        await connection.close(Node("stream:error", {}, [Node("conflict", {"type": "replaced"})]))

    async def cut(self, phone: str) -> None:
        """The cable of a connected device."""
        device = self.device(phone)
        connection, device.connection = device.connection, None
        assert connection is not None
        await connection.cut()

    async def deliver(self, device: Device, node: Node, *, keep: bool = True) -> None:
        """Send a stanza, now or when the device comes; until it has a receipt when it is to be kept."""
        if keep:
            device.queue.append((node.get_str("id"), node))
        if device.connection is not None:
            try:
                if self.torn:
                    self.torn -= 1
                    connection, device.connection = device.connection, None
                    await connection.tear(node)
                else:
                    await device.connection.send(node)
            except GONE:
                device.connection = None

    def arrived(self, connection: Connection, node: Node) -> None:
        """A message of ours came: everybody opens what is theirs."""
        assert connection.device is not None
        sender, group = connection.device.identity, as_jid(node.attrs["to"])
        inside = node.get_child("participants")
        for to in inside.get_children("to") if inside else []:
            who = self.by_jid(as_jid(to.attrs["jid"]))
            if who is None or as_jid(to.attrs["jid"]).device or who.phone == connection.device.jid.user:
                continue  # copies for our own devices
            for each in to.get_children("enc"):
                self._opened(who, node, who.decrypt(each.get_str("type"), each.content_bytes(), sender), sender)
        for each in node.get_children("enc"):
            if each.get_str("type") == "skmsg":
                readers = self.members(group, connection.device)
                if group.server == "broadcast":  # a story: for whom it names
                    named = [as_jid(to.attrs["jid"]) for to in (inside.get_children("to") if inside else [])]
                    readers = [jid for jid in named if not jid.device and self._is_other(jid, connection.device)]
                for lid in readers:
                    who = self.by_jid(lid)
                    assert who is not None
                    self._opened(who, node, who.decrypt_in_group(group.user, sender, each.content_bytes()), sender)
            else:
                who = self.by_jid(group)
                assert who is not None
                self._opened(who, node, who.decrypt(each.get_str("type"), each.content_bytes(), sender), sender)
        self.wake()

    def _is_other(self, jid: JID, device: Device) -> bool:
        who = self.by_jid(jid)
        return who is not None and who.phone != device.jid.user

    def members(self, group: Any, device: Device | None) -> list[JID]:
        """LIDs of all in a group but the device's owner; none when it is no group."""
        jid = as_jid(group)
        if jid.server != "g.us" or device is None:
            return []
        return [self.person(each).lid_jid for each in self.groups[jid.user].members if each != device.jid.user]

    def _opened(self, who: Person, node: Node, plain: bytes, sender: bytes) -> None:
        fields = unpack(plain)
        if 2 in fields:  # the sender's key for a group
            told = unpack(fields[2][0])
            who.learn_group_key(told[1][0].decode().partition("@")[0], sender, told[2][0])
        if set(fields) - {2, 35}:
            tags = tuple(each.tag for each in node.get_children())
            self.messages.append(Arrived(node.get_str("id"), who.phone, fields, node.get_str("edit") or "", tags))

    async def websocket(self, request: WebSocketRequest) -> None:
        """One client."""
        if self.turned_away:
            self.turned_away -= 1
            await request.reject(503)
            return
        connection = Connection(self, await request.accept())
        try:
            await connection.run()
        except GONE:
            pass
        except Exception as error:  # noqa: BLE001  (told to the test)
            self.errors.append(repr(error))
        finally:
            if connection.device is not None and connection.device.connection is connection:
                connection.device.connection = None
            self.wake()
