"""What pages may not do: take a text for HTML, or show it in a colour that is hard to read."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import product

import jinja2
import pytest
from jinja2 import nodes

TEMPLATES = {
    each.name: each.read_text("utf-8") for each in (files("wagate.web.ui") / "templates").iterdir() if each.is_file()
}
MAY_BE_HTML = frozenset({"qr", "chart"})
"""Macros that draw: in them alone may a value be ``|safe``."""
CSS = (files("wagate.web.ui") / "static" / "wagate.css").read_text("utf-8")
TEXT, SHAPE = 4.5, 3.0
"""Least contrast (WCAG 2.2: 1.4.3, 1.4.11)."""
TINTS = ("wait", "bad", "info")
PAIRS = [
    *((each, on, TEXT) for each, on in product(("ink", "soft", "acc"), ("card", "bg", "sunk", "acc-bg"))),
    *((each, on, TEXT) for each, on in product(("ok", "wait", "bad", "info"), ("card", "bg", "sunk", "acc-bg"))),
    *((each, f"{each}-bg", TEXT) for each in TINTS),
    *((each, f"{tint}-bg", TEXT) for each, tint in product(("ink", "acc"), TINTS)),
    ("on-acc", "acc", TEXT),
    *(("edge", on, SHAPE) for on in ("card", "bg", "sunk")),
]
"""What stands on what."""


def trusting(template: str) -> list[str]:
    """Where a template takes a value for HTML outside of the macros that may."""
    tree = jinja2.Environment(autoescape=True).parse(template)
    allowed = [each for macro in tree.find_all(nodes.Macro) if macro.name in MAY_BE_HTML for each in _all(macro)]
    return [f"line {each.lineno}" for each in _all(tree) if not any(each is other for other in allowed)]


def _all(tree: nodes.Node) -> list[nodes.Node]:
    filters = [each for each in tree.find_all(nodes.Filter) if each.name == "safe"]
    return [*filters, *tree.find_all(nodes.ScopedEvalContextModifier)]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_template_takes_a_text_for_html(name: str) -> None:
    assert trusting(TEMPLATES[name]) == []


def test_a_template_that_does_is_found() -> None:
    assert trusting("{% macro qr(code) %}{{ code|safe }}{% endmacro %}") == []
    for offender in (
        "{{ name|safe }}",
        "{{ name | upper | safe }}",
        "{% filter safe %}{{ name }}{% endfilter %}",
        "{% macro row(name) %}{{ name|safe }}{% endmacro %}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
    ):
        assert trusting(offender) == ["line 1"], offender


def colours(css: str) -> dict[str, tuple[str, str]]:
    """Token → its colour in light and in dark, ``rrggbb``."""
    found = re.findall(r"--([\w-]+):light-dark\(#(\w+),#(\w+)\)", css)
    return {name: (_whole(light), _whole(dark)) for name, light, dark in found}


def _whole(colour: str) -> str:
    return colour if len(colour) == 6 else "".join(2 * each for each in colour)


def contrast(one: str, other: str) -> float:
    """Between two colours (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("colour", "on", "least"), PAIRS)
def test_a_colour_can_be_read_on_what_it_stands_on(colour: str, on: str, least: float) -> None:
    tokens = colours(CSS)
    for scheme, front, back in zip(("light", "dark"), tokens[colour], tokens[on], strict=True):
        assert contrast(front, back) >= least, scheme


def test_contrast_is_as_the_standard_has_it() -> None:
    assert contrast("000000", "ffffff") == 21
    assert round(contrast("767676", "ffffff"), 2) == 4.54
    assert contrast("777777", "ffffff") < TEXT


def test_every_colour_of_the_sheet_is_checked() -> None:
    named = {name for colour, on, _ in PAIRS for name in (colour, on)}
    assert colours(CSS).keys() - named == {"line"}  # decoration
    assert not re.findall(r"(?<!-dark\()(?<!,)#(?!fff\b|0000\b|0007\b)[0-9a-f]{3,8}\b", CSS.partition("--mono")[2])
