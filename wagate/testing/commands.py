"""A plugin's commands without ``wagate``, without a configuration and without a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import typer
from typer.testing import CliRunner

from wagate.errors import WagateError
from wagate.parsing.printable import printable
from wagate.testing.http import FakeHttp
from wagate.testing.settings import make_settings

S = TypeVar("S", bound=msgspec.Struct)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the gateway."""

    method: str
    path: str
    body: Any = None


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str
    """A WagateError is one line in it: ``error: …``."""


class FakeCommandLine:
    """`wagate.hooks.commands.CommandLine`: notes what a command asks the gateway, and answers by script.

    Args:
        settings: plugin → its table, as ``[plugins.<plugin>]`` has it.
        folder: absolute; config.toml and the data are said to be in it, and nothing makes them.
    """

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        public_url: str = "",
        accounts: Mapping[str, str] | None = None,
        running: bool = True,
        folder: Path = Path("/nowhere"),
        http: FakeHttp | None = None,
    ) -> None:
        self.tables = dict(settings or {})
        self.public_url = public_url
        self.accounts: Mapping[str, str] = dict(accounts or {})
        self.running = running
        """Whether there is a gateway."""
        self.config_file = folder / "config.toml"
        self.data_dir = folder / "data"
        self.client = http or FakeHttp()
        """What `http` gives; it notes what the command sends."""
        self.asked: list[Asked] = []
        """What the gateway was asked, in order."""
        self._answers: dict[tuple[str, str], Any] = {}

    def answer(self, method: str, path: str, said: Any) -> None:
        """What the gateway says to this request from now on: JSON, or a WagateError, which is raised."""
        self._answers[method, path] = said

    def run(self, app: typer.Typer, *arguments: str, typed: str = "") -> Ran:
        """Call one of the plugin's apps: ``run(app, "test", "--json")`` is ``wagate <plugin> test --json``.

        ``typed`` is what prompts read. In an async test, call it in a thread, since commands may start trio. What the
        command raises is raised here, but for a WagateError, which ends it with 1.
        """
        group = typer.Typer(no_args_is_help=True)
        group.add_typer(app, name=None)
        # The callback keeps the name of an only command, as `wagate <plugin>` does.
        group.callback()(lambda: None)
        done = CliRunner().invoke(group, list(arguments), input=typed, obj=self)
        said = ""
        if isinstance(done.exception, WagateError):
            said = "".join(f"error: {printable(line)}\n" for line in str(done.exception).splitlines())
        elif done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(exit_code=done.exit_code, stdout=done.stdout, stderr=done.stderr + said)

    def settings(self, plugin: str, kind: type[S]) -> S:
        """The plugin's table, converted and checked. ConfigError."""
        return make_settings(kind, self.tables.get(plugin, {}), key=f"plugins.{plugin}")

    def http(self) -> FakeHttp:
        """The client that sends nothing."""
        return self.client

    def refuse(self, reason: str) -> Exception:
        """An error to raise."""
        return WagateError(reason)

    def runs(self) -> bool:
        """Whether there is a gateway."""
        return self.running

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Note it, and answer as the test said. WagateError: there is no gateway. AssertionError: nothing was said."""
        if not self.running:
            raise WagateError("no gateway is running")
        self.asked.append(Asked(method=method, path=path, body=body))
        if (method, path) not in self._answers:
            raise AssertionError(f"the test gives no answer to {method} {path}; call answer() first")
        said = self._answers[method, path]
        if isinstance(said, WagateError):
            raise said
        return said
