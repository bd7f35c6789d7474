"""The plugins of one file under docs/examples: each is loaded as a gateway loads it, and does what its page says."""

from __future__ import annotations

import csv
import re
import tomllib
from datetime import UTC, datetime, time
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from wagate.config.declared import declared_secrets
from wagate.errors import ConfigError, Reject, Retry
from wagate.events import Event, Media
from wagate.hooks import Handler, Receipt
from wagate.http.errors import TimedOutError
from wagate.plugins.single_file import PluginFile
from wagate.testing import (
    SENTENCE,
    FakeFile,
    FakeHttp,
    Fakes,
    HandlerContract,
    HandlerUnderTest,
    answered,
    fake_context,
    make_delivery,
    make_event,
    make_settings,
)

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
SATURDAY = datetime(2025, 9, 13, 10, tzinfo=UTC)
WEDNESDAY = datetime(2025, 9, 10, 10, tzinfo=UTC)


def example(name: str) -> ModuleType:
    module: ModuleType = PluginFile(name, EXAMPLES / f"{name}.py").load()
    return module


def shown_settings(module: ModuleType, name: str, **changed: Any) -> msgspec.Struct | None:
    """What the example's docstring shows for config.toml, as its settings."""
    shown = re.sub(r"^ {4}", "", str(module.__doc__).split("\n\n", 1)[1], flags=re.MULTILINE)
    table = tomllib.loads(shown.split("\n\n")[0])["plugins"][name]
    assert table.pop("file") == f"{name}.py"
    if not hasattr(module, "settings_type"):
        assert table == {}
        return None
    return make_settings(module.settings_type(), {**table, **changed}, key=f"plugins.{name}")


def opened(name: str, *, folder: Path = Path("nowhere"), http: FakeHttp | None = None) -> tuple[Handler, Fakes]:
    module = example(name)
    fakes = fake_context(name, settings=shown_settings(module, name), http=http, folder=folder)
    [handler] = module.register_handlers(fakes.context)
    return handler, fakes


async def handle(handler: Handler, event: Event) -> Receipt | None:
    assert handler.handle is not None
    [target] = handler.targets(event)
    return await handler.handle(make_delivery(event, target=target.id))


async def test_outside_office_hours_a_chat_is_answered_once_a_day() -> None:
    handler, fakes = opened("office_hours")
    await handle(handler, make_event(timestamp=SATURDAY))
    await handle(handler, make_event(timestamp=SATURDAY.replace(hour=15)))
    await handle(handler, make_event(timestamp=SATURDAY.replace(day=14)))
    sent = fakes.messages.submitted
    assert len(sent) == 2
    for event in (
        make_event(timestamp=WEDNESDAY),
        make_event(timestamp=SATURDAY, chat="120363000000000000@g.us"),
        make_event(timestamp=SATURDAY, kind="message.any", from_me=True),
    ):
        assert handler.targets(event) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"zone": "Mars/Base"}, "no time zone 'Mars/Base'"), ({"closes": time(8)}, "opens must be before closes")],
)
def test_office_hours_that_cannot_be_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shown_settings(example("office_hours"), "office_hours", **changed)


async def test_the_table_has_a_row_for_each_message_and_none_twice(tmp_path: Path) -> None:
    handler, _ = opened("csv_log", folder=tmp_path)
    assert handler.handle is not None
    event = make_event(content='=HYPERLINK("https://evil.example")\nsecond line', contact_name="Ana, of Acme")
    delivery = make_delivery(event, target="table")
    for _ in range(2):
        await handler.handle(delivery)
    await handle(handler, make_event(content="ours", kind="message.any", from_me=True))
    with (tmp_path / "messages-2025-09.csv").open(newline="", encoding="utf-8") as file:
        head, first, second = csv.reader(file)
    assert head[:3] == ["id", "time", "account"]
    assert (first[0], first[4], first[7]) == (delivery.id, "Ana, of Acme", f"'{event.content}")
    assert (second[5], second[7]) == ("yes", "ours")


