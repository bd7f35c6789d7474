"""Our wheel, and commands that install it without a registry."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Sequence
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest
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
    uv = str(Path(sys.executable).parent / "uv")
    within = ["--python", str(venv), "--offline", "--no-config", "--no-cache", "-q"]
    done([uv, "pip", "install", *within, "--no-deps", *map(str, wheels)])
    [site] = (venv / "lib").glob("*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for name in declared(wheels, extras):
        for top in {Path(file).parts[0] for file in distribution(name).files or ()} - {"..", "__pycache__"}:
            if top.endswith(".dist-info"):
                (site / top).mkdir()  # uv looks at no link
                for part in (here / top).iterdir():
                    (site / top / part.name).symlink_to(part)
            elif not (site / top).exists():
                (site / top).symlink_to(here / top)
    done([uv, "pip", "check", *within], PYTHONPATH="")


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


def once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that a run makes once, whichever of its workers wants it first."""
    base = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # that of all workers
    folder, made = base / name, base / f"{name}.made"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ours, of the sources as they are."""
    [path] = once(tmp_path_factory, "wheel", _build).glob("*.whl")
    return path


def _build(folder: Path) -> None:
    done([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules that the tests have, without pip and wagate, which an environment must have itself.

    Versions are said only of what wagate asks for: of all that is there pip reads them for each thing that it installs,
    which is half of its work.
    """
    return once(tmp_path_factory, "libraries", _link_libraries)


def _link_libraries(folder: Path) -> None:
    wanted = {canonicalize_name(Requirement(text).name) for text in distribution("wagate").requires or ()} - {"wagate"}
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        other = path.suffix == ".dist-info" and canonicalize_name(path.name.partition("-")[0]) not in wanted
        if path.name not in {"pip", "wagate"} and path.suffix != ".pth" and not other:
            (folder / path.name).symlink_to(path)


PIP = "from pip._internal.cli.main import main\nraise SystemExit(main())\n"
QUICK_PYTHON = f"""#!/bin/sh
# As python3, but a new environment has a link to the pip that is there: to unpack and compile one takes three seconds.
# The image's test has environments made as they are elsewhere.
case "$*" in
"-m venv"*--without-pip*) ;;
"-m venv "*)
    shift 2
    {sys.executable} -m venv --without-pip "$@" || exit
    for folder; do :; done
    for part in {sysconfig.get_path("purelib")}/pip {sysconfig.get_path("purelib")}/pip-*.dist-info; do
        ln -s "$part" "$folder"/lib/python3*/site-packages
    done
    printf '#!%s/bin/python\n%s' "$folder" '{PIP}' >"$folder/bin/pip"
    chmod +x "$folder/bin/pip"
    exit
    ;;
esac
exec {sys.executable} "$@"
"""


def quick_python(folder: Path) -> Path:
    """Put a ``python3`` there, for a path to begin with: environments are made in a moment, and are as any other."""
    folder.mkdir()
    (folder / "python3").write_text(QUICK_PYTHON)
    (folder / "python3").chmod(0o755)
    return folder
