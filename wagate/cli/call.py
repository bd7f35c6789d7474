"""What holds for the whole command line: which configuration, which gateway."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from wagate.config import Config


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
        """The configuration, read when it is first needed. Raises ConfigError."""
        from wagate.config import load

        return load(self.config_path)


def of(context: typer.Context) -> Call:
    """The call that this command belongs to."""
    call = context.find_root().obj
    assert isinstance(call, Call)
    return call
