"""What people do: write, send files, edit, react, call, type."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time
import zlib
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wagate.testing.whatsapp.groups import Group
from wagate.testing.whatsapp.library import JID, Node
from wagate.testing.whatsapp.people import Person
from wagate.testing.whatsapp.protobuf import Double, Fields, pack, unpack
from wagate.testing.whatsapp.server import Arrived, FakeWhatsApp
from wagate.testing.whatsapp.shared import CONTACT, PUSH_NAME

KINDS = {
    "image": (3, b"WhatsApp Image Keys"),
    "audio": (8, b"WhatsApp Audio Keys"),
    "document": (7, b"WhatsApp Document Keys"),
    "video": (9, b"WhatsApp Video Keys"),
    "gif": (9, b"WhatsApp Video Keys"),
    "sticker": (26, b"WhatsApp Image Keys"),
}

PLACES = {3: (8, 11), 8: (7, 9), 7: (7, 10), 9: (6, 13), 26: (4, 8)}
"""Where the key and the path on the shelf are, by the message's field."""


class World:
    """The people around one number of ours."""

    def __init__(self, server: FakeWhatsApp, ours: str) -> None:
        """``ours``: digits of the number."""
        self.server = server
        self.ours = ours
        self.blobs: dict[str, bytes] = {}
        """What lies on the shelf, by path."""
        self._count = 0

    async def text(self, sender: str, text: str, *, lid: bool = True) -> str:
        """Somebody writes; the message's id. ``lid``: addressed by LID, as WhatsApp does now, else by phone."""
        return await self.message(sender, {1: text}, lid=lid)

    async def reply(self, sender: str, text: str, quoted: str) -> str:
        """Somebody answers a message of ours."""
        context = {1: quoted, 2: f"{self.ours}@s.whatsapp.net", 3: {1: "…"}}
        return await self.message(sender, {6: {1: text, 17: context}})

    async def poll(self, sender: str, name: str, *options: str, secret: bytes) -> str:
        """Somebody asks, with one answer to choose."""
        body = {64: {2: name, 3: [{1: each} for each in options], 4: 1}, 35: {3: secret}}
        return await self.message(sender, body, kind="poll", attrs={"type": "poll"})

    async def vote(self, sender: str, poll: str, secret: bytes, *options: str, ours: bool = True) -> str:
        """Somebody chooses, in a poll of ours or of theirs; no option takes the vote back."""
        who, us = self.server.person(sender).lid_jid, self.server.person(self.ours)
        voter, writer = f"{who.user}@lid", f"{us.lid}@lid" if ours else f"{who.user}@lid"
        plain = pack({1: [hashlib.sha256(each.encode()).digest() for each in options]})
        start = os.urandom(12)
        box = sealed_with_secret(plain, secret, poll, (writer, voter), start)
        key = {1: f"{self.ours}@s.whatsapp.net", 2: not ours, 3: poll}
        body = {50: {1: key, 2: {1: box, 2: start}, 4: int(time.time() * 1000)}}
        return await self.message(sender, body, kind="poll", attrs={"type": "poll"})

    async def receipt(self, sender: str, message: str, kind: str = "") -> None:
        """A message of ours arrives (or is ``read``) late."""
        who = self.server.person(sender)
        attrs = {"from": who.lid_jid, "id": message, "t": str(int(time.time()))} | ({"type": kind} if kind else {})
        await self.server.deliver(self.server.device(self.ours), Node("receipt", attrs), keep=False)

    async def read_on_phone(self, sender: str, message: str, kind: str = "read", *, group: str = "") -> None:
        """Our phone shows a message of theirs to its owner; ``read-self``: with read receipts switched off."""
        ours, device = self.server.person(self.ours), self.server.device(self.ours)
        attrs: dict[str, object] = {"id": message, "t": str(int(time.time())), "type": kind}
        if group:
            attrs |= {"from": JID(group, "g.us"), "participant": ours.lid_jid, "addressing_mode": "lid"}
        else:
            attrs |= {"from": ours.lid_jid, "recipient": self.server.person(sender).lid_jid}
        await self.server.deliver(device, Node("receipt", attrs), keep=False)

    async def history(self, messages: Sequence[tuple[str, str, bool, float]]) -> None:
        """Our phone gives messages of the past: (whose chat, text, whether we wrote it, Unix seconds)."""
        chats: dict[str, list[Fields]] = {}
        for number, (phone, text, ours, at) in enumerate(messages):
            who = self.server.person(phone)
            key: Fields = {1: f"{who.lid}@lid", 2: ours, 3: f"3EB0{number:02}{os.urandom(7).hex().upper()}"}
            info = {1: key, 2: {1: text}, 3: int(at), 4: 4, 19: "" if ours else who.name}
            chats.setdefault(phone, []).append({1: info})
        lids = {phone: f"{self.server.person(phone).lid}@lid" for phone in chats}
        kept = [{1: lids[phone], 2: told, 39: f"{phone}@s.whatsapp.net"} for phone, told in chats.items()]
        content, secret, path = zlib.compress(pack({1: 3, 2: kept})), os.urandom(32), f"/v/{os.urandom(8).hex()}"
        self.blobs[path] = blob = sealed(content, secret, b"WhatsApp History Keys")
        sha, outer = hashlib.sha256(content).digest(), hashlib.sha256(blob).digest()
        note = {1: sha, 2: len(content), 3: secret, 4: outer, 5: f"{path}?x=1", 6: 3, 7: 1}
        await self.message(self.ours, {12: {2: 5, 6: note}}, attrs={"category": "peer"})

    async def share(self, name: str = "Our shop", contacts: Sequence[str] = ()) -> None:
        """Our phone hands over what all devices share, some seconds after linking: its name, and who is in its book."""
        shared = self.server.shared(self.ours)
        shared.put("critical_block", ["setting_pushName"], {PUSH_NAME: {1: name}}, version=1)
        for each in contacts:
            where = ["contact", f"{each}@s.whatsapp.net"]
            shared.put("critical_unblock_low", where, {CONTACT: {1: self.server.person(each).name}}, version=2)
        await self.message(self.ours, shared.key_share(), attrs={"category": "peer"})

    async def location(self, sender: str, latitude: float, longitude: float) -> str:
        """Somebody sends a place."""
        return await self.message(sender, {5: {1: _double(latitude), 2: _double(longitude), 3: "Here"}})

    async def edit(self, sender: str, message: str, text: str) -> str:
        """Somebody edits a message of theirs."""
        key = {1: f"{self.ours}@s.whatsapp.net", 2: True, 3: message}
        body = {12: {1: key, 2: 14, 14: {1: text}, 15: int(time.time() * 1000)}}
        return await self.message(sender, body, attrs={"edit": "1"})

    async def revoke(self, sender: str, message: str) -> str:
        """Somebody takes a message of theirs back."""
        key = {1: f"{self.ours}@s.whatsapp.net", 2: True, 3: message}
        return await self.message(sender, {12: {1: key, 2: 0}}, attrs={"edit": "7"})

    async def react(self, sender: str, message: str, emoji: str) -> str:
        """Somebody reacts to a message of ours."""
        key = {1: f"{self.ours}@s.whatsapp.net", 2: False, 3: message}
        body = {46: {1: key, 2: emoji, 4: int(time.time() * 1000)}}
        return await self.message(sender, body, kind="reaction")

    async def write_by_thumb(self, to: str, text: str) -> str:
        """Our own phone writes: the linked device gets a copy."""
        person = self.server.person(to)
        body = {31: {1: f"{to}@s.whatsapp.net", 2: pack({1: text})}}
        attrs = {"recipient": person.lid_jid, "peer_recipient_pn": person.jid}
        return await self.message(self.ours, body, attrs=attrs)

    async def file(self, sender: str, kind: str, content: bytes, mimetype: str, caption: str = "") -> str:
        """Somebody sends a file, of one of `KINDS`; ``audio`` is a voice message."""
        number, info = KINDS[kind]
        key, path = os.urandom(32), f"/v/{os.urandom(8).hex()}"
        blob = sealed(content, key, info)
        self.blobs[path] = blob
        url, sha, outer = f"https://{self.server.shelf}{path}?x=1", hashlib.sha256(content), hashlib.sha256(blob)
        size = len(content)
        fields: dict[str, Fields] = {
            "image": {1: url, 2: mimetype, 3: caption, 4: sha.digest(), 5: size, 8: key, 9: outer.digest()},
            "audio": {1: url, 2: mimetype, 3: sha.digest(), 4: size, 5: 3, 6: True, 7: key, 8: outer.digest()},
            "document": {1: url, 2: mimetype, 4: sha.digest(), 5: size, 7: key, 8: "file.bin", 9: outer.digest()},
            "video": {1: url, 2: mimetype, 3: sha.digest(), 4: size, 6: key, 7: caption, 11: outer.digest()},
            "sticker": {1: url, 2: sha.digest(), 3: outer.digest(), 4: key, 5: mimetype, 9: size},
        }
        fields["gif"] = fields["video"] | {8: True}
        body = {number: fields[kind] | {PLACES[number][1]: f"{path}?x=1"}}
        return await self.message(sender, body, kind="media", media="ptt" if kind == "audio" else kind)

    def received(self, message: Arrived) -> bytes:
        """The file of a message of ours, as the person opens it."""
        number = next(each for each, _ in KINDS.values() if each in message.fields)
        info = next(each for place, each in KINDS.values() if place == number)
        fields, (key, path) = unpack(message.fields[number][0]), PLACES[number]
        return opened(self.blobs[fields[path][0].decode().partition("?")[0]], fields[key][0], info)

    async def call(self, sender: str, call: str) -> None:
        """It rings."""
        who = self.server.person(sender)
        offer = {"call-id": call, "call-creator": who.lid_jid, "caller_pn": who.jid}
        await self._stanza("call", who, Node("offer", offer, [Node("audio", {"enc": "opus", "rate": "16000"})]))

    async def pick_up(self, sender: str, call: str) -> None:
        """It is answered, on our phone."""
        who = self.server.person(sender)
        await self._stanza("call", who, Node("accept", {"call-id": call, "call-creator": who.lid_jid}))

    async def hang_up(self, sender: str, call: str, reason: str = "timeout") -> None:
        """It rings no more, or is over."""
        who = self.server.person(sender)
        attrs = {"call-id": call, "call-creator": who.lid_jid, "reason": reason}
        await self._stanza("call", who, Node("terminate", attrs))

    async def type(self, sender: str) -> None:
        """Somebody types."""
        await self._stanza("chatstate", self.server.person(sender), Node("composing", {}))

    def group(self, subject: str, *members: str) -> str:
        """A group of our number and these; its id without ``@g.us``."""
        made = Group(f"12036300{len(self.server.groups):04d}", subject, (self.ours, *members))
        self.server.groups[made.id] = made
        return made.id

    async def make_group(self, sender: str, subject: str, *members: str) -> str:
        """Somebody makes a group with our number in it; its id without ``@g.us``."""
        made = Group(f"12036300{len(self.server.groups):04d}", subject, (sender, self.ours, *members))
        self.server.groups[made.id] = made
        create = {"type": "new", "key": os.urandom(8).hex()}
        await self._change(sender, made, Node("create", create, [self.server.group_queries.shown(made)]))
        return made.id

    async def rename_group(self, sender: str, group: str, subject: str) -> None:
        """Somebody gives a group another name."""
        who, found = self.server.person(sender), self.server.groups[group]
        found.subject = subject
        attrs = {"subject": subject, "s_t": str(int(time.time())), "s_o": who.lid_jid, "s_o_pn": who.jid}
        await self._change(sender, found, Node("subject", attrs))

    async def describe_group(self, sender: str, group: str, text: str) -> None:
        """Somebody changes what a group says of itself; '' takes it away."""
        found = self.server.groups[group]
        found.description, found.description_id = text, os.urandom(8).hex() if text else ""
        inner = Node("body", {}, text.encode()) if text else Node("delete", {})
        await self._change(sender, found, Node("description", {"id": found.description_id or "0"}, [inner]))

    async def change_members(self, sender: str, group: str, change: str, *phones: str) -> None:
        """Somebody does ``add``, ``remove``, ``promote`` or ``demote``."""
        found = self.server.groups[group]
        await self._change(sender, found, self.server.group_queries.change_members(found, change, phones))

    async def rule_group(self, sender: str, group: str, rule: str) -> None:
        """Somebody sets a rule: ``announcement``, ``not_announcement``, ``locked``, ``unlocked``."""
        found = self.server.groups[group]
        setattr(found, rule.removeprefix("not_").replace("unlocked", "locked"), rule in {"announcement", "locked"})
        await self._change(sender, found, Node(rule, {"v_id": "1"} if "announcement" in rule else {}))

    async def _change(self, sender: str, group: Group, change: Node) -> None:
        told = self.server.group_queries.told(sender, group, change)
        await self.server.deliver(self.server.device(self.ours), told)

    def show(self, of: str, picture: bytes) -> str:
        """Somebody (a phone), or a group (its id), has a picture from now on; where it lies."""
        path = f"/v/{os.urandom(8).hex()}"
        self.blobs[path] = picture
        self.server.profiles.pictures[of] = path
        return f"https://{self.server.shelf}{path}"

    async def change_picture(self, sender: str, group: str = "", *, removed: bool = False) -> None:
        """Somebody changes, or removes, their picture or a group's."""
        who = self.server.person(sender)
        whose: object = JID(group, "g.us") if group else who.lid_jid
        inner = Node("delete" if removed else "set", {"jid": whose, "author": who.lid_jid, "id": "1700000001"})
        attrs = {"from": whose, "type": "picture", "id": os.urandom(8).hex(), "t": str(int(time.time()))}
        await self.server.deliver(self.server.device(self.ours), Node("notification", attrs, [inner]))

    async def text_in_group(self, sender: str, group: str, text: str) -> str:
        """Somebody writes to a group; the key for it goes along with each message."""
        self._count += 1
        device, who, ident = self.server.device(self.ours), self.server.person(sender), f"3EB0{self._count:016X}"
        told, cipher = who.encrypt_for_group(group, pack({1: text}))
        how, key = who.encrypt(device, pack({2: {1: f"{group}@g.us", 2: told}}))
        attrs = {"from": JID(group, "g.us"), "participant": who.lid_jid, "participant_pn": who.jid}
        attrs |= {"id": ident, "type": "text", "t": str(int(time.time())), "notify": who.name}
        inner = [Node("enc", {"v": "2", "type": how}, key), Node("enc", {"v": "2", "type": "skmsg"}, cipher)]
        await self.server.deliver(device, Node("message", attrs | {"addressing_mode": "lid"}, inner))
        return ident

    async def message(
        self,
        sender: str,
        fields: Fields,
        *,
        lid: bool = True,
        kind: str = "text",
        media: str = "",
        attrs: dict[str, object] | None = None,
    ) -> str:
        """Any message (WhatsApp's ``Message`` by field numbers); its id."""
        self._count += 1
        device, who, ident = self.server.device(self.ours), self.server.person(sender), f"3EB0{self._count:016X}"
        how, cipher = who.encrypt(device, pack(fields))
        head: dict[str, object] = {"id": ident, "type": kind, "t": str(int(time.time())), "notify": who.name}
        if lid:
            head |= {"from": who.lid_jid, "addressing_mode": "lid", "sender_pn": who.jid}
        else:
            head |= {"from": who.jid, "addressing_mode": "pn", "sender_lid": who.lid_jid}
        inner = Node("enc", {"v": "2", "type": how} | ({"mediatype": media} if media else {}), cipher)
        await self.server.deliver(device, Node("message", head | (attrs or {}), [inner]))
        return ident

    async def _stanza(self, tag: str, who: Person, inner: Node) -> None:
        attrs = {"from": who.lid_jid, "id": os.urandom(8).hex(), "t": str(int(time.time()))}
        more = {"platform": "android", "version": "2.24"} if tag == "call" else {}
        await self.server.deliver(self.server.device(self.ours), Node(tag, attrs | more, [inner]), keep=False)


