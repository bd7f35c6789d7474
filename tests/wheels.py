"""Our wheel, and commands that install it without a registry."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OFFLINE = {
    # pip takes what the tests' own environment has, and asks no registry: what is tried is our part.
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip's spelling of "no isolation"
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_COMPILE": "1",  # what is not loaded need not be compiled
    "PYTHONPATH": sysconfig.get_path("purelib"),
}


def done(command: list[str] | str, *, cwd: Path | None = None, **environment: str) -> str:
    """Its output; it must end with 0."""
    shell = isinstance(command, str)
    ran = subprocess.run(
        command,
        shell=shell,
        cwd=cwd,
        env={**os.environ, **OFFLINE, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    return _ended_well(ran)


def _ended_well(ran: subprocess.CompletedProcess[str]) -> str:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def done_alone(command: list[str], *, venv: Path, home: Path, cwd: Path) -> str:
    """The same where nothing of the tests' own environment is: no variables, no home, no libraries but the venv's."""
    home.mkdir(exist_ok=True)
    environment = {"HOME": str(home), "PATH": f"{venv / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return _ended_well(
        subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=500)
    )


def clean_venv(venv: Path, *wheels: Path, extras: str = "") -> None:
    """These wheels, and what they declare: as links to the libraries that the tests have. ``extras``: of the last."""
    done([sys.executable, "-m", "venv", "--without-pip", str(venv)])
    pip = [sys.executable, "-m", "pip", "--python", str(venv)]
    done([*pip, "install", "-q", *map(str, wheels)])
    [site] = (venv / "lib").glob("*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for name in declared(wheels, extras):
        for top in {Path(file).parts[0] for file in distribution(name).files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(here / top)
    done([*pip, "check"], PYTHONPATH="")


def declared(wheels: Sequence[Path], extras: str) -> set[str]:
    """Names of all libraries that wheels declare, and those of these; but for the wheels themselves."""
    found, names = set[str](), {canonicalize_name(each.name.partition("-")[0]) for each in wheels}
    asked = [(text, "") for each in wheels for text in _requirements(each)]
    asked += [(text, extras) for text in _requirements(wheels[-1])]
    seen = set[tuple[str, str]]()
    while asked:
        text, extra = asked.pop()
        wanted = Requirement(text)
        if (text, extra) in seen or not (wanted.marker is None or wanted.marker.evaluate({"extra": extra})):
            continue
        seen.add((text, extra))
        if (name := canonicalize_name(wanted.name)) not in names:
            found.add(name)
            asked += [(each, part) for part in ("", *wanted.extras) for each in distribution(name).requires or ()]
    return found


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(metadata)).get_all("Requires-Dist", [])


def built(folder: Path) -> Path:
    """Our wheel, of the sources as they are."""
    done([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)
    [path] = folder.glob("*.whl")
    return path
