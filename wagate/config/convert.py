"""Plain TOML values into typed settings, with an error that names file, key, reason and near miss for each fault."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from wagate.config.declared import declared_secrets, is_secret
from wagate.config.problems import Key, Problems, near
from wagate.config.redact import redact
from wagate.config.sources import CONTROL, Secret, Sourced, clean_secret, find_secrets
from wagate.config.tables import Unread
from wagate.config.units import Duration, Rate, Size

_TEXTUAL: Final = {Duration: "10s", Size: "10MiB", Rate: "600/min", Path: "data"}
"""Our own types, and how they are written."""
Settings = TypeVar("Settings", bound=msgspec.Struct)
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def convert_settings(
    settings_type: type[Settings], table: Mapping[str, Any], *, file: str | Path = "config.toml", key: str
) -> Settings:
    """One table as the struct that describes it, as in ``[plugins.<name>]`` or ``[accounts.<name>]``.

    Args:
        settings_type: its fields may be of any type that msgspec knows, and Duration, Size, Rate, Path.
        table: the table of the loaded `Config`; other keys than the struct's are refused.
        file: named in errors.
        key: where the table stands, as in ``plugins.webhook``.

    Raises:
        ConfigError: one line for each fault.
    """
    problems = Problems(str(file))
    settings = convert(settings_type, dict(table), tuple(key.split(".")), problems)
    problems.refuse()
    assert isinstance(settings, settings_type)
    return settings


def convert(kind: Any, value: Any, key: Key, problems: Problems) -> Any:
    """The value as ``kind``; when it can't be, a line in ``problems`` and a result of no use."""
    if kind == Unread:
        return value
    if isinstance(value, Sourced):
        return _convert_text(kind, value, key, problems)
    inner = _inner_kind(kind, value)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return _convert_struct(inner, value, key, problems)
    if isinstance(value, dict) and get_origin(inner) is dict:
        item_kind = get_args(inner)[1]
        return {name: convert(item_kind, item, (*key, name), problems) for name, item in value.items()}
    if isinstance(value, list) and get_origin(inner) is list:
        item_kind = get_args(inner)[0]
        return [convert(item_kind, item, (*key[:-1], f"{key[-1]}[{i}]"), problems) for i, item in enumerate(value)]
    return _convert_leaf(kind, value, key, problems)


def _inner_kind(kind: Any, value: Any) -> Any:
    """The member of a union that can hold this table or list; the kind itself when it is no union."""
    if kind is Any and type(value) in {dict, list}:
        return dict[str, Any] if isinstance(value, dict) else list[Any]
    origin = get_origin(kind)
    if origin is Annotated:
        return _inner_kind(get_args(kind)[0], value)
    members = get_args(kind) if origin in {Union, UnionType} else ()
    return next((member for member in members if _can_hold(member, value)), kind)


