"""Commands in words, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate_chatwoot.agents.asks import NAMES, OF_ACCOUNTS, STATUS_SOURCE, Ask, Unread, is_command, parse, usage

CUSTOMER = "5511999999999@c.us"
COMMANDS = st.sampled_from(NAMES)


@given(COMMANDS, st.sampled_from(["", "wa/", "WA/", " wa/ "]), st.booleans())
def test_every_command_is_read_in_any_case_with_and_without_its_prefix(name: str, prefix: str, loud: bool) -> None:
    found = parse(f"{prefix}{name.upper() if loud else name}  ")
    assert isinstance(found, Ask)
    assert found.name == name


@given(st.text())
def test_nothing_that_people_write_is_an_error(text: str) -> None:
    assert isinstance(parse(text), Ask | Unread)


@given(st.sampled_from(sorted(OF_ACCOUNTS)), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", fullmatch=True))
def test_an_accounts_name_follows_as_it_is_written(name: str, account: str) -> None:
    assert parse(f"{name} {account}") == Ask(name=name, account=account)  # type: ignore[arg-type]
    escaped = account.replace("_", "\\_")  # as Chatwoot's editor writes Markdown
    assert parse(f"{name} {escaped}") == Ask(name=name, account=account)  # type: ignore[arg-type]


@given(st.integers(1, 500), st.sampled_from("mhdw"), st.sampled_from(["--since ", "--since=", "—since ", "since ", ""]))
def test_messages_are_pulled_since_what_was_said(count: int, unit: str, how: str) -> None:
    seconds = {"m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    found = parse(f"messages pull {how}{count}{unit}")
    assert found == Ask(name="messages pull", since=count * seconds, since_text=f"{count}{unit}")


def test_messages_are_pulled_for_a_week_when_nothing_is_said() -> None:
    assert parse("messages pull") == Ask(name="messages pull", since=604_800, since_text="7d")


@pytest.mark.parametrize(
    "text", ["messages pull --since", "messages pull --since soon", "messages pull 0d", "messages"]
)
def test_a_command_that_is_written_wrongly_is_known_for_what_it_was_meant_to_be(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Unread)
    assert found.near == "messages pull"


@pytest.mark.parametrize(
    ("text", "word", "near"),
    [
        ("hello there", "hello", None),
        ("queue stop", "queue", "queue status"),
        ("restart one two", "two", "restart"),
        ('say "', "say", None),
        ("contacts pull now", "now", "contacts pull"),
    ],
)
def test_what_is_not_understood_is_named(text: str, word: str, near: str | None) -> None:
    assert parse(text) == Unread(word=word, near=near)  # type: ignore[arg-type]


def test_an_empty_message_asks_for_help() -> None:
    assert parse(" wa/ ") == Ask(name="help")


@pytest.mark.parametrize("name", NAMES)
def test_how_a_command_is_written_is_a_command_without_its_brackets(name: str) -> None:
    found = parse(usage(name).replace("[account]", "shop").replace("[", "").replace("]", ""))  # type: ignore[arg-type]
    assert isinstance(found, Ask)
    assert found.name == name


def test_commands_are_heeded_anywhere_only_with_their_prefix() -> None:
    assert is_command(STATUS_SOURCE, "anything", anywhere=False)
    assert is_command(CUSTOMER, " WA/status", anywhere=True)
    assert not is_command(CUSTOMER, "wa/status", anywhere=False)
    assert not is_command(CUSTOMER, "status", anywhere=True)
