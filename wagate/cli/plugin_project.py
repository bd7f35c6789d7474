"""The project that ``wagate plugins new`` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from wagate.cli.errors import CommandError

Kind = Literal["plugin", "provider"]


def _files(kind: Kind) -> dict[str, str]:
    """Template → where it goes. They end in .txt, so that nothing takes them for code of ours."""
    return {
        "pyproject.toml.txt": "pyproject.toml",
        "README.md.txt": "README.md",
        f"{kind}.py.txt": "$module/__init__.py",
        f"test_{kind}.py.txt": "tests/test_$module.py",
    }


def write(name: str, folder: Path, kind: Kind = "plugin") -> list[Path]:
    """Write the project into a new folder; the files. CommandError: the folder is there, or can't be."""
    names = {"name": name, "title": name.replace("_", " ").capitalize(), "module": f"wagate_{name}"}
    written = []
    try:
        folder.mkdir(parents=True)
        for template, place in _files(kind).items():
            path = folder / Template(place).substitute(names)
            path.parent.mkdir(exist_ok=True)
            text = files("wagate.cli").joinpath("templates", kind, template).read_text("utf-8")
            path.write_text(Template(text).substitute(names), encoding="utf-8")
            written.append(path)
    except FileExistsError as error:
        raise CommandError(f"{folder} is there already; nothing was changed") from error
    except OSError as error:
        raise CommandError(f"{folder}: can't be written: {error.strerror}") from error
    return written