def sealed(content: bytes, key: bytes, info: bytes) -> bytes:
    """A file as it lies on the shelf."""
    wide = HKDF(hashes.SHA256(), 112, None, info).derive(key)
    pad, box = padding.PKCS7(128).padder(), Cipher(algorithms.AES(wide[16:48]), modes.CBC(wide[:16])).encryptor()
    cipher = box.update(pad.update(content) + pad.finalize()) + box.finalize()
    return cipher + hmac.new(wide[48:80], wide[:16] + cipher, hashlib.sha256).digest()[:10]


def opened(blob: bytes, key: bytes, info: bytes) -> bytes:
    """The file, from what lies on the shelf; its MAC must be right."""
    wide = HKDF(hashes.SHA256(), 112, None, info).derive(key)
    cipher, mac = blob[:-10], blob[-10:]
    assert hmac.compare_digest(mac, hmac.new(wide[48:80], wide[:16] + cipher, hashlib.sha256).digest()[:10])
    unpad, box = padding.PKCS7(128).unpadder(), Cipher(algorithms.AES(wide[16:48]), modes.CBC(wide[:16])).decryptor()
    return unpad.update(box.update(cipher) + box.finalize()) + unpad.finalize()


def sealed_with_secret(plain: bytes, secret: bytes, message: str, people: tuple[str, str], start: bytes) -> bytes:
    """A vote, encrypted with the poll's secret; ``people``: who wrote the poll, and who votes."""
    wide = f"{message}{people[0]}{people[1]}Poll Vote".encode()
    key = HKDF(hashes.SHA256(), 32, None, wide).derive(secret)
    return AESGCM(key).encrypt(start, plain, f"{message}\0{people[1]}".encode())


def _double(value: float) -> Double:
    return Double(struct.pack("<d", value))
