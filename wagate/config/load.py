"""Load config.toml: read, override, resolve, convert, check."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from wagate.config.check import check
from wagate.config.convert import convert
from wagate.config.problems import Problems
from wagate.config.sources import add_defaults, find_secrets, override, read_toml, resolve
from wagate.config.tables import Config, Tables


def load(
    path: str | Path | None = None, env: Mapping[str, str] | None = None, *, without: Iterable[str] = ()
) -> Config:
    """The configuration of this process.

    Args:
        path: the file; None is ``config.toml`` in the current folder, which may be missing.
        env: the environment that ``env:NAME`` and ``WAGATE_A__B`` overrides are read from; None is the process's own.
        without: plugins that are off this time, whatever is wrong with their tables.

    Raises:
        ConfigError: one line for each fault, naming file (or variable), key, reason and near miss.
    """
    return _load(path, env, None, tuple(without))


def load_part(path: str | Path | None, keys: Iterable[str], env: Mapping[str, str] | None = None) -> Config:
    """The same with these keys alone, the rest at its defaults: a secret that is named elsewhere need not be there.

    Args:
        path: as in `load`.
        keys: ``data.dir``; a table, as in ``delivery``; ``accounts.*.provider``. A dot at the end, as in
            ``plugins.*.``, takes the tables without what stands in them.
        env: as in `load`.

    Raises:
        ConfigError: as `load`, but only about these keys.
    """
    return _load(path, env, [key.split(".") for key in keys])


def _load(
    path: str | Path | None,
    env: Mapping[str, str] | None,
    keys: list[list[str]] | None,
    without: tuple[str, ...] = (),
) -> Config:
    env = os.environ if env is None else env
    file = Path(path) if path is not None else Path("config.toml")
    problems = Problems(str(file))
    raw = read_toml(file, named=path is not None)
    override(raw, env, problems)
    for name in without:
        _leave_out(raw, name, problems)
    add_defaults(raw, env, problems)
    raw = resolve(raw if keys is None else _picked(raw, keys), (), file.parent, env, problems)
    tables = convert(Tables, raw, (), problems)
    problems.refuse()
    assert isinstance(tables, Tables)
    tables = check(tables, file.parent.absolute(), problems)
    problems.refuse()
    secrets = frozenset(filter(None, find_secrets(raw)))
    return Config(**msgspec.structs.asdict(tables), file=file.absolute(), secrets=secrets, without=without)


def _leave_out(raw: Mapping[str, Any], name: str, problems: Problems) -> None:
    plugins = raw.get("plugins")
    if isinstance(plugins, dict) and name in plugins:
        del plugins[name]
    else:
        problems.add(("plugins", name), f"is not there, so --without {name} has nothing to leave out")


def _picked(raw: dict[str, Any], keys: Iterable[list[str]]) -> dict[str, Any]:
    picked: dict[str, Any] = {}
    for key in keys:
        _pick(raw, picked, key)
    return picked


def _pick(source: Mapping[str, Any], target: dict[str, Any], key: list[str]) -> None:
    first, *rest = key
    for name in source if first == "*" else {first} & source.keys():
        if rest and isinstance(source[name], dict):
            _pick(source[name], target.setdefault(name, {}), rest)
        else:
            target[name] = source[name]
