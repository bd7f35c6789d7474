"""The service of a compose file that runs WAHA or Evolution API: its image, ports and environment.

Source: https://docs.docker.com/reference/compose-file/services/ (environment, env_file, ports).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from wagate.cli.errors import CommandError
from wagate.cli.imports.plan import Left
from wagate.cli.imports.variables import filled_in, read_env_file, read_text

NEEDS_YAML = (
    'reading YAML needs PyYAML: pip install "wagate[compose]"; or let Docker write it as JSON, '
    "docker compose config --format json > compose.json, and give that file; "
    "or ask its API alone with --url and --api-key"
)


class Product(msgspec.Struct, frozen=True):
    """What a service may run."""

    title: str
    image: re.Pattern[str]


WAHA = Product("WAHA", re.compile(r"(?:^|/)(?:waha(?:-plus)?|whatsapp-http-api(?:-plus)?)(?:[:@]|$)"))
"""https://hub.docker.com/u/devlikeapro: ``devlikeapro/waha``, ``waha-plus``, and their older names."""
EVOLUTION = Product("Evolution API", re.compile(r"(?:^|/)evolution-api(?:-lite)?(?:[:@]|$)"))
"""``evoapicloud/evolution-api``, and before 2.3 ``atendai/evolution-api``."""


class Node(msgspec.Struct, frozen=True):
    """A value with its line; 0: not known."""

    value: str | dict[str, Node] | list[Node] | None
    line: int


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """One service."""

    file: str
    name: str
    ports: tuple[str, ...]
    environment: dict[str, str]
    left: tuple[Left, ...]
    """What was not read."""


