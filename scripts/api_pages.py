"""The reference of the plugin API: every public class, function and constant with its docstring, made from the code."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType

from wagate.hooks.public import is_public

FOLDER = "plugin-api"
PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "context": (
        "What a plugin gets",
        ("hooks.context", "hooks.media", "hooks.people", "hooks.watch", "hooks.panels", "clock", "rules.filters"),
    ),
    "contracts": (
        "Handlers, targets, routes, commands",
        ("hooks.specs", "hooks.contracts", "hooks.views", "hooks.sessions", "hooks.routes", "hooks.commands"),
    ),
    "settings": ("Values in settings", ("config.units", "config.declared")),
    "providers": ("Providers", ("hooks.providers", "hooks.listening", "hooks.base64_files")),
    "asks": ("What a provider may be asked", ("hooks.asks", "hooks.answers", "hooks.passing")),
    "messages": ("Messages to send", ("hooks.messages",)),
    "events": ("Events", ("events.event", "events.kinds", "events.sessions", "events.acks")),
    "errors": ("Errors", ("errors", "http.errors")),
    "http": (
        "Outgoing HTTP",
        ("http.client", "http.answer", "http.download", "http.handover", "http.owner", "http.url", "http.guard",
         "http.resolve", "http.proxy", "http.signing"),
    ),
    "parsing": (
        "Reading what services post",
        ("parsing.fields", "parsing.chats", "parsing.jsonbody", "parsing.numbers", "parsing.message_ids",
         "parsing.retry_after", "parsing.vcards", "parsing.printable"),
    ),
    "raw": (
        "Reading an engine's raw messages",
        ("parsing.raw_content", "parsing.protobuf", "parsing.webmodel", "parsing.waha"),
    ),
    "testing": (
        "The kit for tests",
        ("pytest_plugin", "testing.gateway", "testing.contracts", "testing.listening", "testing.context",
         "testing.events", "testing.http", "testing.server", "testing.fakes", "testing.messages", "testing.archive",
         "testing.endpoints", "testing.media", "testing.sessions", "testing.people", "testing.routes", "testing.rest",
         "testing.commands", "testing.settings", "testing.watch"),
    ),
}  # fmt: skip
"""Page → its title, and the modules that it shows."""
LONGEST = 160
"""Characters of a constant's value that is shown."""
SHOWN_ELSEWHERE = {
    **{
        f"http.{each}": "wagate.http"
        for each in ("client", "answer", "download", "handover", "owner", "url", "guard", "resolve", "proxy")
    },
    **dict.fromkeys(("hooks.specs", "config.units", "config.declared", "rules.filters"), "wagate.hooks"),
}
"""Private modules → the public one that has some of their names in ``__all__``; only these are shown."""


def pages() -> dict[str, str]:
    """Path below the reference → text."""
    made = {f"{FOLDER}/{name}.md": page(title, modules) for name, (title, modules) in PAGES.items()}
    return made | {f"{FOLDER}/README.md": index()}


def index() -> str:
    stays = "[how long it stays](../../explanation/stability.md)"
    lines = ["# The plugin API\n", f"Everything that a plugin may import; {stays}.\n"]
    lines += ["| page | has |", "|---|---|"]
    for name, (title, modules) in PAGES.items():
        lines.append(
            f"| [{title}]({name}.md) | " + ", ".join(dict.fromkeys(f"`{imported(each)}`" for each in modules)) + " |"
        )
    return "\n".join(lines) + "\n"


def imported(module: str) -> str:
    name = SHOWN_ELSEWHERE.get(module, f"wagate.{module}")
    assert is_public(name) or module == "pytest_plugin", f"{name} is not public"
    return name


def page(title: str, modules: tuple[str, ...]) -> str:
    parts = [f"# {title}\n"]
    for name in modules:
        module = importlib.import_module(f"wagate.{name}")
        parts.append(f"## {imported(name)}\n\n{prose(inspect.getdoc(module) or '')}\n")
        parts += [text for each in members(module) if (text := each)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def is_shown(module: ModuleType, name: str) -> bool:
    """Whether authors may import it: a module whose names are imported from another one has more than these."""
    where = SHOWN_ELSEWHERE.get(module.__name__.removeprefix("wagate."))
    return not name.startswith("_") and (where is None or name in importlib.import_module(where).__all__)


def members(module: ModuleType) -> Iterator[str]:
    """Public classes, functions and constants in the order of the source."""
    body = ast.parse(inspect.getsource(module)).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.ClassDef(name=name) if is_shown(module, name):
                yield shown_class(node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if is_shown(module, name):
                yield f"### {name}\n\n```python\n{signature(node)}: ...\n```\n\n{doc(node)}\n"
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name[0].isupper() and is_shown(module, name):
                    value = ast.unparse(node)
                    if len(value) > LONGEST:
                        value = f"{name} = ..."
                    yield f"### {name}\n\n```python\n{value}\n```\n\n{text_of(following)}\n"


def shown_class(node: ast.ClassDef) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    parts = [
        f"### {node.name}\n",
        f"```python\nclass {node.name}({bases}): ...\n```\n" if bases else "",
        f"{doc(node)}\n",
    ]
    rows, methods = [], []
    for inner, following in zip(node.body, [*node.body[1:], None], strict=True):
        match inner:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                default = f" = {ast.unparse(inner.value)}" if inner.value is not None else ""
                kind = f"{ast.unparse(inner.annotation)}{default}".replace("|", "\\|")
                rows.append(f"| `{name}` | `{kind}` | {text_of(following, oneline=True)} |")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("_"):
                methods.append(f"- `{signature(inner)}`: {doc(inner, oneline=True) or 'see above'}")
    if rows:
        parts += ["| field | type | |\n|---|---|---|\n" + "\n".join(rows) + "\n"]
    return "\n".join([*parts, "\n".join(methods) + "\n" if methods else ""])


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return re.sub(r"\((self|cls)(, )?", "(", f"{word} {node.name}({ast.unparse(node.args)}){returns}", count=1)


def doc(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, *, oneline: bool = False) -> str:
    text = prose(ast.get_docstring(node) or "")
    return " ".join(text.split()) if oneline else text


def text_of(node: ast.stmt | None, *, oneline: bool = False) -> str:
    """The docstring that stands after a field or constant."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            shown = prose(inspect.cleandoc(text))
            return " ".join(shown.split()).replace("|", "\\|") if oneline else shown
    return ""


def prose(text: str) -> str:
    """Docstring text as Markdown."""
    return text.replace("``", "`")