def _can_hold(kind: Any, value: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return isinstance(value, dict)
    return type(value) in {dict, list} and get_origin(kind) is type(value)


def _convert_struct(kind: type[msgspec.Struct], value: Any, key: Key, problems: Problems) -> Any:
    if not isinstance(value, dict):
        problems.add(key, f"must be a table, not {_word(value)}; write [{'.'.join(key)}]")
        return None
    before = len(problems.lines)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, item in value.items():
        if problems.full:
            return None
        if name not in fields:
            problems.add((*key, name), _unknown(name, key, fields))
            continue
        known = len(problems.lines)
        values[fields[name].name] = convert(fields[name].type, item, (*key, name), problems)
        if len(problems.lines) == known + 1 and "; " not in problems.lines[-1]:
            problems.lines[-1] += _example(fields[name])
    for name, field in fields.items():
        if field.required and name not in value:
            problems.add((*key, name), "is missing, and has no default")
    if len(problems.lines) > before:
        return None
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:  # from the struct's own __post_init__
        secrets = frozenset([*find_secrets(value), *declared_secrets(kind, value)])
        problems.add(key, redact(str(error), secrets))
        return None


def _unknown(name: str, key: Key, fields: Mapping[str, Any]) -> str:
    if close := near(name, fields):
        return f"unknown key; did you mean {'.'.join((*key, close))}?"
    return f"unknown key; known here: {', '.join(fields) or 'none'}"


def _example(field: msgspec.structs.FieldInfo) -> str:
    default = field.default
    if isinstance(default, tuple(_TEXTUAL)):
        default = str(default)
    if not isinstance(default, bool | int | float | str) or default == "":
        return ""
    return f"; for example {field.encode_name} = {json.dumps(default)}"


def _convert_text(kind: Any, text: Sourced, key: Key, problems: Problems) -> Any:
    """Text from outside has no type of its own: it is tried as it stands and as a TOML or JSON value."""
    readings = [str(text), *_parsed(text)]
    if text[:1] in {"[", "{"}:
        readings.reverse()
    reasons = []
    for reading in readings:
        attempt = Problems(problems.file)
        value = convert(kind, reading, key, attempt)
        if not attempt.lines:
            return value
        reasons.append(attempt.lines[0].removeprefix(f"{attempt.file}: ").partition(": ")[2])
    # Read as text it is only "not a number"; but our own types and words are always text, and say why it is wrong.
    reason = reasons[0] if kind in _TEXTUAL or get_origin(kind) is Literal else reasons[-1]
    problems.add(key, redact(reason, frozenset({str(text)})) if isinstance(text, Secret) else reason)
    return None


def _parsed(text: str) -> list[Any]:
    for parse in (lambda text: tomllib.loads(f"value = {text}")["value"], json.loads):
        try:
            return [parse(text)]
        except ValueError:
            continue
    return []


def _convert_leaf(kind: Any, value: Any, key: Key, problems: Problems) -> Any:
    if isinstance(value, str) and is_secret(kind):
        value = clean_secret(value)
        if value is None:
            problems.add(key, CONTROL)
            return None
    if get_origin(kind) is Literal and value not in get_args(kind):
        choices = [json.dumps(choice) for choice in get_args(kind)]
        close = near(value, map(str, get_args(kind))) if isinstance(value, str) else None
        hint = f'; did you mean "{close}"?' if close else ""
        problems.add(key, f"must be {' or '.join(choices)}, not {json.dumps(value, default=str)}{hint}")
        return None
    try:
        return msgspec.convert(_plain(value), kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        problems.add(key, _say(str(error), value))
        return None


def _plain(value: Any) -> Any:
    """The value without `Sourced` in it, which msgspec would let through and JSON would refuse."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, Sourced) else value


def _decode(kind: type[Any], value: Any) -> Any:
    """Our own types, for msgspec. Raises ValueError with the cure."""
    if kind is Size and isinstance(value, int) and not isinstance(value, bool):
        return Size(value)
    if kind in _TEXTUAL:
        if not isinstance(value, str):
            raise ValueError(f'must be text such as "{_TEXTUAL[kind]}", not {_word(value)}; mind the quotes')
        return kind(value)
    raise ValueError(f"settings of type {kind.__name__} can't be written in a configuration file")


def _say(message: str, value: Any) -> str:
    """What msgspec says, in plain English: what it must be, not what it is."""
    if not (match := re.match(r"Expected `([a-z| ]+)`(?: (<=|>=|<|>) (\S+))?", message)):
        return message
    wanted = " or ".join(_WORDS.get(name.strip(), name.strip()) for name in match[1].split("|"))
    if match[2] is None and ", got" in message:
        return f"must be {wanted}, not {_word(value)}"
    bounds = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
    return f"must be {wanted}, {bounds[match[2]]} {match[3]}" if match[2] else message


def _word(value: Any) -> str:
    kinds = {bool: "bool", int: "int", float: "float", dict: "object", list: "array", NoneType: "null"}
    return _WORDS["str"] if isinstance(value, str) else _WORDS.get(kinds.get(type(value), ""), "a date or time")
