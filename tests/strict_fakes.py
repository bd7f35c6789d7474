"""Fakes that refuse what the OpenAPI document of the real thing does not allow: unknown fields, missing ones, types.

Stricter than some real ones, which let unknown fields pass: so a misspelt field of ours is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from openapi_schema_validator import OAS31Validator

from tests.openapi_documents import openapi
from wagate.testing.providers import meta as metas
from wagate.testing.providers import twilio as twilios
from wagate.testing.providers.meta import FakeMeta
from wagate.testing.providers.session import FakeSessions
from wagate.testing.providers.twilio import FakeTwilio
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Reply, Seen

Json = dict[str, Any]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TEXT: Json = {"type": "string"}
UNSURE_OF_META = frozenset({"template"})
"""Types of messages of which Meta's document refuses its own examples."""
UNSURE_OF_METAS_INTERACTIVE = frozenset({"product", "product_list", "order_details", "order_status", "catalog_message"})


def strict_waha(fake: FakeWaha) -> FakeWaha:
    """The fake, judged by WAHA's document."""
    fake.judge = _refusing("waha", lambda faults: _status(400, message=faults, error="Bad Request", statusCode=400))
    return fake


def strict_sessions(fake: FakeSessions) -> FakeSessions:
    """The fake, judged by wwebjs-api's document."""
    fake.judge = _refusing("wwebjs-api", lambda faults: _status(400, success=False, error="; ".join(faults)))
    return fake


def strict_twilio(fake: FakeTwilio) -> FakeTwilio:
    """The fake, judged by Twilio's document."""
    fake.server.judge = _refusing("twilio", lambda faults: twilios.failed(400, 20001, "; ".join(faults)))
    return fake


def strict_meta(fake: FakeMeta) -> FakeMeta:
    """The fake, judged by Meta's document, as far as that can be trusted."""

    def judge(seen: Seen) -> Reply | None:
        if seen.method != "POST" or not seen.path.endswith("/messages"):
            return None
        faults = faults_of_meta(seen.json)
        return metas.failed(400, 100, f"(#100) {'; '.join(faults)}") if faults else None

    fake.server.judge = judge
    return fake


def faults_of_meta(body: Json) -> list[str]:
    """What is wrong with the body of a message to Meta, or to 360dialog."""
    kind = body.get("type", "")
    inner = body.get("interactive", {}).get("type", "") if kind == "interactive" else ""
    if "status" in body or kind in UNSURE_OF_META or inner in UNSURE_OF_METAS_INTERACTIVE:
        return []
    return [_said(error) for error in _meta().iter_errors(body)]


@cache
def _meta() -> OAS31Validator:
    components = _with_any_type(openapi("meta")["components"])
    return OAS31Validator({"$ref": "#/components/schemas/Message", "components": components})


def _with_any_type(schema: Any) -> Any:
    """Its defect: a card's numbers are HOME or WORK alone; Meta's page on contacts has CELL, MAIN and IPHONE, too."""
    if isinstance(schema, list):
        return [_with_any_type(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _with_any_type(each) for name, each in schema.items() if each != ["HOME", "WORK"]}


def faults(name: str, seen: Seen) -> list[str]:
    """What is wrong with a request's body by a document; [] where it has nothing to say of it."""
    for method, pattern, kind, validator, properties in _operations(name):
        if method == seen.method and pattern.fullmatch(seen.path):
            if not seen.headers.get("content-type", "").startswith(kind):
                return [f"Content-Type must be {kind}"]
            body = _form(seen.body, properties) if kind == FORM else msgspec.json.decode(seen.body)
            return [_said(error) for error in validator.iter_errors(body)]
    return []


def _refusing(name: str, answer: Callable[[list[str]], Reply]) -> Callable[[Seen], Reply | None]:
    def judge(seen: Seen) -> Reply | None:
        found = faults(name, seen)
        return answer(found) if found else None

    return judge


def _status(status: int, **document: Any) -> Reply:
    return Reply(status=status, json=document)


@cache
def _operations(name: str) -> list[tuple[str, re.Pattern[str], str, OAS31Validator, Mapping[str, Json]]]:
    """(method, path, Content-Type, its judge, fields) of all that have a body."""
    spec = _MENDED.get(name, lambda given: given)(openapi(name))
    components = {each: _inner(schema) for each, schema in spec.get("components", {}).get("schemas", {}).items()}
    found = []
    for path, operations in spec["paths"].items():
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            for kind in content:
                schema = _closed(content[kind]["schema"]) | {"components": {"schemas": components}}
                fields = content[kind]["schema"].get("properties", {})
                found.append((method.upper(), pattern, kind, OAS31Validator(schema), fields))
    return found


def _closed(schema: Json) -> Json:
    """A value's schema: nothing else may be in it."""
    made = _inner(schema)
    known = {"$ref", "properties", "allOf", "oneOf", "anyOf"} & made.keys()
    return made | {"unevaluatedProperties": False} if known and "additionalProperties" not in made else made


def _inner(schema: Json) -> Json:
    """The same for all that stands in it; OpenAPI 3.0's ``nullable`` as 3.1 says it."""
    made = dict(schema)
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if "properties" in made:
        made["properties"] = {name: _closed(each) for name, each in made["properties"].items()}
    if isinstance(made.get("items"), dict):
        made["items"] = _closed(made["items"])
    for name in ("allOf", "oneOf", "anyOf"):
        if name in made:
            made[name] = [_inner(each) for each in made[name]]
    return made


def _form(body: bytes, properties: Mapping[str, Json]) -> Json:
    """A form's fields as their types say."""
    found: Json = {}
    for name, text in parse_qsl(body.decode(), keep_blank_values=True):
        match properties.get(name, TEXT).get("type"):
            case "array":
                found.setdefault(name, []).append(text)
            case "boolean" if text in {"true", "false"}:
                found[name] = text == "true"
            case "integer" if text.isdigit():
                found[name] = int(text)
            case _:
                found[name] = text
    return found


def _said(error: Any) -> str:
    return f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:200]}"


def _mended_waha(spec: Json) -> Json:
    for schema in spec["components"]["schemas"].values():
        for part in schema.get("properties", {}).values():
            # Its defect: what has a text, or a yes or no, as its default is said to be an object.
            if part.get("type") == "object" and isinstance(default := part.get("default"), str | bool):
                part["type"] = "string" if isinstance(default, str) else "boolean"
    # Its defect: a vote is said to be a list of texts.
    spec["components"]["schemas"]["MessagePollVoteRequest"]["properties"]["votes"]["items"] = TEXT
    return spec


def _mended_sessions(spec: Json) -> Json:
    body = spec["paths"]["/client/sendMessage/{sessionId}"]["post"]["requestBody"]["content"][JSON]["schema"]
    # Its defects: content is said to be an object, "can be a string or an object"; and it lacks a field that
    # src/controllers/clientController.js reads.
    del body["properties"]["content"]["type"]
    body["properties"]["mediaFromURLOptions"] = {"type": "object"}
    return spec


_MENDED: dict[str, Callable[[Json], Json]] = {"waha": _mended_waha, "wwebjs-api": _mended_sessions}
