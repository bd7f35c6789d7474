"""Every operation of WAHA's API as a request, and what a gateway answered: facts of WAHA's OpenAPI document 2026.7.1.

``openapi/waha_operations.json`` holds names, methods, paths, parameters and the names of bodies' fields; the values
here are our own. What WAHA's n8n node sends is in `tests.waha_node`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import jsonschema_rs
import msgspec

from tests.films import film
from tests.openapi_documents import FOLDER, openapi

GROUP = "120363000000000001@g.us"
CHANNEL = "120363000000000002@newsletter"
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9").decode()
OGG = base64.b64encode(b"OggS\x00\x02" + bytes(20) + b"OpusHead").decode()
MADE = "made"
"""A session that the replay makes, changes and deletes."""
LAST = (
    "GroupsController_leaveGroup",
    "GroupsController_deleteGroup",
    "LabelsController_delete",
    "ChatsController_clearMessages",
    "ChatsController_deleteChat",
    "ChannelsController_delete",
    "SessionsController_create",
    "SessionsController_update",
    "SessionsController_DEPRECATED_logout",
    "SessionsController_delete",
    "SessionsController_DEPRECATED_stop",
    "SessionsController_start",
    "SessionsController_stop",
    "SessionsController_DEPRACATED_start",
    "SessionsController_restart",
    "SessionsController_logout",
    "AuthController_requestCode",
    "AuthController_getQR",
    "ScreenshotController_screenshot",
    "ServerController_stop",
)
"""What takes away what others are about, and what ends the connection or all, comes last, in this order."""
TOPICS = {
    "Auth": "Pairing",
    "Screenshot": "Pairing",
    "ApiKeys": "Keys",
    "Sessions": "Sessions",
    "Profile": "Profile",
    "Chatting": "Chatting",
    "Chats": "Chats",
    "Calls": "Calls",
    "Channels": "Channels",
    "ChannelsSearch": "Channels",
    "Status": "Status",
    "Labels": "Labels",
    "Contacts": "Contacts",
    "ContactsSession": "Contacts",
    "Lids": "Contacts",
    "Groups": "Groups",
    "Presence": "Presence",
    "Events": "Events",
    "Media": "Media",
    "Apps": "Apps",
    "Mcp": "Apps",
}
"""Controller → topic; the others are about the server."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation."""

    name: str
    method: str
    path: str
    query: list[str] = []
    """Names; those with ``?`` may be left out."""
    body: Any = None
    """Its fields, likewise."""

    @property
    def topic(self) -> str:
        """Under which heading it stands."""
        return TOPICS.get(self.name.partition("Controller")[0], "Server")


OPERATIONS: list[Operation] = msgspec.json.decode((FOLDER / "waha_operations.json").read_bytes(), type=list[Operation])


