"""Tables of plugins and accounts, typed by those who know them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from msgspec import field

from wagate.config import Duration, Rate, convert_settings, load
from wagate.config.declared import SecretText, declared_secrets
from wagate.errors import ConfigError


class Inbox(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    inbox_id: int
    token: str
    expires: Duration = Duration("24h")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    clients: list[str] = field(default_factory=lambda: ["*"])
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    fallback: Inbox | None = None
    rate: Rate = Rate("off")
    mode: Literal["a", "b"] = "a"
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode == "b" and not self.inboxes:
            raise ValueError('mode "b" needs inboxes')


def convert(table: dict[str, Any]) -> Settings:
    return convert_settings(Settings, table, file="config.toml", key="plugins.x")


def faults(table: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        convert(table)
    return str(caught.value).splitlines()


def test_settings_are_typed_and_defaulted() -> None:
    settings = convert(
        {
            "url": "u",
            "rate": "5/s",
            "inboxes": {"s": {"inbox-id": 1, "token": "t"}},
            "fallback": {"inbox-id": 2, "token": "f"},
        }
    )
    assert settings.inboxes["s"] == Inbox(inbox_id=1, token="t", expires=Duration("24h"))
    assert settings.fallback == Inbox(inbox_id=2, token="f")
    assert (settings.clients, settings.rate) == (["*"], Rate("5/s"))


def test_unknown_keys_are_refused_with_the_near_miss_at_any_depth() -> None:
    assert faults({"ulr": "u", "url": "u", "inboxes": {"s": {"inbox_id": 1, "token": "t", "inbox-id": 1}}}) == [
        "config.toml: plugins.x.ulr: unknown key; did you mean plugins.x.url?",
        "config.toml: plugins.x.inboxes.s.inbox_id: unknown key; did you mean plugins.x.inboxes.s.inbox-id?",
    ]


def test_what_is_missing_or_of_the_wrong_type_is_named_with_its_whole_key() -> None:
    assert faults({"inboxes": {"s": {"inbox-id": "1", "token": "t"}}, "fallback": {"inbox-id": 1, "token": 2}}) == [
        "config.toml: plugins.x.inboxes.s.inbox-id: must be a whole number, not text",
        "config.toml: plugins.x.fallback.token: must be text, not a whole number",
        "config.toml: plugins.x.url: is missing, and has no default",
    ]


def test_the_reason_of_the_settings_own_check_is_shown() -> None:
    assert faults({"url": "u", "mode": "b"}) == ['config.toml: plugins.x: mode "b" needs inboxes']


def test_a_type_that_toml_can_not_hold_is_the_plugins_fault() -> None:
    class Odd(msgspec.Struct, frozen=True):
        loop: type

    with pytest.raises(ConfigError, match=r"plugins\.x\.loop: settings of type type can't be written"):
        convert_settings(Odd, {"loop": "x"}, key="plugins.x")


def test_text_from_outside_becomes_plain_values(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[plugins.x]\nurl = "env:U"\n[plugins.x.inboxes.s]\ninbox-id = "env:I"\ntoken = "env:T"\n'
        '[plugins.x.extra]\ndeep = ["env:T"]'
    )
    env = {"U": "https://u.example", "I": "5", "T": "sesame", "WAGATE_PLUGINS__X__INBOXES__S__EXPIRES": "2d"}
    config = load(tmp_path / "c.toml", env)
    settings = convert(config.plugins["x"])
    assert settings.inboxes["s"] == Inbox(inbox_id=5, token="sesame", expires=Duration("2d"))
    # JSON refuses subclasses of str, so none may be left.
    assert msgspec.json.encode([settings.url, settings.extra, settings.inboxes["s"].token]) == (
        b'["https://u.example",{"deep":["sesame"]},"sesame"]'
    )


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Its key's name says nothing."""

    way: SecretText | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.note == "wrong":
            raise ValueError(f"can't use {self.way}")


class Channels(msgspec.Struct, frozen=True, kw_only=True):
    by_name: dict[str, Channel] = {}
    spare: list[SecretText] = []


def test_a_declared_secret_is_one_bare_line_that_no_error_shows() -> None:
    found = convert_settings(Channel, {"way": " tgram://123:abcdef\n", "note": " as it is"}, key="plugins.x")
    assert (found.way, found.note) == ("tgram://123:abcdef", " as it is")
    for table in ({"way": "tgram://123\nabcdef"}, {"way": "tgram://123:abcdef", "note": "wrong"}, {"way": 123456}):
        with pytest.raises(ConfigError) as refused:
            convert_settings(Channel, table, key="plugins.x")
        assert not re.search("tgram|abcdef|123456", str(refused.value))


def test_declared_secrets_are_found_at_any_depth_before_and_after_conversion() -> None:
    table = {"by_name": {"a": {"way": "first", "note": "plain"}, "b": {}}, "spare": ["second", "third"]}
    for value in (table, convert_settings(Channels, table, key="plugins.x")):
        assert sorted(declared_secrets(Channels, value)) == ["first", "second", "third"]
