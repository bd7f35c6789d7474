"""Variables as Docker Compose has them: in values (``${NAME:-default}``), and in files (``NAME=value``).

Sources: https://docs.docker.com/reference/compose-file/interpolation/ and
https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/ (syntax of .env files).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from wagate.cli.errors import CommandError

MOST = 1024 * 1024
"""Bytes of a file that is read."""
DEEPEST = 20
"""Defaults within defaults."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(?:[=:](.*))?", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}

Missed = Callable[[str], None]
"""Is told each variable that is not set, and has no default."""


def filled_in(text: str, values: Mapping[str, str], missed: Missed, *, where: str, depth: int = 0) -> str:
    """``text`` with its variables replaced. ``where`` begins each error: file, line, key.

    Raises:
        CommandError: a variable that must be set is not, or what follows a ``$`` is no variable.
    """
    if depth > DEEPEST:
        raise CommandError(f"{where}: defaults are nested more than {DEEPEST} deep")
    out: list[str] = []
    place = 0
    while (dollar := text.find("$", place)) >= 0:
        out.append(text[place:dollar])
        if text.startswith("$$", dollar):
            out.append("$")
            place = dollar + 2
        elif text.startswith("${", dollar):
            end = _closing(text, dollar + 2, where)
            out.append(_braced(text[dollar + 2 : end], values, missed, where=where, depth=depth))
            place = end + 1
        elif name := _NAME.match(text, dollar + 1):
            out.append(_value(name[0], values, missed))
            place = name.end()
        else:
            raise CommandError(f"{where}: a $ is not followed by a variable's name; write $$ for a literal $")
    return "".join([*out, text[place:]])


def _closing(text: str, start: int, where: str) -> int:
    """Where the brace that was opened before ``start`` closes."""
    deep = 1
    for place in range(start, len(text)):
        if text.startswith("${", place):
            deep += 1
        elif text[place] == "}":
            deep -= 1
            if not deep:
                return place
    raise CommandError(f"{where}: a ${{ is not closed; add a }}")


def _braced(inner: str, values: Mapping[str, str], missed: Missed, *, where: str, depth: int) -> str:
    name = _NAME.match(inner)
    how = re.match(r":?[-?+]", inner[name.end() :]) if name else None
    if name is None or (how is None and name.end() != len(inner)):
        raise CommandError(
            f"{where}: a ${{…}} does not have the form NAME, NAME:-default, NAME:?message or NAME:+other"
        )
    if how is None:
        return _value(name[0], values, missed)
    value, rest = values.get(name[0]), inner[name.end() + how.end() :]
    there = value is not None and (value != "" or ":" not in how[0])
    if how[0][-1] == "?" and not there:
        raise CommandError(f"{where}: {name[0]} must be set; set it in the shell, or in .env beside the file")
    other = (how[0][-1] == "-") != there
    if how[0][-1] == "?" or (how[0][-1] == "-" and there):
        return value or ""
    return filled_in(rest, values, missed, where=where, depth=depth + 1) if other else ""


def _value(name: str, values: Mapping[str, str], missed: Missed) -> str:
    if name not in values:
        missed(name)
    return values.get(name, "")


def read_text(path: Path, cure: str) -> str:
    """A file of text. CommandError: it can't be read; ``cure`` is what to do."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"{path}: can't be read: {reason}; {cure}") from error
    if len(raw) > MOST:
        raise CommandError(f"{path}: has more than {MOST // 1024} KiB: is it the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CommandError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from error


def read_env_file(path: Path, values: Mapping[str, str], missed: Missed) -> dict[str, str]:
    """The variables of a file; ``values`` are known already, and fill in what it refers to.

    Raises:
        CommandError: it can't be read; a line of it (named) is not ``NAME=value``.
    """
    found: dict[str, str] = {}
    for number, text in _lines(read_text(path, "put it there, or correct its path"), path):
        where = f"{path}:{number}"
        match = _LINE.fullmatch(text)
        if match is None:
            raise CommandError(f"{where}: is not NAME=value; begin a comment with #")
        name, value = match[1], match[2]
        if value is not None:
            found[name] = _unquoted(value.strip(), {**found, **values}, missed, where=f"{where}: {name}")
        elif name in values:
            found[name] = values[name]
    return found


def _lines(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Each entry with its line; one in quotes may go over several."""
    entry, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not entry and (not line.strip() or line.lstrip().startswith("#")):
            continue
        entry, began = (f"{entry}\n{line}", began) if entry else (line.strip(), number)
        if not _is_open(entry):
            yield began, entry
            entry = ""
    if entry:
        raise CommandError(f"{path}:{began}: a quote is not closed")


def _is_open(entry: str) -> bool:
    match = _LINE.fullmatch(entry)
    value = (match[2] or "").lstrip() if match else ""
    return value[:1] in {"'", '"'} and _quoted(value) is None


def _quoted(value: str) -> re.Match[str] | None:
    """The value in quotes that stands at the beginning, and a comment behind it."""
    quote = value[0]
    inside = r"(?:[^\"\\]|\\.)*" if quote == '"' else "[^']*"
    return re.fullmatch(rf"{quote}({inside}){quote}\s*(?:#.*)?", value, re.DOTALL)


def _unquoted(value: str, values: Mapping[str, str], missed: Missed, *, where: str) -> str:
    if value[:1] not in {"'", '"'}:
        return filled_in(re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip(), values, missed, where=where)
    match = _quoted(value)
    if match is None:
        raise CommandError(f"{where}: there is text after the closing quote")
    if value[0] == "'":
        return match[1]
    plain = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), match[1], flags=re.DOTALL)
    return filled_in(plain, values, missed, where=where)
