"""Requests to Infobip, held against its OpenAPI document: names, types, required fields, limits; nothing unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.openapi_documents import openapi
from wagate.testing.providers.infobip import FakeInfobip

PREFIX = "/whatsapp/1/message/"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def faults(path: str, body: Any) -> list[str]:
    """What is wrong with a request's body; ``path`` from ``/whatsapp/1/`` on."""
    operation = _document()["paths"].get(path)
    if operation is None:
        return [f"{path}: there is no such path"]
    return list(_wrong(operation["post"]["requestBody"]["content"]["application/json"]["schema"], body, "body"))


@cache
def _document() -> dict[str, Any]:
    return openapi("infobip")


def _resolved(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """The schema with its references, parts and alternatives put together, for this value."""
    if "$ref" in schema:
        return _resolved(_document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value)
    kinds = schema.get("discriminator")
    if kinds and isinstance(value, dict) and (named := kinds["mapping"].get(value.get(kinds["propertyName"]))):
        return _resolved({"$ref": named}, None) | {"known": True}
    merged: dict[str, Any] = {"properties": {}, "required": []}
    # The base of a variant names its variants again; ``None`` keeps it from choosing one.
    for part in [*(_resolved(each, None) for each in schema.get("allOf", ())), schema]:
        merged["properties"] |= part.get("properties", {})
        merged["required"] = [*merged["required"], *part.get("required", ())]
        merged |= {name: part[name] for name in part if name not in {"properties", "required", "allOf"}}
    return merged


def _wrong(schema: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    found = _resolved(schema, value)
    kinds = found.get("discriminator")
    if kinds and not found.get("known") and isinstance(value, dict):
        yield f"{place}.{kinds['propertyName']}: is none of {', '.join(kinds['mapping'])}"
        return
    wanted = _TYPES.get(found.get("type", ""))
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
        yield f"{place}: must be {found['type']}"
    elif isinstance(value, dict):
        yield from _wrong_object(found, value, place)
    elif isinstance(value, list):
        yield from _wrong_size(found, len(value), place, "Items")
        for at, item in enumerate(value):
            yield from _wrong(found.get("items", {}), item, f"{place}[{at}]")
    else:
        yield from _wrong_value(found, value, place)


def _wrong_object(found: dict[str, Any], value: dict[str, Any], place: str) -> Iterator[str]:
    properties = found.get("properties", {})
    for name in dict.fromkeys(found.get("required", ())):
        if name not in value:
            yield f"{place}.{name}: is required"
    for name, item in value.items():
        if name in properties:
            yield from _wrong(properties[name], item, f"{place}.{name}")
        elif properties:
            yield f"{place}.{name}: there is no such field"


def _wrong_value(found: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    if "enum" in found and value not in found["enum"]:
        yield f"{place}: is none of {', '.join(found['enum'])}"
    if isinstance(value, str):
        yield from _wrong_size(found, len(value), place, "Length")
        if "pattern" in found and not re.fullmatch(found["pattern"], value):
            yield f"{place}: is not of the form {found['pattern']}"
    elif isinstance(value, int | float) and not found.get("minimum", value) <= value <= found.get("maximum", value):
        yield f"{place}: must be from {found.get('minimum')} to {found.get('maximum')}"


def _wrong_size(found: dict[str, Any], size: int, place: str, what: str) -> Iterator[str]:
    fewest, most = found.get(f"min{what}", 0), found.get(f"max{what}", size)
    if not fewest <= size <= most:
        yield f"{place}: has {size}, must have {fewest} to {most}"


def strict_infobip() -> FakeInfobip:
    """A fake that refuses what the document does not allow."""
    fake = FakeInfobip()
    fake.judge = faults
    return fake
