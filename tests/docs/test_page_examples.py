"""JSON on the pages has the fields of the real thing: an answer of the golden files, or a body that we take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.corpus import SAMPLES
from tests.golden_files import FOLDER
from wagate.web.api.accounts import AccountBody
from wagate.web.api.clients import NewClient
from wagate.web.api.conversations import IngestBody
from wagate.web.api.tenants import TenantBody
from wagate.web.messages.body import MessageContent, SendBody
from wagate.web.sessions.routes import ViewTokenBody
from wagate.web.waha.bodies import TextBody
from wagate_n8n.routes import FinishJob, Heartbeat
from wagate_webhook.bodies import ChangeWebhook, RegisterWebhook, ToggleWebhook

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
CURL = re.compile(r"(?:-d|--data) '(\{.*?\})'", re.DOTALL)
INLINE = re.compile(r"`(\{\"[^`]*\})`")
NAME = re.compile(r'[{,]\s*"(\w+)"')
LEFT_OUT = "…"
BODIES: list[type[msgspec.Struct]] = [
    *(SendBody, MessageContent, TextBody, IngestBody),
    *(RegisterWebhook, ChangeWebhook, ToggleWebhook, FinishJob, Heartbeat),
    *(AccountBody, NewClient, TenantBody, ViewTokenBody),
]
FREE = frozenset({"metadata", "settings", "provider_config", "content", "components", "details"})
"""Whose fields are the caller's or the provider's own."""


EVOLUTION = frozenset({"mediatype"})
"""Fields of Evolution API's bodies, on the page for those who come from it."""


@dataclass(frozen=True)
class Example:
    """One JSON text of a page."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text[:120]!r}"

    def read(self) -> Any:
        """The document; a member alone gets its braces."""
        text = self.text.strip()
        return json.loads(text if text.startswith(("{", "[")) else f"{{{text}}}")


def examples(pattern: re.Pattern[str], *, prose: bool = False) -> Iterator[Example]:
    for path in PAGES:
        text = path.read_text("utf-8")
        if prose:
            text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        yield from (Example(path.name, found) for found in pattern.findall(text))


@cache
def answers() -> list[dict[str, Any]]:
    """Every object in what we answer, deliver and hand out."""
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json")):
        if not path.stem.startswith("outgoing_"):
            found += objects(json.loads(path.read_bytes()))
    return found


@cache
def samples() -> list[dict[str, Any]]:
    """Every sample of what providers and engines post and are told."""
    paths = [path for path in sorted(SAMPLES.glob("*/*.json")) if path.stem != "expected"]
    # The engine's own format is ours, and shown with all its fields.
    read = [json.loads(path.read_bytes()) for path in paths if path.parent.name != "engine"]
    return [each for each in read if isinstance(each, dict)]


@cache
def waha_names() -> set[str]:
    """Every field that WAHA's document knows."""
    document = json.loads((ROOT / "tests/openapi/waha.json").read_bytes())
    return {name for each in objects(document["components"]) for name in each.get("properties", ())}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def fits(shown: Any, real: Any, *, whole: bool = True) -> bool:
    """Whether an example has the real thing's fields, all of them when ``whole``, with values of their types."""
    if isinstance(shown, dict) and isinstance(real, dict):
        named = shown.keys() - {LEFT_OUT}
        same = named == real.keys() if whole and named == shown.keys() else named <= real.keys()
        return same and all(name in FREE or fits(shown[name], real[name], whole=whole) for name in named)
    if isinstance(shown, list) and isinstance(real, list):
        return not real or all(any(fits(each, other, whole=whole) for other in real) for each in shown)
    if isinstance(shown, dict | list) or isinstance(real, dict | list):
        return shown is None or real is None or shown == LEFT_OUT
    if shown is None or real is None or LEFT_OUT in str(shown) or str(real).startswith("<"):
        return True
    return isinstance(shown, type(real)) or {type(shown), type(real)} == {int, float}


def taken(shown: Any, body: type[msgspec.Struct]) -> bool:
    """Whether a route takes it, and reads every field of it."""
    if not isinstance(shown, dict) or shown.keys() - {field.encode_name for field in msgspec.structs.fields(body)}:
        return False
    try:
        msgspec.convert(shown, body)
    except msgspec.ValidationError:
        return False
    return True


@cache
def members() -> dict[str, Any]:
    """Every member of an answer that is an object, with all the fields that it has anywhere."""
    found: dict[str, Any] = {}
    for each in answers():
        for name, value in each.items():
            if isinstance(value, dict):
                found[name] = found.get(name, {}) | value
    return found


def right(example: Example) -> bool:
    shown = example.read()
    if example.text.startswith('"'):
        return fits(shown, members(), whole=False)
    if any(fits(shown, real) for real in answers()) or any(taken(shown, body) for body in BODIES):
        return True
    if "waha" in example.page and {name for each in objects(shown) for name in each} <= waha_names():
        return True
    return any(fits(shown, real, whole=False) for real in samples())


def test_every_block_of_json_has_the_fields_of_the_real_thing() -> None:
    found = list(examples(BLOCK))
    assert len(found) > 15
    assert not [str(each) for each in found if not right(each)]


def test_every_body_of_a_curl_line_is_taken() -> None:
    found = [each for each in examples(CURL) if "$" not in each.text]
    assert len(found) > 5
    assert not [str(each) for each in found if not right(each)]


@cache
def known() -> set[str]:
    """Names of fields that are answered or taken somewhere."""
    fields = {field.encode_name for body in BODIES for field in msgspec.structs.fields(body)}
    return (
        fields
        | EVOLUTION
        | {name for each in (*answers(), *(one for each in samples() for one in objects(each))) for name in each}
    )


def test_every_field_in_the_json_of_a_sentence_is_one() -> None:
    found = list(examples(INLINE, prose=True))
    assert len(found) > 5
    wrong = [(str(each), name) for each in found for name in NAME.findall(each.text) if name not in known()]
    assert not wrong


SENT = {"status": "sent", "message_id": "wamid.…", "delivery_status": "dispatched", "sent_at": "…", "provider": "meta"}
WHOLE = {**SENT, "id": "…", "account": "main"}


@pytest.mark.parametrize(
    "shown",
    [
        {**SENT, "id": "…", "acount": "main"},
        {**WHOLE, "more": 1},
        SENT,
        {**WHOLE, "account": 7},
        {"to": "+15550000009", "mesage": "Hello"},
        {"to": "+15550000009", "message": {"document": {"media_id": "1"}}},
    ],
    ids=["misspelt", "one more", "one missing", "another type", "misspelt body", "no such field of a file"],
)
def test_a_wrong_example_is_found(shown: dict[str, Any]) -> None:
    assert right(Example("page.md", json.dumps(WHOLE)))
    assert not right(Example("page.md", json.dumps(shown)))
