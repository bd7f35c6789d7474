"""People with phones, and the devices that are linked: who holds which keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wagate.testing.whatsapp.library import JID, pad_random_max16, sender_key, signal, unpad_random_max16

if TYPE_CHECKING:
    from wagate.testing.whatsapp.connection import Connection


@dataclass
class Device:
    """A linked device: our client, as the server knows it."""

    jid: JID
    lid: JID
    identity: bytes
    registration: int
    signed_key: tuple[int, bytes, bytes]
    """Id, public key, signature."""
    keys: list[tuple[int, bytes]] = field(default_factory=list)
    """One-time keys that it uploaded."""
    connection: Connection | None = None
    queue: list[tuple[str, Any]] = field(default_factory=list)
    """Stanzas without a receipt yet, by id: they come again with the next login."""


class Session:
    """A Signal session with one device."""

    def __init__(self, ratchet: Any, theirs: bytes, pending: tuple[bytes, int, int | None] | None) -> None:
        self.ratchet = ratchet
        self.theirs = theirs
        self.pending = pending
        """What the first messages carry until an answer came."""


class Person:
    """A WhatsApp user with a phone: device 0, its keys and sessions."""

    def __init__(self, phone: str, lid: str, name: str) -> None:
        self.phone, self.lid, self.name = phone, lid, name
        self.identity = signal.IdentityKeyPair.generate()
        self.registration = 4711
        self.signed_key = signal.SignedPreKey.generate(self.identity, 1)
        self.keys = {number: signal.generate_pre_key(number) for number in range(1, 200)}
        self.sessions: dict[bytes, Session] = {}
        self._bases: dict[bytes, bytes] = {}
        self._own_keys: dict[str, Any] = {}
        """By group: with what this person writes there."""
        self._their_keys: dict[tuple[str, bytes], Any] = {}
        """By group and a device's identity: with what that device writes there."""

    @property
    def jid(self) -> JID:
        """By phone."""
        return JID(self.phone, "s.whatsapp.net")

    @property
    def lid_jid(self) -> JID:
        """By LID."""
        return JID(self.lid, "lid")

    def encrypt(self, device: Device, plain: bytes) -> tuple[str, bytes]:
        """For a device: the kind of message, and its bytes."""
        session = self.sessions.get(device.identity) or self._begin(device)
        header, cipher, mac_key = signal.ratchet_encrypt(session.ratchet, pad_random_max16(plain), b"")
        message = signal.SignalMessage(header, cipher)
        if session.pending is None:
            return "msg", message.encode(self.identity.public, session.theirs, mac_key)
        base, signed_id, once_id = session.pending
        full = signal.PreKeySignalMessage(self.registration, once_id, signed_id, base, self.identity.public, message)
        return "pkmsg", full.encode(self.identity.public, session.theirs, mac_key)

    def decrypt(self, kind: str, raw: bytes, sender: bytes) -> bytes:
        """What a device (its identity) wrote."""
        if kind == "pkmsg":
            outer = signal.PreKeySignalMessage.decode(raw)
            known = self.sessions.get(outer.identity_key)
            if known is None or known.pending is not None or outer.base_key != self._bases.get(sender):
                self._answer(outer, sender)
            message, sender = outer.message, outer.identity_key
        else:
            message = signal.SignalMessage.decode(raw)
        session = self.sessions[sender]
        session.pending = None

        def right(mac_key: bytes) -> bool:
            return bool(message.verify_mac(session.theirs, self.identity.public, mac_key))

        plain = signal.ratchet_decrypt(session.ratchet, message.header, message.ciphertext, b"", right)
        return bytes(unpad_random_max16(plain))

    def encrypt_for_group(self, group: str, plain: bytes) -> tuple[bytes, bytes]:
        """What tells the group's members the key, as it is now, and the message itself."""
        key = self._own_keys.get(group) or sender_key.create_sender_key_state(1)
        told = sender_key.build_distribution_message(key)
        cipher, self._own_keys[group] = sender_key.group_encrypt(key, pad_random_max16(plain))
        return bytes(told), bytes(cipher)

    def learn_group_key(self, group: str, sender: bytes, told: bytes) -> None:
        """A device told this person its key for a group."""
        self._their_keys[group, sender] = sender_key.process_distribution_message(told)

    def decrypt_in_group(self, group: str, sender: bytes, raw: bytes) -> bytes:
        """What a device wrote to a group."""
        plain, self._their_keys[group, sender] = sender_key.group_decrypt(self._their_keys[group, sender], raw)
        return bytes(unpad_random_max16(plain))

    def _begin(self, device: Device) -> Session:
        once = device.keys.pop(0) if device.keys else (None, None)
        bundle = signal.PreKeyBundle(device.identity, *device.signed_key, *once)
        made = signal.x3dh_initiator(self.identity, bundle)
        ratchet = signal.ratchet_init_alice(made.shared_secret, device.signed_key[1])
        session = Session(ratchet, device.identity, (made.ephemeral_public, device.signed_key[0], once[0]))
        self.sessions[device.identity] = session
        return session

    def _answer(self, outer: Any, sender: bytes) -> None:
        once = self.keys.get(outer.one_time_pre_key_id)
        made = signal.x3dh_responder(self.identity, self.signed_key, once, outer.identity_key, outer.base_key)
        ratchet = signal.ratchet_init_bob(made.shared_secret, self.signed_key.private, self.signed_key.public)
        self.sessions[outer.identity_key] = Session(ratchet, outer.identity_key, None)
        self._bases[sender] = outer.base_key
