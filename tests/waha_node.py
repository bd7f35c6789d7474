"""What WAHA's n8n node sends: facts of ``@devlikeapro/n8n-nodes-waha``, its newest form (v202602).

Source: github.com/devlikeapro/n8n-nodes-waha, ``nodes/WAHA/v202602/WAHAv202602.test.ts``, which lists every request
that the node makes. ``openapi/waha_n8n_node.json`` holds of each operation the method, the path, and the fields that it
sends, with what stands in a field that nobody touched: the node leaves none out, so there are nulls, empty texts, and
lists as JSON in the query. ``$`` is a field that a workflow fills in; the values are our own.

It sends as n8n does: ids stand in the path as they are, and a body without fields is none, though its type is JSON.
"""

from __future__ import annotations

import json
from typing import Any

import httpx2
import msgspec

from tests.openapi_documents import FOLDER
from tests.waha_operations import LAST, OPERATIONS, Keys, Operation, Values, answered, known_of, names_in

HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
FILLED = "$"


class NodeOperation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the node."""

    method: str
    path: str
    query: dict[str, Any] = {}
    body: dict[str, Any] = {}

    @property
    def verb(self) -> str:
        """What it is called by here."""
        return f"{self.method} {self.path}"

    @property
    def of_waha(self) -> Operation:
        """The same in WAHA's document; one that is not in there has only the name."""
        return _IN_DOCUMENT.get(self.verb, Operation(name="", method=self.method, path=self.path))


_IN_DOCUMENT = {f"{each.method} {each.path}": each for each in OPERATIONS}
NODE: list[NodeOperation] = msgspec.json.decode((FOLDER / "waha_n8n_node.json").read_bytes(), type=list[NodeOperation])


def request_of(operation: NodeOperation, values: Values) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Path, query and body."""
    known = known_of(operation.of_waha, values) | _values(values)
    if "media/convert" in operation.path:
        known |= {"url": ""}  # who gives data has to empty the other field, and can't remove it
    path = operation.path
    for name in names_in(path):
        path = path.replace(f"{{{name}}}", str(known[name]))
    query = {name: _in_query(known[name] if kept == FILLED else kept) for name, kept in operation.query.items()}
    if path.endswith("/debug/cpu"):
        query |= {"seconds": 1}  # the node's 30 would take 30 seconds
    body = {name: known[name] if kept == FILLED else kept for name, kept in operation.body.items()}
    return path, query, body | known.get("more", {})


def _values(values: Values) -> dict[str, Any]:
    """By the names of fields that only the node sends."""
    return {
        "apps": [],
        "caption": "Look",
        "colorHex": "#ff9485",
        "config": {},
        "filter": {"ids": [values.chat]},
        "ids": [values.chat],
        "messageIds": [values.message],
        "participant": values.chat,
        "picture": values.of["file"],
    }


def _in_query(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def in_order() -> list[NodeOperation]:
    """All, in an order in which each can work: what is stopped is started, before it ends."""
    stop, start = "SessionsController_stop", "SessionsController_start"
    last = {name: place for place, name in enumerate(LAST, 1)}
    last |= {start: last[stop], stop: last[start]}
    return sorted(NODE, key=lambda each: last.get(each.of_waha.name, 0))


async def replay_node(http: httpx2.AsyncClient, values: Values) -> dict[str, tuple[int, str]]:
    """Operation → the answer's status, and of what was refused WAHA's ``message``. AssertionError: another shape."""
    found, keys = dict[str, tuple[int, str]](), Keys()
    for each in in_order():
        path, query, body = request_of(each, values)
        content = json.dumps(body) if body else None
        answer = await http.request(each.method, path, params=query, content=content, headers=HEADERS)
        found[each.verb] = answered(each.of_waha.name or each.verb, answer)
        values = await keys.check(each.of_waha.name, answer, http, values)
    return found
