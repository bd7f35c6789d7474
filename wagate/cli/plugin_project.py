"""The project that ``wagate plugins new`` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from wagate.cli.errors import CommandError

_FILES: Final = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "plugin.py.txt": "$module/__init__.py",
    "test_plugin.py.txt": "tests/test_$module.py",
}
"""Template → where it goes. They end in .txt, so that nothing takes them for code of ours."""


def write(name: str, folder: Path) -> list[Path]:
    """Write the project of the plugin into a new folder; the files. CommandError: the folder is there, or can't be."""
    names = {"name": name, "module": f"wagate_{name}"}
    written = []
    try:
        folder.mkdir(parents=True)
        for template, place in _FILES.items():
            path = folder / Template(place).substitute(names)
            path.parent.mkdir(exist_ok=True)
            text = files("wagate.cli").joinpath("templates", "plugin", template).read_text("utf-8")
            path.write_text(Template(text).substitute(names), encoding="utf-8")
            written.append(path)
    except FileExistsError as error:
        raise CommandError(f"{folder} is there already; nothing was changed") from error
    except OSError as error:
        raise CommandError(f"{folder}: can't be written: {error.strerror}") from error
    return written
