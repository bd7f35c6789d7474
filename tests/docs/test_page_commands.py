"""Every ``wagate …`` that a page, an error or a help text names is one that the command line has, options included."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from wagate.cli import app

ROOT = Path(__file__).parents[2]
PLANNED = "status.md"
"""Names what is not there yet, which is why it is not looked at."""
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != PLANNED)]
SOURCES = [path for folder in ("wagate", "plugins") for path in sorted((ROOT / folder).rglob("*.py"))]
INLINE = re.compile(r"`(wagate [a-z-][^`\n]*)`")
SHELL = re.compile(r"^```(?:sh|console|bash|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"(?:^|[\s(]|bin/)(?<!/var/lib/)wagate (?=[a-z-])(.*)$")
ENDS = frozenset({"|", ">", ">>", "&", "&&", "||", ";", "#", "2>&1", ")"})
ANY = re.compile(r"<.*>|…|\.\.\.|\[.*")
"""A word that stands for others."""


def named(path: Path) -> Iterator[str]:
    """The commands that a file names, without ``wagate``."""
    text = path.read_text("utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (found.removeprefix("wagate ") for found in INLINE.findall(prose))
    for block in SHELL.findall(text):
        console = re.search(r"^\$ ", block, re.MULTILINE) is not None
        for line in block.replace("\\\n", " ").splitlines():
            # In a console, what has no prompt is an answer.
            if (found := LINE.search(line)) and (not console or line.startswith("$ ")):
                yield found[1]


def words(command: str) -> list[str]:
    """The command's words, up to where the shell goes on with something else."""
    found = []
    if command.count("'") % 2:
        command = command.replace("'", "")  # it stood inside another command's quotes, as in sh -c '…'
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    for word in lexer:
        if word in ENDS or set(word) <= set("|&;>()"):
            break
        found.append(word)
    return found


def values_of(option: Any) -> set[str]:
    """What an option can be; empty when that is open."""
    kind = option.type_descriptor.annotation
    return {str(each.value) for each in kind} if isinstance(kind, type) and issubclass(kind, Enum) else set()


@cache
def command_line() -> Any:
    """All commands: to make them takes a while."""
    return typer.main.get_command(app)


def fault(command: str) -> str:
    """What is wrong with it; '' when nothing is."""
    current = command_line()
    context = typer.Context(current)
    shared = {name: param for param in current.params for name in param.opts}
    rest = words(command) if "<" not in command else command.split()
    arguments = 0
    while rest:
        word = rest.pop(0)
        if ANY.match(word):
            return ""
        if word.startswith("-"):
            name, joined, value = word.partition("=")
            options = {name: param for param in current.params for name in (*param.opts, *param.secondary_opts)}
            option = options.get(name) or shared.get(name)
            if option is None and name not in {"-h", "--help"}:
                return f"{current.name} has no {name}"
            if option is not None and not option.is_flag and not joined:
                value = rest.pop(0) if rest else ""
            if option is not None and value and not value.isupper() and value not in (values_of(option) or {value}):
                return f"{name} can't be {value}"
        elif hasattr(current, "list_commands"):
            found = current.get_command(context, word)
            if found is None:
                return f"{current.name} has no command {word}"
            current = found
        else:
            arguments += 1
    taken = [param for param in current.params if param.param_type_name == "argument"]
    if arguments > len(taken) and all(param.nargs != -1 for param in taken):
        return f"{current.name} takes {len(taken)} arguments"
    return ""


def test_every_command_that_is_named_is_one() -> None:
    commands = [(path, command) for path in (*PAGES, *SOURCES) for command in named(path)]
    assert len({path for path, _ in commands}) > 15
    assert len(commands) > 50
    wrong = [
        f"{path.relative_to(ROOT)}: wagate {command}: {why}" for path, command in commands if (why := fault(command))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "command",
    [
        "jobs list --statuses failed",
        "jobs lst",
        "job list",
        "jobs show ID --now",
        "client add one two three",
        "chatwoot conect",
        "jobs list --state done",
    ],
)
def test_a_wrong_command_is_found(command: str) -> None:
    assert fault(command)


@pytest.mark.parametrize(
    "command",
    [
        "serve --config config.toml > log 2>&1 & echo $! > pid",
        "--token $TOKEN simulate message 'Hello' --count 3",
        "<plugin> …",
        "jobs retry ID…",
        "check --config=a.toml",
        "jobs list --json | jq .",
    ],
)
def test_a_right_command_is_left_alone(command: str) -> None:
    assert not fault(command)
