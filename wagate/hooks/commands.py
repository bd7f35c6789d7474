"""What a plugin's command may know and do: the configuration, HTTP, a gateway that runs."""

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
        """The configuration, absolute; it may not be there."""

    @property
    def data_dir(self) -> Path:
        """``data.dir``, absolute; it may not be there."""

    @property
    def public_url(self) -> str:
        """``server.public_url``, '' when unset."""

    @property
    def accounts(self) -> Mapping[str, str]:
        """Name → provider of the accounts in the configuration."""

    def settings(self, plugin: str, kind: type[S]) -> S:
        """``[plugins.<plugin>]`` with every ``env:`` and ``file:`` read; all defaults when it is not there."""

    def http(self) -> HttpClient:
        """The guarded client, as the gateway would have it. Used inside ``trio.run``."""

    def refuse(self, reason: str) -> Exception:
        """An error to raise: ``reason`` is all that is shown."""

    def runs(self) -> bool:
        """Whether a gateway runs on this configuration, or was named by ``--url``."""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the running gateway with the admin's token (or ``--token``); the answer's JSON."""


def command_line(context: typer.Context) -> CommandLine:
    """The call that a command belongs to."""
    return cast("CommandLine", context.find_root().obj)
