"""One connection of a client: Noise XX, then stanzas both ways."""

from __future__ import annotations

import base64
import os
import time
from typing import TYPE_CHECKING, Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from wagate.testing.whatsapp.library import (
    JID,
    HandshakeMessage,
    Node,
    SymmetricState,
    as_jid,
    decode,
    dh,
    encode,
    signal,
)
from wagate.testing.whatsapp.people import Device
from wagate.testing.whatsapp.protobuf import pack, unpack

if TYPE_CHECKING:
    from wagate.testing.whatsapp.server import FakeWhatsApp

SERVER = JID("", "s.whatsapp.net")
GONE = (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError)


class Connection:
    """A client's websocket."""

    def __init__(self, server: FakeWhatsApp, socket: WebSocketConnection) -> None:
        self.server = server
        self.socket = socket
        self.device: Device | None = None
        self.register: dict[int, list[Any]] = {}
        """What an unlinked client says of its keys."""
        self.pending: Device | None = None
        """What it will be once it signed."""
        self._buffer = b""
        self._sending = trio.Lock()
        self._count = 0

    async def run(self) -> None:
        """Shake hands, then serve stanzas until it is closed."""
        await self._handshake()
        while True:
            node = decode(self._inbound.decrypt_with_ad(b"", await self._frame()))
            handler = getattr(self, f"_on_{node.tag.replace(':', '_')}", None)
            if handler is not None:
                await handler(node)

    async def send(self, node: Node) -> None:
        """One stanza."""
        async with self._sending:
            await self._raw(self._outbound.encrypt_with_ad(b"", encode(node)))

    async def close(self, node: Node | None = None) -> None:
        """Say why, and close."""
        try:
            if node is not None:
                await self.send(node)
                await trio.sleep(self.server.linger)  # closed at once, whatsmeow drops the stanza now and then
            with trio.move_on_after(1):
                await self.socket.aclose()
        except GONE:
            pass

    async def cut(self) -> None:
        """The cable: nothing more, without a word."""
        await trio.aclose_forcefully(self.socket._stream)  # noqa: SLF001  (the socket below)

    async def tear(self, node: Node) -> None:
        """The first half of a stanza's frame, then the cable is cut."""
        async with self._sending:
            frame = _framed(self._outbound.encrypt_with_ad(b"", encode(node)))
            await self.socket.send_message(frame[: len(frame) // 2])
        await self.cut()

    def next_id(self) -> str:
        """Of a stanza of ours."""
        self._count += 1
        return f"srv-{self._count}"

    async def result(self, node: Node, children: list[Node] | None = None) -> None:
        """Answer a query."""
        attrs = {"from": node.attrs.get("to", SERVER), "id": node.get_str("id"), "type": "result"}
        await self.send(Node("iq", attrs, children or None))

    async def fail(self, node: Node, code: str, text: str) -> None:
        """Refuse one."""
        attrs = {"from": SERVER, "id": node.get_str("id"), "type": "error"}
        await self.send(Node("iq", attrs, [Node("error", {"code": code, "text": text})]))

    async def _need(self, size: int) -> None:
        while len(self._buffer) < size:
            data = await self.socket.get_message()
            assert isinstance(data, bytes)
            self._buffer += data

    async def _frame(self) -> bytes:
        await self._need(3)
        size = int.from_bytes(self._buffer[:3], "big")
        await self._need(3 + size)
        frame, self._buffer = self._buffer[3 : 3 + size], self._buffer[3 + size :]
        return frame

    async def _raw(self, data: bytes) -> None:
        await self.socket.send_message(_framed(data))

    async def _handshake(self) -> None:
        await self._need(4)
        if self._buffer[:2] == b"ED":  # where to be routed, from the last login
            await self._need(7)
            size = int.from_bytes(self._buffer[4:7], "big")
            await self._need(7 + size + 4)
            self._buffer = self._buffer[7 + size :]
        head, self._buffer = self._buffer[:4], self._buffer[4:]
        hello = unpack(unpack(HandshakeMessage.FromString(await self._frame()).SerializeToString())[2][0])
        # A resumption (IK: its hello has a static key, too) is answered in full, and the client falls back.
        name = b"Noise_XXfallback_25519_AESGCM_SHA256" if 2 in hello else b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
        noise = SymmetricState(name, "AESGCM")
        noise.mix_hash(head)
        theirs = hello[1][0]
        noise.mix_hash(theirs)
        own = signal.IdentityKeyPair.generate()
        noise.mix_hash(own.public)
        noise.mix_key(dh(own.private, theirs))
        static = noise.encrypt_and_hash(self.server.static.public)
        noise.mix_key(dh(self.server.static.private, theirs))
        await self._raw(pack({3: {1: own.public, 2: static, 3: noise.encrypt_and_hash(self.server.certificate)}}))
        finish = unpack(unpack(await self._frame())[4][0])
        noise.mix_key(dh(own.private, noise.decrypt_and_hash(finish[1][0])))
        login = unpack(noise.decrypt_and_hash(finish[2][0]))
        self._inbound, self._outbound = noise.split()
        if refusal := self.server.take_refusal():
            await self._refuse(refusal)
        elif 19 in login:
            self.register = unpack(login[19][0])
            await self._offer_codes()
        else:
            await self._login(login)

    async def _offer_codes(self) -> None:
        refs = [f"2@{base64.b64encode(os.urandom(64)).decode()}" for _ in range(self.server.codes_each)]
        self.server.asked_for_codes += 1
        self.server.waiting.update(dict.fromkeys(refs, self))
        self.server.wake()
        nodes = [Node("ref", {}, each.encode()) for each in refs]
        attrs = {"from": SERVER, "id": self.next_id(), "type": "set", "xmlns": "md"}
        await self.send(Node("iq", attrs, [Node("pair-device", {}, nodes)]))

    async def _login(self, login: dict[int, list[Any]]) -> None:
        found = self.server.devices.get((str(login[1][0]), login.get(18, [0])[0]))
        if found is None:
            await self._refuse({"reason": "401", "location": "lla"})
            return
        if found.connection is not None:
            await found.connection.close(Node("stream:error", {}, [Node("conflict", {"type": "replaced"})]))
        self.device, found.connection = found, None
        self.server.logins += 1
        now = str(int(time.time()))
        success = {"t": now, "props": "27", "location": "lla", "lid": found.lid, "display_name": "Fake"}
        await self.send(Node("success", success | {"companion_enc_static": ""}))
        await self._offline(found)
        found.connection = self
        self.server.wake()

    async def _refuse(self, attrs: dict[str, str]) -> None:
        await self.send(Node("failure", attrs))
        # Closed at once, whatsmeow drops the stanza now and then.
        await trio.sleep(self.server.linger)
        await self.socket.aclose()

    async def _offline(self, device: Device) -> None:
        """What came while it was away, and meanwhile: nothing live overtakes it, as at WhatsApp."""
        count = str(len(device.queue))
        preview = {"count": count, "message": count, "receipt": "0", "notification": "0", "appdata": "0"}
        await self.send(Node("ib", {"from": SERVER}, [Node("offline_preview", preview)]))
        sent: set[str] = set()
        await self._catch_up(device, sent)
        await self.send(Node("ib", {"from": SERVER}, [Node("offline", {"count": count})]))
        await self._catch_up(device, sent)

    async def _catch_up(self, device: Device, sent: set[str]) -> None:
        while fresh := [(name, node) for name, node in device.queue if name not in sent]:
            for name, node in fresh:
                sent.add(name)
                node.attrs["offline"] = "1"
                await self.send(node)

    async def _on_iq(self, node: Node) -> None:
        await self.server.queries.answer(self, node)

    async def _on_ack(self, node: Node) -> None:
        if self.device and node.get_str("class") in {"message", "notification"}:
            self._received({node.get_str("id")})

    async def _on_receipt(self, node: Node) -> None:
        kind = node.get_str("type")
        items = [item for each in node.get_children("list") for item in each.get_children("item")]
        ids = {node.get_str("id"), *(item.get_str("id") for item in items)}
        if kind == "retry":
            self.server.retries += 1
        else:
            self._received(ids)
        if kind == "read":
            self.server.read.extend(sorted(ids))
        attrs = {"class": "receipt", "id": node.get_str("id"), "from": node.attrs.get("to", SERVER)}
        await self.send(Node("ack", attrs | ({"type": kind} if kind else {})))
        self.server.wake()

    async def _on_message(self, node: Node) -> None:
        if self.server.swallow:
            self.server.swallow -= 1
            self.server.wake()
            return
        if self.server.silent:
            self.server.silent -= 1
            self.server.arrived(self, node)
            return
        to, now, held = node.attrs["to"], str(int(time.time())), self.server.held
        ack = Node("ack", {"class": "message", "id": node.get_str("id"), "from": to, "t": now})
        if held is None:
            await self.send(ack)
        self.server.arrived(self, node)
        if held is not None:
            await held.wait()
            await self.send(ack)
        readers = [{"participant": each} for each in self.server.members(to, self.device)] or [{}]
        for reader in readers:
            for kind in ("", "read")[: self.server.receipts]:
                attrs = {"id": node.get_str("id"), "from": to, "t": now} | ({"type": kind} if kind else {})
                await self.send(Node("receipt", attrs | reader))

    async def _on_chatstate(self, node: Node) -> None:
        child = node.get_children()[0]
        word = "recording" if child.attrs.get("media") == "audio" else child.tag
        self.server.typed.append(f"{as_jid(node.attrs['to']).user} {word}")
        self.server.wake()

    async def _on_presence(self, node: Node) -> None:
        """Ours, or a wish to hear of somebody's; one is told how they are right away."""
        if node.get_str("type") == "subscribe":
            who = self.server.by_jid(as_jid(node.attrs["to"]))
            if who is not None:
                self.server.watched.append(who.phone)
                await self.send(
                    Node("presence", {"from": node.attrs["to"], "type": "unavailable", "last": "1700000000"})
                )
        else:
            self.server.shown = node.get_str("type")
        self.server.wake()

    async def _on_call(self, node: Node) -> None:
        self.server.rejected += [each.get_str("call-id") for each in node.get_children("reject")]
        self.server.wake()

    def _received(self, ids: set[str]) -> None:
        if self.device:
            self.device.queue = [each for each in self.device.queue if each[0] not in ids]
            self.server.wake()


def _framed(data: bytes) -> bytes:
    """With its length before it."""
    return len(data).to_bytes(3, "big") + data
