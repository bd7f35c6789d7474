"""Load config.toml: read, override, resolve, convert, check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from wagate.config.check import check
from wagate.config.convert import convert
from wagate.config.problems import Problems
from wagate.config.sources import add_defaults, find_secrets, override, read_toml, resolve
from wagate.config.tables import Config, Tables


def load(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """The configuration of this process.

    Args:
        path: the file; None is ``config.toml`` in the current folder, which may be missing.
        env: the environment that ``env:NAME`` and ``WAGATE_A__B`` overrides are read from; None is the process's own.

    Raises:
        ConfigError: one line for each fault, naming file (or variable), key, reason and near miss.
    """
    env = os.environ if env is None else env
    file = Path(path) if path is not None else Path("config.toml")
    problems = Problems(str(file))
    raw = read_toml(file, named=path is not None)
    override(raw, env, problems)
    add_defaults(raw, env, problems)
    raw = resolve(raw, (), file.parent, env, problems)
    tables = convert(Tables, raw, (), problems)
    problems.refuse()
    assert isinstance(tables, Tables)
    tables = check(tables, file.parent.absolute(), problems)
    problems.refuse()
    secrets = frozenset(filter(None, find_secrets(raw)))
    return Config(**msgspec.structs.asdict(tables), file=file.absolute(), secrets=secrets)
