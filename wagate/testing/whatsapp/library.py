"""What the fake needs of pywhats (the server's side of WhatsApp's cryptography), and a mend of it."""

from __future__ import annotations

from typing import Any

from pywhats.binary import Node, decode, encode
from pywhats.binary import decoder as _decoder
from pywhats.binary.jid import parse_jid
from pywhats.events import JID
from pywhats.messaging.padding import pad_random_max16, unpad_random_max16
from pywhats.proto import HandshakeMessage
from pywhats.signal import experimental as signal
from pywhats.signal.experimental import sender_key
from pywhats.socket.crypto import dh
from pywhats.socket.noise import SymmetricState

__all__ = [
    "JID",
    "HandshakeMessage",
    "Node",
    "SymmetricState",
    "as_jid",
    "decode",
    "dh",
    "encode",
    "pad_random_max16",
    "sender_key",
    "signal",
    "unpad_random_max16",
]

_NODES = frozenset({0, 248, 249})
"""Tags of content that is a list of nodes."""


def _content(reader: Any) -> Any:
    tag = reader.u8()
    if tag in _NODES:
        return [_decoder._read_node(reader) for _ in range(_decoder._read_list_size(reader, tag))]  # noqa: SLF001
    found = _decoder._read_string_or_bytes(reader, tag)  # noqa: SLF001
    return found.encode() if isinstance(found, str) else found


# pywhats 0.2.0 can't read content that is a token or packed digits.
_decoder._read_content = _content  # noqa: SLF001


def as_jid(value: Any) -> JID:
    """A node's attribute as a JID."""
    return value if isinstance(value, JID) else parse_jid(str(value))
