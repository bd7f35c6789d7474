"""What all devices of a number share (WhatsApp's app state), at the fake server: encrypted for it, patch after patch.

The server only keeps patches and hands them out; whatsmeow checks every hash in them. Source: whatsmeow,
``appstate.go`` (stanzas, 409 on a version that is not the last), ``appstate/encode.go`` and ``hash.go`` (patches),
``appstate/keys.go`` (names, keys by HKDF).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wagate.testing.whatsapp.groups import RefusedError
from wagate.testing.whatsapp.library import Node
from wagate.testing.whatsapp.protobuf import Fields, pack, unpack

COLLECTIONS = frozenset({"critical_block", "critical_unblock_low", "regular_high", "regular", "regular_low"})
CONTACT, PUSH_NAME = 3, 7
"""SyncActionValue.contactAction, .pushNameSetting"""


@dataclass
class Collection:
    """One part of it."""

    patches: list[bytes] = field(default_factory=list)
    """SyncdPatch, with its version."""
    macs: dict[bytes, bytes] = field(default_factory=dict)
    """By index: the last value's."""
    total: bytes = bytes(128)
    """The hash of all values."""


class Shared:
    """One number's."""

    def __init__(self) -> None:
        self.key_id, self.secret = os.urandom(6), os.urandom(32)
        wide = HKDF(hashes.SHA256(), 160, None, b"WhatsApp Mutation Keys").derive(self.secret)
        self._index, self._value, self._value_mac, self._snapshot_mac, self._patch_mac = (
            wide[at : at + 32] for at in range(0, 160, 32)
        )
        self._collections = {name: Collection() for name in COLLECTIONS}
        self.told: dict[tuple[str, ...], Fields] = {}
        """What holds: the index → SyncActionValue by field numbers."""

    def key_share(self) -> Fields:
        """The phone's message that hands over the keys."""
        about = {1: self.secret, 2: {1: 1, 2: 0, 3: [0]}, 3: 1}
        return {12: {2: 6, 7: {1: [{1: {1: self.key_id}, 2: about}]}}}

    def sync(self, inner: Node) -> list[Node]:
        """``w:sync:app:state``: look, or add a patch."""
        return [Node("sync", {}, [self._synced(each) for each in inner.get_children("collection")])]

    def _synced(self, asked: Node) -> Node:
        name = asked.get_str("name")
        if name not in COLLECTIONS:
            raise RefusedError("400", "bad-request")
        found, since, added = self._collections[name], int(asked.get_str("version") or 0), asked.get_child("patch")
        attrs = {"name": name, "version": str(len(found.patches))}
        if added is not None and since != len(found.patches):
            error = Node("error", {"code": "409", "text": "conflict"})
            return Node("collection", attrs | {"type": "error"}, [error, self._since(found, since)])
        if added is not None:
            self._keep(name, added.content_bytes())
            return Node("collection", attrs | {"version": str(len(found.patches))})
        return Node("collection", attrs, [self._since(found, since)] if since < len(found.patches) else None)

    def _since(self, found: Collection, since: int) -> Node:
        return Node("patches", {}, [Node("patch", {}, each) for each in found.patches[since:]])

    def _keep(self, name: str, patch: bytes) -> None:
        found = self._collections[name]
        found.patches.append(patch + pack({1: {1: len(found.patches) + 1}}))
        for raw in unpack(patch)[2]:
            record = unpack(unpack(raw)[2][0])
            index_mac, blob = unpack(record[1][0])[1][0], unpack(record[2][0])[1][0]
            self._count(found, index_mac, blob[-32:])
            data = unpack(self._opened(blob[:-32]))
            self.told[tuple(json.loads(data[1][0]))] = unpack(data[2][0])

    def _count(self, found: Collection, index_mac: bytes, mac: bytes) -> None:
        for each, sign in ((found.macs.get(index_mac), -1), (mac, 1)):
            if each is not None:
                wide = HKDF(hashes.SHA256(), 128, None, b"WhatsApp Patch Integrity").derive(each)
                found.total = _added(found.total, wide, sign)
        found.macs[index_mac] = mac

    def put(self, name: str, index: Sequence[str], value: Fields, version: int) -> None:
        """The phone changes something."""
        found = self._collections[name]
        where = json.dumps(list(index)).encode()
        sealed = self._sealed(pack({1: where, 2: {1: 1, **value}, 3: b"", 4: version}))
        mac = self._mac(sealed)
        index_mac = hmac.new(self._index, where, hashlib.sha256).digest()
        record: Fields = {1: {1: index_mac}, 2: {1: sealed + mac}, 3: {1: self.key_id}}
        after = Collection(macs=dict(found.macs), total=found.total)
        self._count(after, index_mac, mac)
        number = (len(found.patches) + 1).to_bytes(8, "big")
        snapshot = hmac.new(self._snapshot_mac, after.total + number + name.encode(), hashlib.sha256).digest()
        whole = hmac.new(self._patch_mac, snapshot + mac + number + name.encode(), hashlib.sha256).digest()
        self._keep(name, pack({2: [{1: 0, 2: record}], 4: snapshot, 5: whole, 6: {1: self.key_id}}))

    def _mac(self, sealed: bytes) -> bytes:
        told = b"\x01" + self.key_id + sealed + (len(self.key_id) + 1).to_bytes(8, "big")
        return hmac.new(self._value_mac, told, hashlib.sha512).digest()[:32]

    def _sealed(self, plain: bytes) -> bytes:
        start, pad = os.urandom(16), padding.PKCS7(128).padder()
        box = Cipher(algorithms.AES(self._value), modes.CBC(start)).encryptor()
        return start + box.update(pad.update(plain) + pad.finalize()) + box.finalize()

    def _opened(self, sealed: bytes) -> bytes:
        pad = padding.PKCS7(128).unpadder()
        box = Cipher(algorithms.AES(self._value), modes.CBC(sealed[:16])).decryptor()
        return pad.update(box.update(sealed[16:]) + box.finalize()) + pad.finalize()


def _added(total: bytes, wide: bytes, sign: int) -> bytes:
    """Sixteen bits each, little-endian, without carry."""
    out: list[Any] = []
    for at in range(0, 128, 2):
        two = int.from_bytes(total[at : at + 2], "little") + sign * int.from_bytes(wide[at : at + 2], "little")
        out.append((two & 0xFFFF).to_bytes(2, "little"))
    return b"".join(out)
