"""Contact cards in Meta's form (JSON) from vCards (RFC 6350, and 3.0 as WhatsApp writes it), and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from wagate.parsing.fields import first_text, mapping

_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PARTED = re.compile(r"(?<!\\);")
_NAME_PARTS = ("last_name", "first_name", "middle_name", "prefix", "suffix")
_ADDRESS_PARTS = ("", "", "street", "city", "state", "zip", "country")
_PLAIN_TYPES = frozenset({"PREF", "VOICE", "INTERNET"})


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Upper case, without a group (``item1.``)."""
    type: str
    """The first TYPE that says something, upper case; '' when none does."""
    wa_id: str
    value: str
    """Still escaped."""


def card_of(vcard: str) -> dict[str, Any]:
    """A vCard in Meta's form.

    ``name.formatted_name``, ``phones[{phone, type, wa_id}]``, ``emails``, ``urls``, ``addresses``, ``org``,
    ``birthday``. Lenient: lines that say nothing are skipped; without FN the name is N, else the first phone.
    """
    card: dict[str, Any] = {"name": {}}
    for line in _lines(vcard):
        _read_line(card, line)
    name = card["name"]
    given = " ".join(name[part] for part in ("first_name", "last_name") if part in name)
    phone = first_text(mapping(next(iter(card.get("phones", [])), None)), "phone")
    name.setdefault("formatted_name", given or phone)
    return card


def vcard_of(card: dict[str, Any]) -> str:
    """A card in Meta's form as a vCard 3.0, with what phones show: name, organisation, phones, mails, links."""
    name, org = mapping(card.get("name")), mapping(card.get("org"))
    shown = first_text(name, "formatted_name") or first_text(name, "first_name", "last_name")
    parts = ";".join(_escape(first_text(name, part)) for part in _NAME_PARTS)
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:{parts}", f"FN:{_escape(shown)}"]
    if company := first_text(org, "company"):
        department = first_text(org, "department")
        lines.append(f"ORG:{_escape(company)}" + (f";{_escape(department)}" if department else ""))
    if title := first_text(org, "title"):
        lines.append(f"TITLE:{_escape(title)}")
    for phone in _objects(card, "phones"):
        number, wa_id = first_text(phone, "phone"), first_text(phone, "wa_id")
        marks = f";type={_mark(phone)}" + (f";waid={wa_id}" if wa_id.isdigit() else "")
        lines.append(f"TEL{marks}:{_escape(number or wa_id)}")
    lines += [f"EMAIL;type={_mark(each)}:{_escape(first_text(each, 'email'))}" for each in _objects(card, "emails")]
    lines += [f"URL:{_escape(first_text(each, 'url'))}" for each in _objects(card, "urls")]
    return "\n".join([*lines, "END:VCARD"])


def _lines(vcard: str) -> Iterator[_Line]:
    for text in _FOLD.sub("", vcard).splitlines():
        head, colon, value = text.partition(":")
        if not colon or not value.strip():
            continue
        name, *params = head.split(";")
        types, wa_id = [], ""
        for param in params:
            key, _, given = param.partition("=")
            if key.lower() == "waid":
                wa_id = given
            elif key.lower() == "type" or not given:
                types += [each.upper() for each in (given or key).strip('"').split(",")]
        told = next((each for each in types if each not in _PLAIN_TYPES), "")
        yield _Line(name=name.rpartition(".")[2].upper(), type=told, wa_id=wa_id, value=value.strip())


def _read_line(card: dict[str, Any], line: _Line) -> None:
    text = _unescape(line.value)
    match line.name:
        case "FN":
            card["name"]["formatted_name"] = text
        case "N":
            card["name"] |= _parts(line.value, _NAME_PARTS)
        case "TEL":
            _add(card, "phones", phone=text, wa_id=line.wa_id, type=line.type)
        case "EMAIL":
            _add(card, "emails", email=text, type=line.type)
        case "URL":
            _add(card, "urls", url=text, type=line.type)
        case "ADR":
            _add(card, "addresses", **_parts(line.value, _ADDRESS_PARTS), type=line.type)
        case "ORG":
            card.setdefault("org", {}).update(_parts(line.value, ("company", "department")))
        case "TITLE":
            card.setdefault("org", {})["title"] = text
        case "BDAY":
            card["birthday"] = text


def _add(card: dict[str, Any], key: str, **values: str) -> None:
    card.setdefault(key, []).append({name: value for name, value in values.items() if value})


def _parts(value: str, names: tuple[str, ...]) -> dict[str, str]:
    parts = zip(names, map(_unescape, _PARTED.split(value)), strict=False)
    return {name: part for name, part in parts if name and part}


def _objects(card: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = card.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _mark(each: dict[str, Any]) -> str:
    kind = first_text(each, "type").upper()
    return kind if kind.isalpha() else "CELL"


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], text).strip()


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return "\\n".join(text.splitlines())
