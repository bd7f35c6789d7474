"""Templates: everything that comes from outside is text, never HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
from markupsafe import Markup, escape

from wagate import __version__
from wagate.web.ui import words
from wagate.web.ui.forms import new_key
from wagate.web.ui.leaves import age, delivery_leaf, leaf, mark, number_leaf, number_mark, target_leaf, when
from wagate.web.ui.outside import kept_in, path

PREFIX = "/ui"


@cache
def static_files() -> Mapping[str, bytes]:
    """What is served below ``/ui/static/``, by its path there."""
    folder = files("wagate.web.ui") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@cache
def asset(name: str) -> str:
    """The URL of a static file, with its hash in it: it may be kept for ever."""
    digest = hashlib.sha256(static_files()[name]).hexdigest()[:12]
    return f"{PREFIX}/static/{digest}/{name}"


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("wagate.web.ui", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=kept_in,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["tojson_text"] = lambda value: msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    made.filters["path"] = path
    made.globals.update(
        asset=asset,
        when=when,
        mark=mark,
        plural=words.plural,
        duration=words.duration,
        short=words.short,
        age=age,
        leaf=leaf,
        target_leaf=target_leaf,
        number_leaf=number_leaf,
        delivery_leaf=delivery_leaf,
        number_mark=number_mark,
        words=words,
        new_key=new_key,
        version=__version__,
        prefix=PREFIX,
        of_client=of_client,
    )
    return made


def of_client(url: str, client: str) -> str:
    """A URL of ours, of one client's things alone; '': of all."""
    return f"{url}{'&' if '?' in url else '?'}client={quote(client, safe='')}" if client else url


def render(template: str, **values: Any) -> str:
    """A page, or a part of one."""
    return _environment().get_template(f"{template}.j2").render(**values)


def plain(text: str) -> Markup:
    """Text with its line breaks."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())