OK = answered(200, b'{"ok": true, "upload_url": "https://files.slack.com/up/1", "file_id": "F1"}')


async def test_slack_gets_text_and_file() -> None:
    handler, fakes = opened("slack", http=FakeHttp(OK))
    event = make_event(content="<!channel> & more", media=Media(mimetype="image/png", filename="pot.png"))
    fakes.media.files[event.id] = FakeFile(b"png", mimetype="image/png", filename="pot.png")
    await handle(handler, event)
    asked, uploaded, done = fakes.http.sent
    assert asked.url == "https://slack.com/api/files.getUploadURLExternal"
    assert asked.body == b"filename=pot.png&length=3"
    assert (uploaded.url, uploaded.body, "authorization" in uploaded.headers) == (
        "https://files.slack.com/up/1",
        b"png",
        False,
    )
    assert done.json["initial_comment"].endswith("&lt;!channel&gt; &amp; more")
    del fakes.media.files[event.id]
    await handle(handler, event)
    assert fakes.http.sent[-1].url == "https://slack.com/api/chat.postMessage"


@pytest.mark.parametrize(
    ("answer", "kind", "down"),
    [
        (answered(200, b'{"ok": false, "error": "token_revoked"}'), Retry, True),
        (answered(200, b'{"ok": false, "error": "msg_too_long"}'), Reject, None),
        (answered(429), Retry, False),
        (answered(502, b"<html>"), Retry, False),
        (answered(200, b"<html>"), Retry, False),
    ],
)
async def test_what_slack_answers_is_understood(answer: Any, kind: type[Exception], down: bool | None) -> None:
    handler, _ = opened("slack", http=FakeHttp(answer))
    with pytest.raises(kind) as caught:
        await handle(handler, make_event())
    assert getattr(caught.value, "down", None) == down


class TestSlack(HandlerContract):
    async def make(self, stack: Any) -> HandlerUnderTest:
        http = FakeHttp(OK)
        handler, _ = opened("slack", http=http)
        return HandlerUnderTest(
            handler=handler,
            event=make_event(content=SENTENCE),
            accepts=lambda: http.answer(OK),
            stumbles=lambda: http.answer(503),
            refuses=lambda: http.answer(answered(200, b'{"ok": false, "error": "msg_too_long"}')),
        )


async def test_an_alarm_is_raised_once_for_a_chat_that_waits_and_not_for_one_that_was_answered() -> None:
    http = FakeHttp(TimedOutError(), 200)
    handler, fakes = opened("first_answer", http=http)
    module, other = example("first_answer"), "5511777777777@c.us"
    await handle(handler, make_event())
    await handle(handler, make_event(chat=other))
    await handle(handler, make_event(chat=other, kind="message.any", from_me=True))
    await module.alarm(fakes.context)
    assert fakes.http.sent == []
    fakes.clock.shift(16 * 60)
    for _ in range(3):
        await module.alarm(fakes.context)
    assert len(fakes.http.sent) == 2, "the first try failed, the second told, and then it is told"
    assert fakes.http.sent[-1].json["text"].startswith("5511999999999@c.us has waited for an answer on main since")


@pytest.mark.parametrize(("name", "key"), [("slack", "token"), ("first_answer", "url")])
def test_what_nobody_may_read_is_declared_as_a_secret(name: str, key: str) -> None:
    module = example(name)
    settings = shown_settings(module, name, **{key: " hush\n"})
    assert getattr(settings, key) == "hush"
    assert list(declared_secrets(module.settings_type(), settings)) == ["hush"]


def test_every_example_is_listed_and_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    listed = set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text("utf-8")))
    tested = Path(__file__).read_text("utf-8") + (Path(__file__).parent / "test_write_a_plugin.py").read_text("utf-8")
    assert names == listed
    assert all(name.removesuffix(".py") in tested for name in names)
