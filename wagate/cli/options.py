"""What holds for the whole command line: which configuration, which gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

if TYPE_CHECKING:
    from wagate.config import Config
    from wagate.http.client import HttpClient

S = TypeVar("S", bound=msgspec.Struct)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""What every command that lists or shows has."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """The options before the command."""

    config_path: Path | None = None
    """``--config``; None: config.toml in the current folder, if it is there."""
    url: str | None = None
    """``--url``; None: the gateway that serves this data folder, by its socket."""
    token: str | None = None
    """``--token``; None: the admin token of this data folder."""

    @cached_property
    def config(self) -> Config:
        """The configuration, read when it is first needed, with every secret. Raises ConfigError."""
        from wagate.config import load

        return load(self.config_path)

    def part(self, *keys: str) -> Config:
        """These keys of it alone (`wagate.config.load_part`): the gateway's secrets need not be in this shell."""
        from wagate.config import load_part

        return load_part(self.config_path, keys)

    @cached_property
    def data_dir(self) -> Path:
        """``data.dir``."""
        return self.part("data.dir").data.dir

    @property
    def config_file(self) -> Path:
        """Where the configuration is."""
        return self.part().file

    @property
    def public_url(self) -> str:
        """``server.public_url``."""
        return self.part("server.public_url").server.public_url

    @property
    def accounts(self) -> Mapping[str, str]:
        """Name → provider of the accounts in the configuration."""
        tables = self.part("accounts.*.provider").accounts
        return {name: str(table.get("provider", "")) for name, table in tables.items()}

    def settings(self, plugin: str, kind: type[S]) -> S:
        """The plugin's table. ConfigError."""
        from wagate.config import convert_settings

        table = self.part(f"plugins.{plugin}").plugins.get(plugin, {})
        return convert_settings(kind, table, file=str(self.config_file), key=f"plugins.{plugin}")

    def http(self) -> HttpClient:
        """The guarded client."""
        from wagate.process.assemble import http_client

        return http_client(self.part("delivery", "server.host", "server.port"))

    def refuse(self, reason: str) -> Exception:
        """An error for the terminal."""
        from wagate.cli.errors import CommandError

        return CommandError(reason)


def of(context: typer.Context) -> Call:
    """The call that this command belongs to."""
    call = context.find_root().obj
    assert isinstance(call, Call)
    return call