ANSWERS = openapi("waha_answers")


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay is about."""

    chat: str
    """Of somebody who wrote."""
    message: str
    """WAHA's id of what they wrote."""
    ours: str = ""
    """The id of a message of ours."""
    group: str = GROUP
    ending: str = ""
    """A group to delete; '': the group."""
    channel: str = CHANNEL
    label: str = "1"
    poll: str = ""
    """The id of a poll; '': of the message."""
    key: str = "an-id"
    """The id of a key that the replay made."""

    @property
    def of(self) -> Mapping[str, Any]:
        """By the names of parameters and fields."""
        return {
            "session": "main",
            "name": "A name",
            "text": "Hello",
            "chatId": self.chat,
            "contactId": self.chat,
            "phone": self.chat.partition("@")[0],
            "phoneNumber": self.chat.partition("@")[0],
            "messageId": self.message,
            "pollMessageId": self.poll or self.message,
            "replyTo": self.message,
            "lid": "990000000@lid",
            "labelId": self.label,
            "id": "an-id",
            "from": self.chat,
            "url": "https://example.com/",
            "title": "A title",
            "code": "AbCdEfGhIjKlMnOpQrStUv",
            "duration": 86400,
            "star": True,
            "reaction": "👍",
            "latitude": 38.9,
            "longitude": -77.0,
            "emoji": "👍",
            "status": "Here",
            "subject": "A subject",
            "description": "A description",
            "adminsOnly": True,
            "presence": "online",
            "participants": [{"id": self.chat}],
            "labels": [{"id": self.label}],
            "votes": ["Yes"],
            "poll": {"name": "Well?", "options": ["Yes", "No"], "multipleAnswers": False},
            "contacts": [{"vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:Jo\nTEL;waid=911111111111:+911111111111\nEND:VCARD"}],
            "file": {"mimetype": "image/jpeg", "filename": "a.jpg", "data": JPEG},
            "preview": {"url": "https://example.com/", "title": "T", "description": "D"},
            "buttons": [{"type": "reply", "text": "Yes", "id": "1"}],
            "header": "Head",
            "footer": "Foot",
            "body": "Body",
            "message": {
                "title": "A list",
                "description": "Choose",
                "button": "Menu",
                "sections": [{"title": "One", "rows": [{"title": "Row", "rowId": "r1"}]}],
            },
            "event": {"name": "Party", "startTime": 1_900_000_000},
            "backgroundColor": "#38b42f",
            "font": 0,
            "convert": False,
            "firstName": "Jo",
            "lastName": "Doe",
            "isAdmin": False,
            "isActive": True,
            "selectedDisplayText": "Yes",
            "selectedButtonID": "1",
            "force": False,
            "format": "image",
            "limit": 10,
            "downloadMedia": "false",
            "merge": "true",
            "offset": 0,
            "seconds": 1,
            "sortBy": "id",
            "view": "RECOMMENDED",
            "categories": ["SPORTS"],
            "countries": ["US"],
            "pagination": {"limit": 10, "offset": 0},
        }


def request_of(operation: Operation, values: Values) -> tuple[str, dict[str, Any], Any]:
    """Path, query and body."""
    known = known_of(operation, values)
    path = operation.path
    for name in names_in(path):
        path = path.replace(f"{{{name}}}", quote(str(known[name]), safe=""))
    query = {name: known[name] for name in operation.query if not name.endswith("?")}
    if path.endswith("/debug/cpu"):
        query |= {"seconds": 1}  # the usual 5 would take 5 seconds
    if not isinstance(operation.body, dict):
        return path, query, None
    body = {name: known.get(name, "text") for name in operation.body if not name.endswith("?")}
    return path, query, body | known.get("more", {})


def known_of(operation: Operation, values: Values) -> dict[str, Any]:
    """Values by the names of an operation's parameters and fields; ``more``: fields that it has besides."""
    return dict(values.of) | _special(operation, values)


def names_in(path: str) -> list[str]:
    """Of a path's parameters."""
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def _special(operation: Operation, values: Values) -> dict[str, Any]:
    """What some operations mean by a name that others mean something else by."""
    name, controller = operation.name, operation.name.partition("_")[0]
    special: dict[str, Any] = {}
    if controller == "GroupsController":
        special |= {"id": (values.ending if name.endswith("deleteGroup") else "") or values.group}
    if controller in {"ChannelsController", "ChannelsSearchController"}:
        special |= {"id": values.channel}
    if name == "ContactsSessionController_get":
        special |= {"id": values.chat}
    if name in {"ChatsController_deleteMessage", "ChatsController_editMessage"}:
        special |= {"messageId": values.ours}
    if controller == "AppsController":
        special |= {"app": "chatwoot", "config": {}}
    if controller == "ApiKeysController":
        special |= {"id": values.key}
    if name == "StatusController_deleteStatus":
        special |= {"more": {"id": "3EB0000000000000000A"}}
    if "Voice" in name:
        special |= {"file": {"mimetype": "audio/ogg; codecs=opus", "filename": "a.ogg", "data": OGG}}
    if "Video" in name:
        special |= {"file": {"mimetype": "video/mp4", "filename": "a.mp4", "data": OGG}}
    if controller == "MediaController":
        special |= {"more": {"data": base64.b64encode(film()).decode() if "Video" in name else OGG}}
    if name == "SessionsController_create":
        special |= {"more": {"name": MADE, "start": False, "config": {"metadata": {"a": "b"}}}}
    if name in {"SessionsController_update", "SessionsController_delete"}:
        special |= {"session": MADE, "more": {"config": {"ignore": {"groups": True}}}}
    if "DEPR" in name and controller == "SessionsController":
        special |= {"name": MADE if "logout" in name else "main"}
    return special


