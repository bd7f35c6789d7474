"""The reference of the plugin API: every public class, function and constant with its docstring, made from the code."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
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
STRUCTS = frozenset({"frozen", "kw_only", "rename"})
"""What a class says of its constructor."""
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
    found = [(name, importlib.import_module(f"wagate.{name}")) for name in modules]
    shown = [(name, module, list(members(module))) for name, module in found]
    parts = [f"# {title}\n", imports([(module, codes_in("".join(texts))) for _, module, texts in shown])]
    for name, module, texts in shown:
        parts.append(f"## {imported(name)}\n\n{prose(inspect.getdoc(module) or '')}\n")
        parts += [text for text in texts if text]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def codes_in(text: str) -> list[str]:
    """The code of a page."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def imports(sections: Sequence[tuple[ModuleType, list[str]]]) -> str:
    """What the code of a page needs to run as it stands, from its beginning to its end."""
    defined = {name for _, codes in sections for code in codes for name in _defined(code)}
    wanted, so_far = dict[str, set[str]](), set[str]()
    for module, codes in sections:
        known = _imports_of(module)
        for code in codes:
            at_once, later = _names(code)
            for name in ((at_once - so_far) | (later - defined)) & known.keys():
                where, what = known[name]
                wanted.setdefault(where, set()).add(what)
            so_far |= _defined(code)
    lines = [
        f"from {where} import {', '.join(sorted(names))}" if all(names) else f"import {where}"
        for where, names in sorted(wanted.items(), key=lambda each: (each[0].startswith("wagate"), each))
    ]
    text = "\n".join(["from __future__ import annotations", "", *lines])
    return f"What is named on this page comes from here:\n\n```python\n{text}\n```\n"


def _imports_of(module: ModuleType) -> dict[str, tuple[str, str]]:
    """Names that a module imports → from where everybody may, and what; '' for a module itself."""
    found = dict[str, tuple[str, str]]()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.ImportFrom(module=str(where), names=names):
                for each in names:
                    aka = f" as {each.asname}" if each.asname else ""
                    found[each.asname or each.name] = _public(where, each.name), each.name + aka
            case ast.Import(names=names):
                found |= {each.name.partition(".")[0]: (each.name, "") for each in names}
    return found


def _public(module: str, name: str) -> str:
    package = ".".join(module.split(".")[:2])
    if package.startswith("wagate.") and name in getattr(importlib.import_module(package), "__all__", ()):
        return package
    return module if is_public(module) else SHOWN_ELSEWHERE.get(module.removeprefix("wagate."), module)


def _defined(code: str) -> set[str]:
    """The names that a piece of code makes."""
    found = set[str]()
    for node in ast.parse(code).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
    return found


def _names(code: str) -> tuple[set[str], set[str]]:
    """Names that it needs when it runs, and those that only annotations have."""
    tree = ast.parse(code)
    annotations = [each for node in ast.walk(tree) for each in _annotations(node)]
    later = {each.id for node in annotations for each in ast.walk(node) if isinstance(each, ast.Name)}
    inside = {id(each) for node in annotations for each in ast.walk(node)}
    names = (each for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))
    return {each.id for each in names if id(each) not in inside}, later


def _annotations(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.AnnAssign(annotation=found) | ast.arg(annotation=ast.expr() as found):
            return [found]
        case ast.FunctionDef(returns=ast.expr() as found) | ast.AsyncFunctionDef(returns=ast.expr() as found):
            return [found]
    return []


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
                    if len(value) > LONGEST or _is_inside(node.value, module):
                        value = f"{name} = ..."
                    yield f"### {name}\n\n```python\n{value}\n```\n\n{text_of(following)}\n"


def _is_inside(value: ast.expr | None, module: ModuleType) -> bool:
    """Whether it is made of what no page shows: private names, or the fields of the module's own classes."""
    for each in ast.walk(value) if value is not None else ():
        match each:
            case ast.Name(id=name) if name.startswith("_") and name != "_":
                return True
            case ast.Call(func=ast.Name(id=name)) if each.args or each.keywords:
                if getattr(getattr(module, name, None), "__module__", "") == module.__name__:
                    return True
    return False


def shown_class(node: ast.ClassDef) -> str:
    made = next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    parts = [f"### {node.name}\n", f"```python\n{head(node, made)}\n```\n", f"{doc(node)}\n"]
    if made is not None and (told := doc(made)):
        parts.append(f"{told}\n")
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


def head(node: ast.ClassDef, made: ast.FunctionDef | None) -> str:
    """How a class begins, and what its constructor takes: a struct's and a dataclass's are the fields, by keyword."""
    lines = [f"@{text}" for each in node.decorator_list if (text := ast.unparse(each)).startswith("dataclass")]
    keywords = [each for each in node.keywords if each.arg in STRUCTS]
    bases = ", ".join(ast.unparse(each) for each in (*node.bases, *keywords))
    first = f"class {node.name}({bases}):" if bases else f"class {node.name}:"
    if made is None:
        return "\n".join([*lines, f"{first} ..."])
    taken = copy.deepcopy(made.args)
    taken.defaults = [_value(each) for each in taken.defaults]
    taken.kw_defaults = [each and _value(each) for each in taken.kw_defaults]
    return "\n".join([*lines, first, f"    def __init__({ast.unparse(taken)}) -> None: ..."])


def _value(default: ast.expr) -> ast.expr:
    """As it is, but for a function or an object of the module's own."""
    names = (each.id for each in ast.walk(default) if isinstance(each, ast.Name))
    return ast.Constant(...) if any(not each[0].isupper() for each in names) else default


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
