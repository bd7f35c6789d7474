"""A NUL in a path, a query, a form or JSON is an error of who asks: PostgreSQL takes none in a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from tests.flow.dashboard import browser, fields_of
from tests.flow.test_dashboard_routes import ours, routes
from tests.hostile import ASKED, CURSORS, TYPED
from tests.inprocess import running_gateway
from tests.sink import https_sink

Json = dict[str, Any]
NUL = "a\0b"
SESSIONS = {"/api/{session}/chats"}
"""All of WAHA's paths find their session alike."""
ALONE = CURSORS | {"client"}
"""Names whose value is refused before others are looked at."""
ARGUMENT = re.compile(r"<(?:(any)\((\w+)[^)]*\):|(\w+):)?(\w+)>")
LEFT_OUT = {"/ui/signout", "/ui/signin"}
SENT = TYPED | {"k", "weight", "position"}
"""Names in forms."""
ROUNDS = 3
"""Times that a body is sent, each without what was refused of it."""


class Asking:
    """Asks, and keeps what was answered with an error of ours."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.wrong: list[str] = []

    async def ask(self, method: str, path: str, **what: Any) -> httpx2.Response:
        """The answer; its body is read if it is no success, which may be a stream."""
        async with self.http.stream(method, path, **what) as answer:
            if answer.status_code >= 400:
                await answer.aread()
        if answer.status_code >= 500 and answer.status_code != 501:
            self.wrong.append(f"{answer.status_code} {method} {path} {what} {answer.text[-300:]}")
        return answer


def spoilt(names: Iterable[str], things: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """What the names in a path stand for, with a NUL in place of one at a time."""
    for name in names:
        yield {**things, name: NUL}


def filled(rule: str, things: Mapping[str, str]) -> str:
    """The page's path with these."""
    return ARGUMENT.sub(lambda found: found[2] or quote(things[found[4]], safe="@:"), rule)


async def test_a_nul_is_no_failure_of_ours_on_any_route(postgres_url: str) -> None:
    async with https_sink() as sink:
        tables: dict[str, dict[str, Any]] = {
            "delivery": {"allow_networks": ["127.0.0.0/8"]},
            "database": {"url": postgres_url},
        }
        async with running_gateway(tables, ca_file=sink.ca_file) as gateway, browser(gateway) as http:
            things = await ours(gateway, http, sink)
            pages, api = Asking(http), Asking(gateway.http)
            await of_the_pages(pages, things)
            await of_the_api(api, things)
            found = [(await http.get(f"/ui/{path}/%00")).status_code for path in ("bulk", "receivers")]
    assert (pages.wrong + api.wrong, found) == ([], [404, 404])


async def of_the_pages(pages: Asking, things: Mapping[str, str]) -> None:
    form = fields_of(await pages.http.get("/ui/more"))
    for method, rule in routes():
        if rule in LEFT_OUT:
            continue
        typed = form | dict.fromkeys(SENT, NUL) if method == "POST" else None
        for these in spoilt((found[4] for found in ARGUMENT.finditer(rule) if not found[1]), things):
            await pages.ask(method, filled(rule, these), data=typed)
        if method == "POST":
            await pages.ask(method, filled(rule, things), data=typed)
            continue
        answer = await pages.ask(method, filled(rule, things), params=dict.fromkeys(ASKED, NUL))
        if answer.status_code in {400, 404, 422}:
            for names in (ASKED - ALONE, *({name} for name in ALONE)):
                await pages.ask(method, filled(rule, things), params=dict.fromkeys(names, NUL))


async def of_the_api(api: Asking, things: Mapping[str, str]) -> None:
    document = (await api.http.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            await of_an_operation(api, method.upper(), path, operation, document["components"]["schemas"], things)


async def of_an_operation(
    api: Asking, method: str, path: str, operation: Json, schemas: Json, things: Mapping[str, str]
) -> None:
    """One of a path, a query and a body at a time."""
    known = {**things, "session": things["name"], "job_id": things["delivery_id"], "event_id": things["wanted"]}
    known |= {"tenant": "default", "tenant_id": "default", "chatId": things["chat"]}

    def at(these: Mapping[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: quote(these.get(found[1], "1"), safe="@:"), path)

    given = operation.get("parameters", [])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    asked = {each["name"]: NUL for each in given if each["in"] == "query" and is_text(each["schema"])}
    if asked:
        await api.ask(method, at(known), params=asked)
    refused: set[str] = set()
    for _ in range(ROUNDS if content else 0):
        body = value_of(content["schema"], schemas, refused)
        if r"\u0000" not in json.dumps(body):
            break
        answer = await api.ask(method, at(known), json=body)
        named = {each["field"] for each in answer.json().get("errors", [])} if answer.status_code >= 400 else set()
        if named <= refused:
            break
        refused |= named
    body = value_of(content["schema"], schemas, refused) if content else None
    names = [each["name"] for each in given if each["in"] == "path" and each["schema"].get("format") != "uuid"]
    for these in spoilt([name for name in names if name != "session" or path in SESSIONS], known):
        await api.ask(method, at(these), json=body)


def is_text(schema: Json) -> bool:
    """Whether any text may stand there."""
    return schema.get("type") == "string" and not schema.keys() & {"enum", "format", "pattern"}


def value_of(schema: Json, schemas: Json, refused: set[str], place: str = "") -> Any:
    """A value of this schema, with a NUL in each text. What was ``refused`` of it is left out."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return value_of(schema["anyOf"][0], schemas, refused, place)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            return [value_of(schema["items"], schemas, refused, f"{place}[0]")] if schema.get("items") else [NUL]
        case "object" if "properties" in schema:
            places = {name: f"{place}.{name}".removeprefix(".") for name in schema["properties"]}
            return {
                name: value_of(each, schemas, refused, places[name])
                for name, each in schema["properties"].items()
                if places[name] not in refused
            }
        case "object":
            return {NUL: NUL}
    return NUL
