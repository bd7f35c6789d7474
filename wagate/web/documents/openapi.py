"""The OpenAPI document, made from the same types that check requests and encode answers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_args, get_origin

import msgspec
from quart import Quart

from wagate import __version__
from wagate.hooks.routes import CONTRACT, Contract
from wagate.web.access.guard import VIEWED
from wagate.web.access.idempotency import HEADER, PATTERN
from wagate.web.documents.door_types import DOORS, MEDIA
from wagate.web.documents.field_docs import field_docs, structs_in
from wagate.web.inbound.engine_door import ENGINE_PATH
from wagate.web.inbound.session_door import SESSION_NAME
from wagate.web.problems import CONTENT_TYPE, SESSION_PREFIX

Schema = dict[str, Any]
Names = Mapping[type[msgspec.Struct], str]
REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "the admin token, or a client's"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "the same tokens"},
    "viewToken": {"type": "apiKey", "in": "query", "name": "token", "description": "looks at one session"},
}


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One wrong field."""

    field: str
    """Where it stands: `webhook_url`, `message.text`, `?limit`; empty when it is the whole body."""
    detail: str
    """What is wrong and what would be right."""


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request could not be done (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """What was wrong with this request, and the cure."""
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    """The provider's own error code, when it refused a message."""
    id: str | msgspec.UnsetType = msgspec.UNSET
    """Our id of the message that was not sent."""
    success: bool | msgspec.UnsetType = msgspec.UNSET
    """false, on paths under `/api/whatsapp/`."""
    status_code: int | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="statusCode")
    """The same as `status`, on WAHA's paths."""
    message: str | msgspec.UnsetType = msgspec.UNSET
    """The same as `detail`, on WAHA's paths."""
    error: str | msgspec.UnsetType = msgspec.UNSET
    """The same as `title`, on WAHA's paths."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """With ``{parameters}``."""
    name: str
    """Unique."""
    doc: str
    contract: Contract
    echoes: bool = False
    """Its 200 may be text/plain, too."""
    uuids: frozenset[str] = frozenset()
    """Parameters that are UUIDs; others in their place are other paths."""


def operations_of(api: Quart) -> list[Operation]:
    """Everything that the API and the hot path answer, by path."""
    found = [*DOORS_AS_OPERATIONS, *MEDIA_AS_OPERATIONS, *_routes(api)]
    return sorted(found, key=lambda each: (each.path, each.method))


def build_openapi(operations: Iterable[Operation]) -> Schema:
    """The document (OpenAPI 3.1)."""
    operations = list(operations)
    names, schemas = _components([ProblemDocument, *(kind for each in operations for kind in _types(each.contract))])
    paths: dict[str, Schema] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, names, schemas)
    # Queries are parameters, no types that anybody refers to.
    for each in operations:
        if each.contract.query is not None:
            schemas.pop(names[each.contract.query], None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "wagate", "version": __version__, "description": "A WhatsApp gateway."},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY},
    }


def _components(kinds: Iterable[type[msgspec.Struct]]) -> tuple[dict[type[msgspec.Struct], str], dict[str, Schema]]:
    """The name of each type, and the schemas by name, with what the sources say about their fields."""
    structs = structs_in(kinds)
    references, schemas = msgspec.json.schema_components(structs, ref_template="{name}")
    names = {kind: reference["$ref"] for kind, reference in zip(structs, references, strict=True)}
    _, schemas = msgspec.json.schema_components(structs, ref_template=REF)
    for kind, name in names.items():
        for field, text in field_docs(kind).items():
            schemas[name]["properties"][field].setdefault("description", text)
    return names, schemas


def _routes(api: Quart) -> Iterator[Operation]:
    for rule in api.url_map.iter_rules():
        contract = getattr(api.view_functions.get(rule.endpoint), CONTRACT, None)
        if contract is None or not contract.listed or rule.websocket:
            continue
        doc = inspect.getdoc(api.view_functions[rule.endpoint]) or ""
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = _PARAMETER.sub(r"{\1}", rule.rule)
            uuids = frozenset(re.findall(r"<uuid:(\w+)>", rule.rule))
            yield Operation(method, path, _name(method, path), doc, contract, uuids=uuids)


def _name(method: str, path: str) -> str:
    return re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")


def _types(contract: Contract) -> Iterator[Any]:
    for kind in (contract.body, contract.query, contract.or_json, *contract.answers.values()):
        if kind is not None:
            yield kind


def _operation(each: Operation, names: Names, schemas: Mapping[str, Schema]) -> Schema:
    contract = each.contract
    made: Schema = {"operationId": each.name, "tags": [_tag(each.path)], "parameters": list(_parameters(each))}
    made["summary"], _, description = each.doc.partition("\n\n")
    if description:
        made["description"] = description
    if contract.query is not None:
        schema = schemas[names[contract.query]]
        made["parameters"] += [_query(name, field) for name, field in schema["properties"].items()]
    if contract.body is not None:
        content = {"application/json": {"schema": _ref(names, contract.body)}}
        made["requestBody"] = {"required": not contract.body_optional, "content": content}
    if contract.takes_file:
        made["requestBody"] = {"required": True, "content": _FILE}
    made["responses"] = _responses(each, names)
    made["security"] = _security(each)
    return made


def _ref(names: Names, kind: Any) -> Schema:
    if get_origin(kind) is list:
        return {"type": "array", "items": _ref(names, *get_args(kind))}
    return {"$ref": REF.format(name=names[kind])}


def _parameters(each: Operation) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)}", each.path):
        schema: Schema = {"type": "string", "format": "uuid"}
        if name not in each.uuids:
            schema = {"type": "string", "minLength": 1}
        if each in DOORS_AS_OPERATIONS:
            schema["pattern"] = f"^{SESSION_NAME.pattern}$"
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if _repeatable(each):
        schema = {"type": "string", "pattern": PATTERN, "maxLength": 255}
        text = "same key and body, same answer, for 24 hours"
        yield {"name": HEADER, "in": "header", "required": False, "description": text, "schema": schema}


def _repeatable(each: Operation) -> bool:
    """Whether it takes an Idempotency-Key: every POST but uploads and webhooks, where ids tell duplicates."""
    door = each in DOORS_AS_OPERATIONS and each.path != ENGINE_PATH
    return each.method == "POST" and not door and each not in MEDIA_AS_OPERATIONS


def _query(name: str, field: Schema) -> Schema:
    schema = dict(field)
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    # A parameter that is left out is null; the word "null" means nothing in a query.
    if schema.get("default", ...) is None:
        del schema["default"]
    schema |= options[0] if len(options) == 1 else {"anyOf": options} if options else {}
    description = schema.pop("description", "")
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _responses(each: Operation, names: Names) -> Schema:
    contract = each.contract
    made: Schema = {}
    for status, kind in contract.answers.items():
        answer: Schema = {"description": HTTPStatus(status).phrase}
        if kind is not None:
            answer["content"] = {contract.media_type: {"schema": _ref(names, kind)}}
        elif status != HTTPStatus.NO_CONTENT:
            answer["content"] = {contract.media_type: {"schema": {}}}
        made[str(status)] = answer
    if each.echoes:
        made["200"]["content"]["text/plain"] = {"schema": {"type": "string"}}
    if contract.or_json is not None:
        made["200"]["content"]["application/json"] = {"schema": _ref(names, contract.or_json)}
    for status in sorted(contract.problems | _usual_problems(each)):
        made.setdefault(str(status), _problem(status, names))
    return dict(sorted(made.items()))


def _problem(status: int, names: Names) -> Schema:
    made: Schema = {"description": HTTPStatus(status).phrase}
    made["content"] = {CONTENT_TYPE: {"schema": _ref(names, ProblemDocument)}}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        seconds = {"type": "integer", "minimum": 1}
        made["headers"] = {"Retry-After": {"description": "seconds", "required": True, "schema": seconds}}
    return made


def _usual_problems(each: Operation) -> set[int]:
    """What every route of its kind may answer, beside what its contract names."""
    contract = each.contract
    # A token is looked at even where none is needed.
    found = {401, 429, 503}
    if "{" in each.path:
        found.add(404)
    if contract.query is not None:
        found.add(422)
    if contract.body is not None:
        found |= {400, 413, 422}
    if _repeatable(each):
        found |= {400, 409, 413}
    return found


def _security(each: Operation) -> list[dict[str, list[str]]]:
    tokens: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    if each.contract.public:
        return [{}, *tokens]
    if each.method == "GET" and each.path.startswith(VIEWED):
        return [*tokens, {"viewToken": []}]
    return tokens


def _tag(path: str) -> str:
    """The noun of a path."""
    if path.startswith(SESSION_PREFIX):
        return "sessions"
    parts = [part for part in path.split("/") if part and part != "api"]
    return parts[0].split(".")[0] if parts else "health"


_BYTES: Schema = {"type": "string", "format": "binary"}
_FILE: Schema = {
    "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BYTES}}},
    "application/octet-stream": {"schema": _BYTES},
}
MEDIA_AS_OPERATIONS = tuple(
    Operation(door.method, door.path, _name(door.method, door.path), door.doc, door.contract) for door in MEDIA
)
"""Files, likewise."""
DOORS_AS_OPERATIONS = tuple(
    Operation(door.method, door.path, _name(door.method, door.path), door.doc, door.contract, door.echoes)
    for door in DOORS
)
