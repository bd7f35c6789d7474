"""A plugin that is one file, without a package: ``[plugins.x]`` with ``file = "x.py"``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

from wagate.errors import ConfigError

KEY: Final = "file"
"""The key of a plugin's table that names its file. An installed plugin may have a setting of this name."""


@dataclass(frozen=True)
class PluginFile:
    """Stands for an entry point: what `importlib.metadata.EntryPoint` offers, of a file."""

    name: str
    path: Path
    dist: None = None
    """No distribution: there is no package, and no version."""

    @property
    def value(self) -> str:
        """The path, for messages."""
        return str(self.path)

    def load(self) -> Any:
        """Its hooks: ``plugin`` of the file, else all of it. It is run once in a process.

        Raises:
            ConfigError: there is no such file. What its code raises goes through.
        """
        name = f"wagate_file_{self.name}"
        module = sys.modules.get(name)
        if module is None or module.__file__ != str(self.path):
            if not self.path.is_file():
                raise ConfigError(f"[plugins.{self.name}] {KEY}: there is no file {self.path}")
            spec = spec_from_file_location(name, self.path)
            if spec is None or spec.loader is None:
                raise ConfigError(
                    f"[plugins.{self.name}] {KEY}: {self.path} is not a Python file (its name must end in .py)"
                )
            # Structs and dataclasses look their module up while it runs.
            module = sys.modules[name] = module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
        return getattr(module, "plugin", module)


def plugin_files(tables: Mapping[str, Any], folder: Path) -> dict[str, PluginFile]:
    """The plugins whose tables name a file, by name; a relative path starts at ``folder``, where config.toml is."""
    return {
        name: PluginFile(name, folder / Path(table[KEY]).expanduser())
        for name, table in tables.items()
        if isinstance(table, Mapping) and isinstance(table.get(KEY), str)
    }