def in_order() -> list[Operation]:
    """All, in an order in which each can work."""
    by_name = {each.name: each for each in OPERATIONS}
    return [each for each in OPERATIONS if each.name not in LAST] + [by_name[name] for name in LAST]


async def replay(http: httpx2.AsyncClient, values: Values, only: Any = None) -> dict[str, tuple[int, str]]:
    """Operation → the answer's status, and of what was refused WAHA's ``message``. AssertionError: another shape."""
    found, keys = dict[str, tuple[int, str]](), Keys()
    for each in in_order() if only is None else only:
        path, query, body = request_of(each, values)
        answer = await http.request(each.method, path, params=query, json=body)
        found[each.name] = answered(each.name, answer)
        values = await keys.check(each.name, answer, http, values)
    return found


class Keys:
    """What the replay asks for keys: they work once they are made, and no longer when they are deleted."""

    def __init__(self) -> None:
        self._token = ""

    async def check(self, name: str, answer: httpx2.Response, http: httpx2.AsyncClient, values: Values) -> Values:
        """What later operations are about. AssertionError: it was answered, but not done."""
        if name == "ApiKeysController_create" and answer.is_success:
            self._token = answer.json()["key"]
            values = msgspec.structs.replace(values, key=answer.json()["id"])
            assert await self._status(http) == 200
        elif name == "ApiKeysController_list" and answer.is_success:
            assert values.key in [each["id"] for each in answer.json()]
            assert not self._token or self._token not in answer.text
        elif name == "ApiKeysController_delete" and answer.is_success:
            assert await self._status(http) == 401
        return values

    async def _status(self, http: httpx2.AsyncClient) -> int:
        async with httpx2.AsyncClient(base_url=http.base_url, trust_env=False, verify=False) as theirs:
            answer = await theirs.get("/api/sessions", headers={"X-Api-Key": self._token})
        return answer.status_code


@cache
def judge(name: str) -> jsonschema_rs.Draft202012Validator:
    """Of an operation's answers."""
    wanted = nullable(ANSWERS["answers"][name])
    return jsonschema_rs.Draft202012Validator({"anyOf": [wanted, {"type": "null"}], "components": COMPONENTS})


def nullable(schema: Any) -> Any:
    """The same with null for whatever there is not: WAHA's document never says so, and WAHA answers so."""
    if isinstance(schema, list):
        return [nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    held = {name: nullable(each) for name, each in schema.items()}
    if "properties" in schema:
        held["properties"] = {
            name: {"anyOf": [nullable(each), {"type": "null"}]} for name, each in schema["properties"].items()
        }
    return held


COMPONENTS = nullable(ANSWERS["components"])


def answered(name: str, answer: httpx2.Response) -> tuple[int, str]:
    """Its status and reason, '' of what was done. AssertionError: it has not the shape that WAHA's document gives."""
    if answer.is_success:
        if name in ANSWERS["answers"] and "json" in answer.headers.get("content-type", ""):
            errors = [f"{list(each.instance_path)}: {each.message}" for each in judge(name).iter_errors(answer.json())]
            assert not errors, f"{name}: {errors}"
        return answer.status_code, ""
    said = answer.json()
    assert {"statusCode", "message", "error"} <= said.keys(), f"{name}: {answer.status_code} {answer.text}"
    assert said["statusCode"] == answer.status_code
    return answer.status_code, str(said["message"])


GOLDEN = Path(__file__).parent / "golden"
TABLE, NODE_TABLE = GOLDEN / "waha_operations.json", GOLDEN / "waha_n8n_node.json"
Told = dict[str, dict[str, tuple[int, str]]]
"""Provider → operation → answer."""


def read_table(table: Path = TABLE) -> Told:
    """What stands in the page."""
    return msgspec.json.decode(table.read_bytes(), type=Told) if table.exists() else {}


def write_table(told: Told, table: Path = TABLE) -> None:
    """For the page, one operation a line."""
    lines = []
    for provider, answers in sorted(told.items()):
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(told[provider][name])}" for name in sorted(answers))
        lines.append(f" {json.dumps(provider)}: {{\n{rows}\n }}")
    table.write_text("{\n" + ",\n".join(lines) + "\n}\n")
