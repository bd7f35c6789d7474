"""Every name_with_underscores and camelCase name on the pages is one: a field, a setting, an event, a metric …"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest

from tests.corpus import SAMPLES
from tests.golden_files import FOLDER
from wagate.hooks.context import PluginContext
from wagate.testing import fake_context

ROOT = Path(__file__).parents[2]
REFERENCE = ("config.md", "cli.md", "hooks.md")
"""Made from the code."""
FOR_AUTHORS = ("write-a-", "flow", "proof", "security", "reliability")
"""Pages that name the code itself."""
EVOLUTION = "coming-from-evolution.md"
"""Names the fields of Evolution API."""
CODE = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"(?<![\w./$-])[a-z]+(?:_[a-z0-9]+)+(?![\w(./-])")
CAMEL = re.compile(r"(?<![\w./$-])[a-z]+(?:[A-Z][a-z0-9]*)+(?![\w(./-])")
OTHERS = {
    "env_file": "Docker Compose's",
    "pg_dump": "PostgreSQL's",
    "underscores_in_headers": "nginx'",
    "whatsapp_business_management": "a permission of Meta's",
    "whatsapp_business_messaging": "a permission of Meta's",
    "is_transient": "of Meta's errors",
    "held_by": "of a log line",
    "session_not_found": "an engine's error",
    **dict.fromkeys(
        ("incoming_call", "loading_screen", "media_uploaded", "message_revoke_me"), "events of session engines"
    ),
    "content_variables": "of Twilio's templates",
    **dict.fromkeys(
        (
            *(
                "button_reply",
                "call_permission_reply",
                "call_permission_request",
                "cta_url",
                "location_request_message",
            ),
            *("order_details", "order_status", "product_list", "request_contact_info", "voice_call"),
        ),
        "a type of Meta's interactive messages",
    ),
    **dict.fromkeys(("copy_code", "limited_time_offer", "quick_reply"), "of Meta's templates"),
    "false_status": "how the id of a story begins",
    "unreadCount": "of a chat, in WAHA's lists",
    "paired_message_id": "of Infobip's messages",
    **dict.fromkeys(("calendar_event", "view_once"), "of a message's details"),
    "wagate_id": "in the address of Twilio's callbacks",
    "expires_in": "of POST …/view-token",
    **dict.fromkeys(("disappearingSeconds", "membersCanEditInfo"), "what changed in a group"),
    "as_at": "in a line of the log",
    "selectedButtonId": "of session engines' messages",
    "referredProduct": "of Infobip's messages",
    **dict.fromkeys(("sendButtons", "sendList"), "verbs of WAHA's that are not there"),
    **dict.fromkeys(("embedded_valkey_died", "embedded_valkey_hung"), "a log line"),
}


def pages() -> list[Path]:
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [path for path in found if path.parent.name != "plugin-api"]  # made from the code
    skipped = (*REFERENCE, *(path.name for path in found if path.name.startswith(FOR_AUTHORS)))
    return [path for path in found if path.name not in skipped and "adr" not in path.parts]


def words(text: str) -> Iterator[str]:
    """The names in a page's inline code."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (word for code in CODE.findall(prose) for form in (WORD, CAMEL) for word in form.findall(code))


def json_words(folder: Path) -> Iterator[str]:
    """Keys and values of the JSON in a folder."""
    for path in folder.rglob("*.json"):
        if path.stem == "expected" or path.parent.name == "outside":
            continue
        text = path.read_text("utf-8")
        yield from re.findall(r'"([a-z]+(?:_[a-z0-9]+)+)"', text)
        yield from re.findall(r'["/]([a-z]+(?:[A-Z][a-z0-9]*)+)"', text)


def settings(context: PluginContext) -> Iterator[str]:
    """Keys of accounts and connectors."""
    for group in ("wagate", "wagate.providers"):
        for point in entry_points(group=group):
            plugin = point.load()
            types = [
                each.settings_type for each in getattr(plugin, "register_providers", lambda **_: [])(context=context)
            ]
            types += [plugin.settings_type()] if hasattr(plugin, "settings_type") else []
            for kind in types:
                yield from fields(kind)


def fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        yield field.encode_name
        yield from (name for inner in structs_in(field.type) for name in fields(inner))


def structs_in(kind: object) -> list[type[msgspec.Struct]]:
    inner = [*getattr(kind, "__args__", ()), kind]
    return [each for each in inner if isinstance(each, type) and issubclass(each, msgspec.Struct)]


@cache
def known() -> frozenset[str]:
    config, cli, hooks = (next((ROOT / "docs").rglob(name)).read_text("utf-8") for name in REFERENCE)
    found = {word for folder in (FOLDER, SAMPLES, ROOT / "tests/openapi") for word in json_words(folder)}
    found |= {*settings(fake_context("test").context), *OTHERS}
    found |= set(re.findall(WORD, config + cli))
    found |= set(re.findall(r"^## (\w+)$", hooks, re.MULTILINE))
    return frozenset(found | metrics() | measurements())


def measurements() -> set[str]:
    """Programs that measure, and what can be asked of the one for a whole gateway."""
    programs = list((ROOT / "scripts" / "bench").glob("*.py"))
    asked = re.findall(r'^ {8}"(\w+)": lambda', (ROOT / "scripts/bench/whole.py").read_text("utf-8"), re.MULTILINE)
    assert programs
    assert asked
    return {path.stem for path in programs} | set(asked)


def metrics() -> set[str]:
    """Prometheus counters are named without the ending that they are shown with."""
    found: set[str] = set()
    for path in (ROOT / "wagate").rglob("*.py"):
        found |= set(re.findall(r'"(wagate_[a-z_]+)"', path.read_text("utf-8")))
    return found | {f"{name}_total" for name in found}


def test_every_name_on_a_page_is_one() -> None:
    found = [(path.name, word) for path in pages() for word in words(path.read_text("utf-8"))]
    found = [(page, word) for page, word in found if page != EVOLUTION or not CAMEL.fullmatch(word)]
    assert len(found) > 200
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    wrong = sorted(
        {(page, word) for page, word in found if word not in known() | tests and not word.startswith("test_")}
    )
    assert not wrong


@pytest.mark.parametrize("word", ["media_id", "mesage_id", "failure_counts", "sessionsId", "sendTxt"])
def test_a_wrong_name_is_found(word: str) -> None:
    assert word not in known()


def test_the_words_of_a_page_are_those_in_its_code() -> None:
    text = '`from_me` and from_you\n```json\n{"a_b": 1}\n```\n`tests/test_x.py` `GET /a_b` `{"is_active": …}` `qrImage`'
    assert [*words(text)] == ["from_me", "is_active", "qrImage"]


def test_json_is_read_for_its_names(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"one_two": "three_four"}))
    assert [*json_words(tmp_path)] == ["one_two", "three_four"]
