"""``wagate n8n``: workflows to import into n8n, JSON files in ``templates``, made for n8n 2.41.

They name credentials and hold no secret. Each has a note, *Read me*, whose heading says what it is for.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from wagate.hooks.commands import command_line

STAND_IN: Final = "https://wagate.example"
"""What stands in the files for the gateway's URL."""
_NOTE: Final = "n8n-nodes-base.stickyNote"
_HEADING: Final = "## "
_URL: Final = re.compile(r"https?://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?/?")
app = typer.Typer()


def workflow_names() -> list[str]:
    """All templates, by name."""
    files = (resources.files(__package__) / "templates").iterdir()
    return sorted(each.name.removesuffix(".json") for each in files if each.name.endswith(".json"))


def text_of(name: str) -> str:
    """A template as it is shipped."""
    return (resources.files(__package__) / "templates" / f"{name}.json").read_text(encoding="utf-8")


def purpose(name: str) -> str:
    """What the workflow does: the heading of its note."""
    workflow: dict[str, Any] = msgspec.json.decode(text_of(name))
    notes = (each["parameters"]["content"] for each in workflow["nodes"] if each["type"] == _NOTE)
    return str(next(notes)).partition("\n")[0].removeprefix(_HEADING)


def filled(name: str, url: str) -> str:
    """A template for the gateway at ``url``. ValueError: it is not scheme and host alone."""
    if not _URL.fullmatch(url):
        raise ValueError(f"{url!r} is no URL like https://wa.example.org")
    return text_of(name).replace(STAND_IN, url.rstrip("/"))


@app.command("export")
def export_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="One workflow; default: all.", show_default=False)] = "",
    *,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to; default: the list, or NAME's JSON, is printed.")
    ] = None,
    gateway: Annotated[
        str, typer.Option(metavar="URL", help="How n8n reaches this gateway; default: server.public_url.")
    ] = "",
) -> None:
    """Write workflows to import into n8n, with this gateway's URL; without NAME and --out, list them."""
    line = command_line(context)
    known = workflow_names()
    if name and name not in known:
        raise line.refuse(f"no workflow is called {name!r}; there are: {', '.join(known)}")
    if not name and out is None:
        for each in known:
            typer.echo(f"{each:<{max(map(len, known))}}  {purpose(each)}")
        return
    url = gateway or line.public_url
    if not url:
        raise line.refuse("server.public_url is not set: set it, or give --gateway URL, as n8n reaches this gateway")
    try:
        written = {each: filled(each, url) for each in ([name] if name else known)}
    except ValueError as error:
        raise line.refuse(f"--gateway: {error}") from error
    if out is None:
        typer.echo(written[name], nl=False)
        return
    try:
        for path in _write(out, written):
            typer.echo(str(path))
    except FileExistsError as error:
        raise line.refuse(f"{error}: there is another file of this name; move it, or give another --out") from error
    except OSError as error:
        raise line.refuse(f"--out: {error.strerror or error}: {error.filename}") from error


def _write(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write each as NAME.json. FileExistsError, before anything is written: a file is there with another text."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {folder / f"{name}.json": text for name, text in texts.items()}
    for path, text in places.items():
        if path.exists() and path.read_text("utf-8", "replace") != text:
            raise FileExistsError(str(path))
    for path, text in places.items():
        path.write_text(text, encoding="utf-8")
    return list(places)
