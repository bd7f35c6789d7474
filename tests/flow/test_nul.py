"""A NUL in a path, a query or a form is an error of who asks, on both databases: PostgreSQL takes none in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.flow.dashboard import browser, fields_of
from tests.flow.test_dashboard_routes import ours, routes
from tests.inprocess import Gateway, running_gateway
from tests.sink import https_sink

NUL = "a\0b"
ASKED = (
    *("about", "after", "at", "before", "chat", "chats", "client", "error", "from", "id", "ids", "k", "next", "number"),
    *("page", "phone_number", "q", "range", "said", "since", "state", "target", "thing", "tried", "who"),
)
"""Names in the queries of pages."""
TYPED = (
    *("do", "events", "id", "k", "lasts", "may", "name", "note", "phone", "phone_number", "sees", "slug", "state"),
    *("tenant_id", "text", "typed", "webhook_url", "why", "s.base_url", "s.api_key", "weight", "position"),
)
"""Names in the forms of pages."""
ARGUMENT = re.compile(r"<(?:(any)\((\w+)[^)]*\):|(\w+):)?(\w+)>")


def filled(rule: str, things: dict[str, str]) -> str:
    """The path with these, or a NUL."""

    def value(found: re.Match[str]) -> str:
        return found[2] or quote(things.get(found[4], NUL), safe="@:")

    return ARGUMENT.sub(value, rule)


def asked_of_api(document: dict[str, object]) -> Iterator[tuple[str, str, str]]:
    """(method, path, query) of each operation, with a NUL in the path or in one parameter of the query."""
    paths = document["paths"]
    assert isinstance(paths, dict)
    for path, operations in paths.items():
        for method, operation in operations.items():
            if "{" in path:
                yield method, re.sub(r"\{\w+\}", quote(NUL), path), ""
            for each in operation.get("parameters", []):
                if each["in"] == "query":
                    yield method, re.sub(r"\{\w+\}", "main", path), f"{each['name']}={quote(NUL)}"


async def test_a_nul_is_no_failure_of_ours_on_any_route(postgres_url: str) -> None:
    async with https_sink() as sink:
        tables: dict[str, dict[str, Any]] = {
            "delivery": {"allow_networks": ["127.0.0.0/8"]},
            "database": {"url": postgres_url},
        }
        async with running_gateway(tables, ca_file=sink.ca_file) as gateway, browser(gateway) as http:
            things = await ours(gateway, http, sink)
            wrong = await of_the_api(gateway)
            form = fields_of(await http.get("/ui/more"))
            for method, rule in routes():
                if rule in {"/ui/signout", "/ui/signin", "/ui/scan/live", "/ui/live"}:
                    continue
                typed = form | dict.fromkeys(TYPED, NUL) if method == "POST" else None
                for path in {filled(rule, {}), filled(rule, things)}:
                    answer = await http.request(method, path, data=typed)
                    if answer.status_code >= 500:
                        wrong.append(f"{answer.status_code} {method} {path} {answer.text[-300:]}")
                for name in ASKED if method == "GET" else ():
                    answer = await http.get(filled(rule, things), params={name: NUL})
                    if answer.status_code >= 500:
                        wrong.append(f"{answer.status_code} {rule}?{name} {answer.text[-300:]}")
            found = [(await http.get(f"/ui/{path}/%00")).status_code for path in ("bulk", "receivers")]
    assert (wrong, found) == ([], [404, 404])


async def of_the_api(gateway: Gateway) -> list[str]:
    """What the API fails in."""
    document, wrong = (await gateway.http.get("/openapi.json")).json(), []
    for method, path, query in asked_of_api(document):
        url = f"{path}?{query}" if query else path
        async with gateway.http.stream(method.upper(), url, json=None if method == "get" else {}) as answer:
            if answer.status_code >= 500 and answer.status_code != 501:
                wrong.append(f"{answer.status_code} {method} {url} {(await answer.aread())[:300]!r}")
    return wrong
