from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
import typer

from scripts.reference_pages import cli_page, config_page, field_docs, hooks_page, keys_table


class Span(float):
    """A custom type that prints as text with a unit."""

    def __str__(self) -> str:
        return f"{int(self)}s"


class Base(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    """Where to listen, as in
    ``::``."""


class Server(Base, frozen=True, kw_only=True):
    """Where it listens."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    """The port."""
    drain: Span = Span(20)
    """How long."""
    folder: Path = Path("data")
    """Where."""
    order: Literal["strict", "skip"] = "strict"
    """strict | skip."""
    names: list[str] = msgspec.field(default_factory=list)
    """Several."""
    allow: bool = False
    """Or not."""
    key: str | list[str]
    """One or more."""
    nick: str | None = None
    """Maybe."""


class Silent(msgspec.Struct):
    host: str = ""


class Account(msgspec.Struct):
    """One number."""

    client: str = "default"
    """Its owner."""


class Root(msgspec.Struct, kw_only=True):
    server: Server
    accounts: dict[str, Account] = {}
    plugins: dict[str, dict[str, Any]] = {}
    """``[plugins.<name>]``: the plugin's own."""


def test_a_field_is_documented_by_the_docstring_after_it_also_in_a_base() -> None:
    assert field_docs(Server) == {
        "host": "Where to listen, as in\n``::``.",
        "port": "The port.",
        "drain": "How long.",
        "folder": "Where.",
        "order": "strict | skip.",
        "names": "Several.",
        "allow": "Or not.",
        "key": "One or more.",
        "nick": "Maybe.",
    }


def test_each_key_has_a_row_with_type_default_and_doc() -> None:
    assert keys_table(Server).splitlines()[2:] == [
        '| `host` | text | `"127.0.0.1"` | Where to listen, as in `::`. |',
        "| `port` | whole number, 0 to 65535 | `8080` | The port. |",
        '| `drain` | span | `"20s"` | How long. |',
        '| `folder` | path | `"data"` | Where. |',
        '| `order` | `"skip"` or `"strict"` | `"strict"` | strict \\| skip. |',
        "| `names` | list of text | `[]` | Several. |",
        "| `allow` | `true` or `false` | `false` | Or not. |",
        "| `key` | text or list of text | required | One or more. |",
        "| `nick` | text |  | Maybe. |",
    ]


def test_a_key_without_a_docstring_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"Silent\.host: write a docstring"):
        keys_table(Silent)


def test_every_table_has_a_section() -> None:
    page = config_page(Root)
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# config.toml",
        "## [server]",
        "## [accounts.<name>]",
        "## [plugins.<name>]",
    ]
    assert "Where it listens." in page
    assert '| `client` | text | `"default"` | Its owner. |' in page
    assert "`[plugins.<name>]`: the plugin's own." in page


def app() -> typer.Typer:
    top = typer.Typer(help="A gateway.", add_completion=False)
    jobs = typer.Typer(help="Deliveries.")
    top.add_typer(jobs, name="jobs")

    @top.command()
    def serve(config: str = typer.Option("config.toml", metavar="FILE", help="What to ``read``.")) -> None:
        """Serve until stopped."""

    @jobs.command()
    def retry(
        ids: list[str] = typer.Argument(metavar="ID", help="Which."),  # noqa: B008
        failed: bool = typer.Option(False, "--failed", help="All that failed."),
        secret: str = typer.Option("", hidden=True),
    ) -> None:
        """Try again."""

    @top.command(hidden=True)
    def inner() -> None:
        """Not for people."""

    return top


def test_every_command_has_usage_help_and_options() -> None:
    page = cli_page(app(), "wagate")
    assert [line for line in page.splitlines() if line.startswith(("#", "wagate"))] == [
        "# wagate",
        "wagate COMMAND …",
        "## wagate serve",
        "wagate serve [OPTIONS]",
        "## wagate jobs",
        "wagate jobs COMMAND …",
        "## wagate jobs retry",
        "wagate jobs retry [OPTIONS] ID…",
    ]
    assert "| `--config` FILE | `config.toml` | What to `read`. |" in page
    assert "| `ID…` | required | Which. |" in page
    assert "| `--failed` |  | All that failed. |" in page
    assert "secret" not in page
    assert "Serve until stopped." in page


class Hooks:
    """What a plugin may do."""

    def settings_type(self) -> type:
        """Its settings."""
        return dict

    def register(self, context: dict[str, str]) -> list[str]:
        """Its ``handlers``."""
        return list(context)


def test_every_hook_has_signature_and_contract() -> None:
    page = hooks_page(Hooks)
    assert "def settings_type() -> type: ...\n" in page
    assert "def register(context: dict[str, str]) -> list[str]: ...\n" in page
    assert "Its `handlers`." in page
