"""Reference pages made from the code: configuration from its structs, commands from typer, hooks from their specs."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer
from msgspec import inspect as types
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

sys.path.append(str(Path(__file__).parent.parent))  # run as a script, too
from scripts import api_pages

Command = TyperCommand | TyperGroup
DOCS = Path(__file__).parent.parent / "docs/reference"
MADE = "<!-- Made by scripts/docs from the code; edit the code, then run it. -->\n"
CONFIG_INTRO = """
All keys are optional; [config.toml](../../config.toml) has each of them with its default. Without `--config`, wagate
reads the `config.toml` of the current folder.

- A text `env:NAME` or `file:PATH` is read from there. Such values never appear in logs or answers.
- You can set any key in the environment instead: `WAGATE_SERVER__PORT=9000` is `port` of `[server]`. Lists are TOML or
  JSON: `WAGATE_DELIVERY__ALLOW_NETWORKS='["192.168.1.0/24"]'`.
- Durations (`"10s"`, `"1h30m"`), sizes (`"10MiB"`) and rates (`"600/min"`) take units.
- TOML allows each table once. If the file has a table already, add your keys to that one.
- An unknown key is an error, and so is an `env:` that is not set, except for the keys of `[auth]`: wagate makes those
  at the first start.
"""


def main(arguments: Sequence[str]) -> int:
    stale = []
    for name, text in pages().items():
        path = DOCS / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    if not stale:
        return 0
    if "--check" not in arguments:
        print("written: " + ", ".join(stale))
        return 0
    print("stale, run scripts/docs: " + ", ".join(stale))
    return 1


def pages() -> dict[str, str]:
    """Each page's file name and text. A module that is not there yet has no page; one that is there has its name."""
    sources: list[tuple[str, str, str, Callable[[Any], str]]] = [
        ("config.md", "wagate.config.tables", "Tables", config_page),
        ("cli.md", "wagate.cli", "app", lambda app: cli_page(app, "wagate")),
        ("hooks.md", "wagate.hooks.specs", "Hooks", hooks_page),
        ("alerts.md", "wagate_alerts.settings", "Settings", alerts_page),
    ]
    made = {
        page: render(getattr(importlib.import_module(module), name))
        for page, module, name, render in sources
        if exists(module)
    }
    return made | {name: MADE + "\n" + text for name, text in api_pages.pages().items()}


def exists(module: str) -> bool:
    package = module.rpartition(".")[0]
    if package and not exists(package):
        return False
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def config_page(root: type[msgspec.Struct]) -> str:
    parts = [MADE, "# config.toml\n", CONFIG_INTRO.lstrip()]
    parts += sections(root, prefix="")
    return "\n".join(parts)


def alerts_page(settings: type[msgspec.Struct]) -> str:
    channel = next(
        each.type.value_type.cls
        for each in type_of(settings).fields
        if isinstance(each.type, types.DictType) and isinstance(each.type.value_type, types.StructType)
    )
    parts = [
        MADE,
        "# Alerts\n",
        "The keys of the connector `alerts`. [Get alerts](../how-to/alerts.md) says how to use them.\n",
    ]
    for name, struct in (("plugins.alerts", settings), ("plugins.alerts.channels.<name>", channel)):
        parts.append(f"## [{name}]\n\n{prose(inspect.getdoc(struct) or '')}\n\n{keys_table(struct)}")
    return "\n".join(parts)


