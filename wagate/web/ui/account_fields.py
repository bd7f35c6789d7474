"""A provider's settings as fields of a form, made from its type: so a plugin's provider has a form, too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import inspect
from werkzeug.datastructures import MultiDict

from wagate.hooks.providers import Provider
from wagate.web.documents.field_docs import field_docs

BEFORE: Final = "s."
"""Begins the names of these fields in a form."""
CLEAR: Final = "clear."
"""Begins the names of the boxes that take a stored secret away."""
FEW: Final = 5
"""With so many settings or fewer, none is tucked away."""
SPELLED: Final = {"id": "ID", "sid": "SID", "url": "URL", "api": "API", "hmac": "HMAC", "waba": "WABA"}
CURES: Final = {
    "name": "Give 1 to 100 letters, digits and _ . @ + : ~ -, without spaces.",
    "phone": "Give the whole number with its country code: 5 to 15 digits, as +1 202 555 0142.",
}
"""In place of patterns, which is how the API says it."""
Kind = Literal["text", "secret", "box", "number", "choice"]


class SettingField(msgspec.Struct, frozen=True, kw_only=True):
    """One setting in the form."""

    name: str
    label: str
    help: str
    kind: Kind
    choices: tuple[str, ...] = ()
    required: bool = False
    default: Any = None
    main: bool = True
    """Whether it is shown at once; others stand under "More settings"."""

    @property
    def field(self) -> str:
        """Its name in the form."""
        return f"{BEFORE}{self.name}"


def fields_of(provider: Provider) -> tuple[SettingField, ...]:
    """In the order of the type."""
    info = inspect.type_info(provider.settings_type)
    assert isinstance(info, inspect.StructType)
    docs, common = field_docs(provider.settings_type), set(provider.common_keys.values())
    return tuple(
        SettingField(
            name=each.encode_name,
            label=label_of(each.encode_name),
            help=help_of(docs.get(each.encode_name, "")),
            kind="secret" if each.encode_name in provider.secrets else _kind(each.type),
            choices=_choices(each.type),
            required=each.required,
            default=None if each.default is msgspec.NODEFAULT else each.default,
            main=each.required or each.encode_name in common or len(info.fields) <= FEW,
        )
        for each in info.fields
    )


def label_of(name: str) -> str:
    """``api_key_sid`` → ``API key SID``."""
    words = [SPELLED.get(word, word) for word in name.split("_")]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


def help_of(doc: str) -> str:
    """A docstring for people: without marks of code, and with "empty" for the empty text."""
    text = re.sub(r"(^|[.:] )''", r"\1Empty", doc).replace("''", "empty")
    return text.replace("``", "").replace("`", "")


def settings_in(
    form: MultiDict[str, str], fields: tuple[SettingField, ...], stored: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What the API takes; an empty field is left out, or takes away what is ``stored``. An empty secret stays."""
    found: dict[str, Any] = {}
    before = stored or {}
    for each in fields:
        text = form.get(each.field, "").strip()
        if each.kind == "box":
            found[each.name] = form.get(each.field) == "on"
        elif each.kind == "number" and text:
            found[each.name] = _number(text)
        elif text:
            found[each.name] = text
        elif each.name in before and (each.kind != "secret" or form.get(f"{CLEAR}{each.name}") == "on"):
            found[each.name] = None
    same = [each.name for each in fields if each.name not in before and found.get(each.name) == each.default]
    return {name: value for name, value in found.items() if name not in same}


def shown(fields: tuple[SettingField, ...], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored, as the form shows it: no secret, not even masked."""
    return {each.field: stored.get(each.name, each.default) for each in fields if each.kind != "secret"}


def typed(form: MultiDict[str, str], fields: tuple[SettingField, ...]) -> dict[str, Any]:
    """What somebody typed, but for secrets."""
    texts = {each.field: form.get(each.field, "") for each in fields if each.kind not in {"secret", "box"}}
    return texts | {each.field: form.get(each.field) == "on" for each in fields if each.kind == "box"}


def wrong_fields(wrong: Mapping[str, str], fields: tuple[SettingField, ...]) -> dict[str, str]:
    """The API's errors by the form's fields; what names no field of the form stands above it, under ''."""
    found: dict[str, str] = {}
    known = {each.name for each in fields}
    for where, detail in wrong.items():
        name = where.removeprefix("settings").lstrip(".").partition(".")[0]
        if where.startswith("settings") and name not in known:
            # What a type says of several of its fields: the first that it names.
            name = next((each.name for each in fields if re.search(rf"\b{each.name}\b", detail)), "")
        elif not where.startswith("settings"):
            found[where] = CURES.get(where, detail) if "regex" in detail else detail
            continue
        found[f"{BEFORE}{name}" if name else ""] = f"{detail[:1].upper()}{detail[1:]}."
    return found


def _number(text: str) -> int | float | str:
    """The number; what is none goes on as it is, and the API says so."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _kind(kind: inspect.Type) -> Kind:
    match kind:
        case inspect.BoolType():
            return "box"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.LiteralType():
            return "choice"
        case inspect.Metadata(type=inner):
            return _kind(inner)
        case inspect.UnionType(types=types):
            return _kind(next(each for each in types if not isinstance(each, inspect.NoneType)))
    return "text"


def _choices(kind: inspect.Type) -> tuple[str, ...]:
    return tuple(str(each) for each in kind.values) if isinstance(kind, inspect.LiteralType) else ()