class _Reader:
    """Reads one file, with ``.env`` and the shell behind it."""

    def __init__(self, path: Path, shell: Mapping[str, str], product: Product) -> None:
        self.path = path
        self.product = product
        self.left: list[Left] = []
        beside = path.parent / ".env"
        dotenv = read_env_file(beside, shell, self.missed) if beside.is_file() else {}
        self.values = {**dotenv, **shell}

    def missed(self, name: str) -> None:
        self.left.append(Left(what=f"${{{name}}}", why="is set neither in the shell nor in .env; treated as empty"))

    def wrong(self, node: Node, key: str, why: str) -> CommandError:
        line = f":{node.line}" if node.line else ""
        return CommandError(f"{self.path}{line}: {key}: {why}")

    def mapping(self, node: Node | None, key: str) -> dict[str, Node]:
        """{} for what is not there."""
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            raise self.wrong(node, key, "is not a mapping; write NAME: value, one per line")
        return node.value

    def text(self, node: Node, key: str) -> str:
        if not isinstance(node.value, str):
            raise self.wrong(node, key, "is not text; write one value")
        line = f":{node.line}" if node.line else ""
        return filled_in(node.value, self.values, self.missed, where=f"{self.path}{line}: {key}")

    def texts(self, node: Node | None, key: str) -> list[str]:
        if node is None or node.value is None:
            return []
        rows = node.value if isinstance(node.value, list) else [node]
        return [self.text(row, key) for row in rows if not isinstance(row.value, dict)]

    def environment(self, service: Mapping[str, Node], key: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for path, needed in self.env_files(service.get("env_file"), f"{key}.env_file"):
            if needed or path.is_file():
                found |= read_env_file(path, self.values, self.missed)
        return found | self.own(service.get("environment"), f"{key}.environment")

    def own(self, node: Node | None, key: str) -> dict[str, str]:
        """``environment``: a list or a mapping; a name alone comes from outside."""
        if node is not None and isinstance(node.value, list):
            pairs = [self.text(row, key).partition("=") for row in node.value]
            given = {name.strip(): value if equals else None for name, equals, value in pairs}
        else:
            rows = self.mapping(node, key)
            given = {name: self.scalar(row, f"{key}.{name}") for name, row in rows.items()}
        return {
            name: self.values.get(name, "") if value is None else value
            for name, value in given.items()
            if value is not None or name in self.values
        }

    def scalar(self, node: Node, key: str) -> str | None:
        return None if node.value is None else self.text(node, key)

    def env_files(self, node: Node | None, key: str) -> list[tuple[Path, bool]]:
        """Each with whether it must be there."""
        if node is None or node.value is None:
            return []
        rows = node.value if isinstance(node.value, list) else [node]
        found = []
        for row in rows:
            table = row.value if isinstance(row.value, dict) else {"path": row}
            if "path" not in table:
                raise self.wrong(row, key, "has no path; write path: FILE")
            needed = table.get("required")
            name = self.text(table["path"], key)
            found.append((self.path.parent / name, needed is None or needed.value != "false"))
        return found

    def ports(self, node: Node | None, key: str) -> list[str]:
        """In the short form, ``published:target``."""
        if node is None or not isinstance(node.value, list):
            return []
        long = [row.value for row in node.value if isinstance(row.value, dict)]
        pairs = [[table.get("host_ip"), table.get("published"), table.get("target")] for table in long]
        rows = [":".join(self.text(each, key) for each in pair if each is not None) for pair in pairs]
        return self.texts(node, key) + rows


def read_service(
    path: Path, name: str = "", shell: Mapping[str, str] | None = None, *, product: Product = WAHA
) -> Composed:
    """The service that runs the product, or the one of this name.

    Raises:
        CommandError: the file can't be read or understood (with file, line and key), or it is not clear which service.
    """
    reader = _Reader(path, os.environ if shell is None else shell, product)
    root = _parse(path, read_text(path, f"name the compose file of {product.title}"))
    if not isinstance(root.value, dict) or "services" not in root.value:
        raise CommandError(f"{path}: has no services; is it a compose file?")
    services = {key: reader.mapping(row, f"services.{key}") for key, row in _services(reader, root).items()}
    chosen = name or _choose(reader, services)
    if chosen not in services:
        raise CommandError(f"{path}: has no service {chosen!r}; there are: {', '.join(services)}")
    service, key = services[chosen], f"services.{chosen}"
    unread = [Left(what=f"{key}.{each}", why="is not followed: see what it brings") for each in ("extends",)]
    return Composed(
        file=str(path),
        name=chosen,
        environment=reader.environment(service, key),
        ports=tuple(reader.ports(service.get("ports"), f"{key}.ports")),
        left=tuple(dict.fromkeys([*(each for each in unread if "extends" in service), *reader.left])),
    )


def address_of(service: Composed, inner: str) -> str:
    """Where its port ``inner`` is published on this machine; else its name in Docker's network."""
    for port in service.ports:
        match = re.fullmatch(r"(?:(.*):)?(\d+):(\d+)(?:/tcp)?", port)
        if match and match[3] == inner:
            host = match[1] if match[1] and match[1] not in {"0.0.0.0", "[::]"} else "127.0.0.1"  # noqa: S104
            return f"http://{host}:{match[2]}"
    return f"http://{service.name}:{inner}"


def _services(reader: _Reader, root: Node) -> dict[str, Node]:
    assert isinstance(root.value, dict)
    if "include" in root.value:
        reader.left.append(
            Left(what="include", why=f"is not followed; give the file that defines {reader.product.title}")
        )
    return reader.mapping(root.value["services"], "services")


def _choose(reader: _Reader, services: Mapping[str, Mapping[str, Node]]) -> str:
    title, image = reader.product.title, reader.product.image
    found = [key for key, row in services.items() if image.search(_image(reader, row, key))]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(f"{reader.path}: several services run {title}: {', '.join(found)}; name one with --service")
    names = ", ".join(services) or "none"
    raise CommandError(f"{reader.path}: no service has an image of {title}; name its service with --service ({names})")


def _image(reader: _Reader, service: Mapping[str, Node], key: str) -> str:
    quiet = len(reader.left)
    image = reader.text(service["image"], f"services.{key}.image") if "image" in service else ""
    del reader.left[quiet:]  # another service's variables are nobody's loss
    return image


def _parse(path: Path, text: str) -> Node:
    if text.lstrip()[:1] == "{":
        try:
            return _of_json(json.loads(text))
        except (ValueError, RecursionError) as error:
            line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise CommandError(f"{path}{line}: is not JSON: {getattr(error, 'msg', 'nested too deep')}") from error
    try:
        import yaml
    except ImportError as error:
        raise CommandError(f"{path}: {NEEDS_YAML}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return Node({}, 0) if root is None else _of_yaml(root, path, {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise CommandError(f"{path}{line}: is not YAML: {error.problem}; correct this line") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise CommandError(f"{path}: can't be read as YAML: {type(error).__name__}") from error


def _of_json(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({key: _of_json(each) for key, each in value.items()}, 0)
    if isinstance(value, list):
        return Node([_of_json(each) for each in value], 0)
    return Node(value if value is None or isinstance(value, str) else json.dumps(value), 0)


def _of_yaml(node: Any, path: Path, known: dict[int, Node | None]) -> Node:
    """Our own tree; what an alias repeats is shared, not copied."""
    if id(node) in known:
        shared = known[id(node)]
        if shared is None:
            raise CommandError(f"{path}:{node.start_mark.line + 1}: an alias refers to itself")
        return shared
    known[id(node)] = None
    line = node.start_mark.line + 1
    value: Any
    if node.id == "mapping":
        value = _of_mapping(node, path, known)
    elif node.id == "sequence":
        value = [_of_yaml(each, path, known) for each in node.value]
    else:
        value = None if node.tag.endswith(":null") else node.value
    made = known[id(node)] = Node(value, line)
    return made


def _of_mapping(node: Any, path: Path, known: dict[int, Node | None]) -> dict[str, Node]:
    own: dict[str, Node] = {}
    merged: dict[str, Node] = {}
    for key, each in node.value:
        line = key.start_mark.line + 1
        value = _of_yaml(each, path, known)
        if key.tag.endswith(":merge"):
            for part in value.value if isinstance(value.value, list) else [value]:
                if not isinstance(part.value, dict):
                    raise CommandError(f"{path}:{line}: << merges something that is not a mapping")
                merged = part.value | merged
        elif key.id != "scalar" or key.value in own:
            why = f"{key.value} appears twice" if key.id == "scalar" else "a key is not text"
            raise CommandError(f"{path}:{line}: {why}")
        else:
            own[key.value] = value
    return merged | own