def sections(struct: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    """One section for each table of a struct that holds tables."""
    documented = field_docs(struct)
    for field in type_of(struct).fields:
        name, inner, doc = prefix + field.encode_name, field.type, documented.get(field.name, "")
        if isinstance(inner, types.DictType):
            name, inner = f"{name}.<name>", inner.value_type
        if isinstance(inner, types.StructType):
            yield f"## [{name}]\n\n{prose(inspect.getdoc(inner.cls) or doc)}\n\n{keys_table(inner.cls)}"
        else:
            yield f"## [{name}]\n\n{prose(doc)}\n"


def keys_table(struct: type[msgspec.Struct]) -> str:
    """The keys of one table. SystemExit for a key without a docstring: it would be undocumented."""
    documented = field_docs(struct)
    for field in type_of(struct).fields:
        if field.name not in documented:
            raise SystemExit(f"{struct.__module__}.{struct.__name__}.{field.name}: write a docstring below the field")
    rows = [
        [f"`{field.encode_name}`", kind(field.type), default(field), prose(documented[field.name])]
        for field in type_of(struct).fields
    ]
    return table(["key", "value", "default", "what it does"], rows)


def type_of(struct: type[msgspec.Struct]) -> types.StructType:
    found = types.type_info(struct)
    assert isinstance(found, types.StructType)
    return found


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The docstring that stands after each field, those of base structs included."""
    found: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if not (issubclass(cls, msgspec.Struct) and cls is not msgspec.Struct):
            continue
        definition = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(definition, ast.ClassDef)
        for field, following in zip(definition.body, definition.body[1:], strict=False):
            match field, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    return found


def kind(of: types.Type) -> str:
    """What to write for this type in TOML, in words."""
    match of:
        case types.StrType():
            return "text"
        case types.BoolType():
            return "`true` or `false`"
        case types.IntType(ge=low, le=high) | types.FloatType(ge=low, le=high):
            word = "whole number" if isinstance(of, types.IntType) else "number"
            if low is not None and high is not None:
                return f"{word}, {low} to {high}"
            return f"{word}, at least {low}" if low is not None else word
        case types.ListType(item_type=item) | types.VarTupleType(item_type=item) | types.SetType(item_type=item):
            return f"list of {kind(item)}"
        case types.LiteralType(values=values):
            return " or ".join(f"`{json.dumps(value)}`" for value in sorted(values, key=str))
        case types.UnionType(types=members):
            return " or ".join(kind(member) for member in members if not isinstance(member, types.NoneType))
        case types.CustomType(cls=cls):
            return "path" if issubclass(cls, Path) else cls.__name__.lower()
        case types.DictType():
            return "table"
        case types.Metadata(type=inner):
            return kind(inner)
    raise TypeError(f"no words for {of!r}")


def default(field: types.Field) -> str:
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    match value:
        case None:
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case list() | tuple() | set() | frozenset():
            return f"`{json.dumps(sorted(value) if isinstance(value, set | frozenset) else list(value))}`"
        case dict():
            return "`{}`"
    # Exactly int or float: durations and sizes are their subclasses, and are written as text with a unit.
    plain = type(value) in {int, float}
    return f"`{value}`" if plain else f"`{json.dumps(str(value), ensure_ascii=False)}`"


def cli_page(app: typer.Typer, name: str) -> str:
    parts = [MADE, f"# {name}\n"]
    root = typer.main.get_command(app)
    assert isinstance(root, Command)
    for path, command in commands(root, name):
        parts.append(f"## {path}\n" if path != name else "")
        parts.append(f"```\n{usage(path, command)}\n```\n\n{prose(command.help or '')}\n")
        rows = [option_row(param) for param in command.params if not getattr(param, "hidden", False)]
        parts.append(table(["argument", "default", "meaning"], rows) if rows else "")
    parts.append("Exit codes: 0 done, 1 refused or failed, 2 usage.\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def commands(command: Command, path: str) -> Iterator[tuple[str, Command]]:
    """The command and all below it, with the words that call them."""
    yield path, command
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            if not inner.hidden and isinstance(inner, Command):
                yield from commands(inner, f"{path} {name}")


def usage(path: str, command: Command) -> str:
    words = [path]
    words += ["[OPTIONS]"] if any(isinstance(param, TyperOption) for param in command.params) else []
    words += [argument(param) for param in command.params if isinstance(param, TyperArgument)]
    words += ["COMMAND …"] if isinstance(command, TyperGroup) else []
    return " ".join(words)


def argument(param: TyperArgument) -> str:
    name = (param.metavar or str(param.name)).upper() + ("" if param.nargs == 1 else "…")
    return name if param.required else f"[{name}]"


def option_row(param: Any) -> list[str]:
    if isinstance(param, TyperArgument):
        called = f"`{argument(param)}`"
    else:
        called = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
        called += "" if param.is_flag else f" {(param.metavar or str(param.name)).upper()}"
    shown = param.default if param.show_default and not callable(param.default) else None
    # An empty default and an unset flag go without saying.
    return [called, "required" if param.required else f"`{shown}`" if shown else "", prose(param.help or "")]


def hooks_page(specs: type) -> str:
    codes, parts = [], []
    for name, hook in vars(specs).items():
        if inspect.isfunction(hook) and not name.startswith("_"):
            signature = re.sub(r"\(self(, )?", "(", str(inspect.signature(hook)).replace("'", ""))
            codes.append(f"def {name}{signature}: ...")
            parts.append(f"## {name}\n\n```python\n{codes[-1]}\n```\n\n{prose(inspect.getdoc(hook) or '')}\n")
    intro = [MADE, "# Hooks\n", prose(inspect.getdoc(specs) or "") + "\n"]
    return "\n".join([*intro, api_pages.imports([(importlib.import_module(specs.__module__), codes)]), *parts])


def prose(text: str) -> str:
    """Docstring text as Markdown."""
    return text.replace("``", "`")


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell(text) for text in line) + " |\n" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
