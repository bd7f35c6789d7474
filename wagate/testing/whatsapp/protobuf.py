"""Protobuf without schemas: field numbers → values; enough for the few messages that the fake makes and reads."""

from __future__ import annotations

from typing import Any

Fields = dict[int, Any]


def pack(fields: Fields) -> bytes:
    """Bytes of a message: ints are varints, all else is length-delimited; a list repeats its field."""
    out = bytearray()
    for number, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, float):
                raise TypeError("floats are written as eight bytes: see double()")
            if isinstance(each, int):
                out += _varint(number << 3) + _varint(int(each))
            elif isinstance(each, Double):
                out += _varint(number << 3 | 1) + each
            else:
                raw = pack(each) if isinstance(each, dict) else each.encode() if isinstance(each, str) else each
                out += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return bytes(out)


class Double(bytes):
    """Eight bytes that are a double."""


def unpack(raw: bytes) -> dict[int, list[Any]]:
    """What is in a message: each field's values, in order."""
    out: dict[int, list[Any]] = {}
    at = 0
    while at < len(raw):
        key, at = _read_varint(raw, at)
        size = 0
        if key & 7 == 0:
            value: Any
            value, at = _read_varint(raw, at)
        else:
            if key & 7 == 2:
                size, at = _read_varint(raw, at)
            else:
                size = 4 if key & 7 == 5 else 8
            value, at = raw[at : at + size], at + size
        out.setdefault(key >> 3, []).append(value)
    return out


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at
