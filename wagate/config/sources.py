"""Where values come from: the TOML file, ``env:NAME`` and ``file:PATH`` in it, and ``WAGATE_…`` overrides."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from wagate.config.problems import Key, Problems
from wagate.errors import ConfigError

PREFIX: Final = "WAGATE_"
_MADE: Final[dict[Key, str]] = {
    ("auth", "admin_token"): "env:WAGATE_ADMIN_TOKEN",
    ("auth", "secret_key"): "env:WAGATE_SECRET_KEY",
}
"""Keys that may stay unset, since they are made at first start, and what they are read from when the file is silent."""
WITHOUT_A_FILE: Final[dict[str, Any]] = {"plugins": {"webhook": {}}}
"""What the file that ``wagate init`` writes sets: webhooks can be registered at once."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SECRET_KEY: Final = re.compile(r"token|secret|passw|credential|(^|_|api)keys?$|^apprise$", re.IGNORECASE)


CONTROL = "holds a control character (a line end in the middle?); a secret is one line"


class Sourced(str):
    """Text from outside the file, which takes the type of its key."""

    __slots__ = ()


class Secret(Sourced):
    """Sourced text that may be secret: it never shows in a repr, and `find_secrets` finds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'•••'"


def read_toml(file: Path, *, named: bool) -> dict[str, Any]:
    """The file's tables; of a missing file that was not ``named``, `WITHOUT_A_FILE`. ConfigError with the line."""
    text = ""
    try:
        text = file.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError as error:
        if not named:
            return copy.deepcopy(WITHOUT_A_FILE)
        raise ConfigError(f'{file}: there is no such file; "wagate init" writes one') from error
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        reason, _, where = str(error).partition(" (at ")
        where = where.removesuffix(")").replace("end of document", f"line {len(text.splitlines())}")
        raise ConfigError(f"{file}: {where}: {reason}") from error


def override(raw: dict[str, Any], env: Mapping[str, str], problems: Problems) -> None:
    """Put ``WAGATE_A__B=text`` in as ``raw["a"]["b"]``; names match in any case, and ``_`` stands for ``-`` too."""
    for name in sorted(env, key=lambda name: (name.count("__"), name)):
        parts = name.removeprefix(PREFIX).split("__")
        if not name.startswith(PREFIX) or len(parts) < 2 or not all(parts):
            continue
        table: Any = raw
        key: Key = ()
        for part in parts[:-1]:
            key = (*key, _spelled(table, part))
            table = table.setdefault(key[-1], {})
            if not isinstance(table, dict):
                problems.add(key, f"is a value, so {name} can't set a key inside it")
                break
        else:
            key = (*key, _spelled(table, parts[-1]))
            table[key[-1]] = (Secret if key[0] in {"accounts", "plugins"} else Sourced)(env[name].strip())
            problems.origins[key] = f"{name} (environment)"


def _spelled(table: Mapping[str, Any], part: str) -> str:
    """The key in the table that this part of a variable's name means; in lower case when there is none."""
    wanted = part.lower()
    return next((key for key in table if key.lower().replace("-", "_") == wanted), wanted)


def add_defaults(raw: dict[str, Any], env: Mapping[str, str], problems: Problems) -> None:
    """Put in what is read from well-known variables when nothing else sets it."""
    if isinstance(auth := raw.setdefault("auth", {}), dict):
        for (_, name), text in _MADE.items():
            auth.setdefault(name, text)
    database = raw.setdefault("database", {})
    if isinstance(database, dict) and not database.get("url") and env.get("DATABASE_URL"):
        database["url"] = "env:DATABASE_URL"
        problems.origins["database", "url"] = "DATABASE_URL (environment)"


def resolve(value: Any, key: Key, folder: Path, env: Mapping[str, str], problems: Problems) -> Any:
    """The value with every ``env:`` and ``file:`` in it replaced by what it names, at any depth.

    What is around a secret (a line end, mostly) is taken off; control characters in one are a problem.
    """
    match value:
        case dict():
            return {name: resolve(item, (*key, name), folder, env, problems) for name, item in value.items()}
        case list():
            items = [
                resolve(item, (*key[:-1], f"{key[-1]}[{i}]"), folder, env, problems) for i, item in enumerate(value)
            ]
            return [item for item in items if item != ""] if key in _MADE else items
        case str() if value.startswith("env:"):
            return _checked(_from_environment(value.removeprefix("env:"), key, env, problems), key, problems)
        case str() if value.startswith("file:"):
            read = _from_file(folder / Path(value.removeprefix("file:")).expanduser(), key, problems)
            return _checked(read, key, problems)
        case str() if _names_secret(key):
            return _checked(value, key, problems)
    return value


def _names_secret(key: Key) -> bool:
    return _SECRET_KEY.search(key[-1].partition("[")[0]) is not None


def _checked(text: str, key: Key, problems: Problems) -> str:
    """The secret without what is around it."""
    if not _names_secret(key):
        return text
    if (bare := clean_secret(text)) is None:
        problems.add(key, CONTROL)
        return ""
    return type(text)(bare)


def clean_secret(text: str) -> str | None:
    """A secret without the blanks and line ends around it; None: control characters are in it. Keys may be PEM."""
    bare = text.strip()
    return None if _CONTROL.search(bare) and not bare.startswith("-----BEGIN ") else bare


def _from_environment(name: str, key: Key, env: Mapping[str, str], problems: Problems) -> str:
    if name in env:
        return Secret(env[name].strip())
    if (*key[:-1], key[-1].partition("[")[0]) not in _MADE:
        problems.add(key, f"the environment variable {name} is not set; set it, or write the value here")
    return ""


def _from_file(path: Path, key: Key, problems: Problems) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.add(key, f"can't read {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}")
        return ""
    return Secret(text.strip())


def named_variables(file: Path) -> set[str]:
    """The environment variables that a configuration names as ``env:NAME``, with those that count unnamed.

    Raises:
        ConfigError: it can't be read.
    """
    raw: dict[str, Any] = {"file": read_toml(file, named=False), "made": list(_MADE.values())}
    return set(_named(raw))


def _named(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for item in value.values():
                yield from _named(item)
        case list():
            for item in value:
                yield from _named(item)
        case str() if value.startswith("env:"):
            yield value.removeprefix("env:")


def find_secrets(value: Any, name: str = "") -> Iterator[str]:
    """Every text that came from outside the file or whose key's name says that it is secret, and passwords in URLs."""
    match value:
        case dict():
            for inner, item in value.items():
                yield from find_secrets(item, inner)
        case list():
            for item in value:
                yield from find_secrets(item, name)
        case str():
            if _SECRET_KEY.search(name) or (isinstance(value, Secret) and not _is_plain(value)):
                yield str(value)
            if match := re.search(r"://[^/@:]*:([^/@]+)@", value):
                yield match[1]


def _is_plain(text: str) -> bool:
    """A number or a truth value, which hides nothing and would blot out half a log."""
    return re.fullmatch(r"true|false|[\d.]{1,8}", text, re.IGNORECASE) is not None
