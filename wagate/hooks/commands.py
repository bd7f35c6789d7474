"""What a plugin's command can use: the configuration, HTTP and the running gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    import typer

    from wagate.http.client import HttpClient

S = TypeVar("S", bound=msgspec.Struct)


class CommandLine(Protocol):
    """One call of ``wagate <plugin> …``. Everything raises WagateError, which becomes one line and exit code 1."""

    @property
    def config_file(self) -> Path:
        """Absolute path of the configuration; the file may not exist."""

    @property
    def data_dir(self) -> Path:
        """Absolute path of ``data.dir``; the folder may not exist."""

    @property
    def public_url(self) -> str:
        """``server.public_url``, '' when unset."""

    @property
    def accounts(self) -> Mapping[str, str]:
        """Name → provider of the accounts in the configuration."""

    def settings(self, plugin: str, kind: type[S]) -> S:
        """``[plugins.<plugin>]`` with every ``env:`` and ``file:`` read; all defaults if the table is missing."""

    def http(self) -> HttpClient:
        """The guarded HTTP client that the gateway uses. Use it inside ``trio.run``."""

    def refuse(self, reason: str) -> Exception:
        """An error to raise; the command prints ``reason`` and nothing else."""

    def runs(self) -> bool:
        """Whether a gateway runs with this configuration, or ``--url`` names one."""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the running gateway, with the admin token or ``--token``. Returns the answer's JSON."""


def command_line(context: typer.Context) -> CommandLine:
    """The `CommandLine` of a command."""
    return cast("CommandLine", context.find_root().obj)
