"""What installs wagate: image, compose files, unit, wheel. Their steps run here as plain commands."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from tests.valkey import free_port
from tests.wheels import OFFLINE, ROOT, clean_venv, done, done_alone
from wagate.config import load
from wagate.config.tables import Server
from wagate.process.hard_end import GRACE

PACKAGING = ROOT / "packaging"
PAGE = (ROOT / "docs/how-to/operate.md").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    """(instruction, its text) of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines if line.strip()]


def context_of_build(target: Path) -> None:
    """What ``COPY . .`` copies: .dockerignore leaves all out but what it names with a !."""
    names = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)


def test_the_image_is_built_serves_and_says_whether_it_is_well(tmp_path: Path) -> None:
    venv, source, data = tmp_path / "opt/wagate", tmp_path / "src", tmp_path / "data"
    source.mkdir()
    data.mkdir(mode=0o700)
    context_of_build(source)
    build, final = " ".join(f"{name} {text}\n" for name, text in instructions()).split("FROM")[1:]
    assert "COPY . ." in build
    extras = re.search(r"ARG EXTRAS=(\S+)", build)[1]  # type: ignore[index]
    assert {"whatsapp", "postgres", "alerts"} <= set(extras.split(","))
    for text in re.findall(r"^ ?RUN (.*)$", build, flags=re.MULTILINE):
        done(text.replace("/opt/wagate", str(venv)), cwd=source, EXTRAS=extras)
    user, folder = re.findall(r"^ ?RUN (useradd .*) && (install .* /data)$", final, flags=re.MULTILINE)[0]
    assert "--system" in user
    assert "-m 700 -o wagate -g wagate" in folder
    assert re.search(r"^ ?USER wagate$", final, flags=re.MULTILINE)
    values = dict(each.split("=", 1) for each in re.search(r"ENV (.*)", final)[1].split())  # type: ignore[index]
    assert values["WAGATE_SERVER__HOST"] == "0.0.0.0"
    port = free_port()
    environment = {
        **os.environ,
        **OFFLINE,
        **values,
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "WAGATE_DATA__DIR": str(data),
        "WAGATE_SERVER__HOST": "127.0.0.1",
        "WAGATE_SERVER__PORT": str(port),
    }
    serve = json.loads(re.search(r"^ ?CMD (.*)$", final, flags=re.MULTILINE)[1])  # type: ignore[index]
    look = json.loads(re.search(r"HEALTHCHECK .*? CMD (.*)$", final, flags=re.MULTILINE)[1])  # type: ignore[index]
    asks = partial(subprocess.run, look, env=environment, cwd=data, capture_output=True, check=False)
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(serve, env=environment, cwd=data, stdout=log, stderr=log) as process,
    ):
        try:
            while not answers(port) or asks().returncode:
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
    assert asks().returncode != 0
    assert "admin token, shown only once" in (tmp_path / "log").read_text()


def answers(port: int) -> bool:
    """Whether anything does: to ask by the image's own command costs a Python each time."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def test_the_images_folder_is_all_that_it_writes() -> None:
    volume = [text for name, text in instructions() if name == "VOLUME"]
    assert volume == ["/data"]
    [service] = compose("compose.yaml")["services"].values()
    assert service["read_only"] is True
    assert service["volumes"] == ["wagate:/data"]


def compose(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))  # type: ignore[no-any-return]


def test_compose_stops_the_gateway_no_sooner_than_it_can_end() -> None:
    [service] = compose("compose.yaml")["services"].values()
    assert int(service["stop_grace_period"].removesuffix("s")) > Server().drain + GRACE
    assert service["ports"] == ["127.0.0.1:8080:8080"], "it is open to nobody before TLS stands in front of it"


def test_compose_with_postgresql_sets_keys_that_there_are(tmp_path: Path) -> None:
    services: Mapping[str, Any] = compose("compose.postgres.yaml")["services"]
    values = {
        name: text.replace("${POSTGRES_PASSWORD:?write it into .env}", "a-password")
        for name, text in services["wagate"]["environment"].items()
    }
    config = load(tmp_path / "config.toml" if (tmp_path / "config.toml").exists() else None, values)
    assert config.database.url == "postgresql://wagate:a-password@postgres/wagate"
    assert config.redis.url == "redis://valkey:6379/0"
    assert set(services["wagate"]["depends_on"]) == {"postgres", "valkey"}
    assert all("healthcheck" in services[name] for name in ("postgres", "valkey"))
    assert "noeviction" in services["valkey"]["command"]


@pytest.mark.parametrize(("name", "language"), [("wagate.service", "ini"), ("nginx.conf", "nginx"), ("caddy", "text")])
def test_the_page_shows_each_file_as_it_is(name: str, language: str) -> None:
    assert f"```{language}\n{(PACKAGING / name).read_text('utf-8')}```" in PAGE


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_little_to_attack() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(PACKAGING / "wagate.service")]
    done(command)


def test_the_wheel_holds_all_that_serves(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    ours = {path for folder in ("wagate", "plugins") for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = {str(path.relative_to(ROOT)).removeprefix("plugins/") for path in ours if "__pycache__" not in path.parts}
    assert wanted - names == set()
    assert "License-Expression: MIT" in metadata
    assert "Classifier: Programming Language :: Python :: 3.11" in metadata


def stand_in(name: str, folder: Path) -> None:
    """A wheel that has a library's name and version, and nothing else: it is found, while another one is used."""
    about = f"{name.replace('-', '_')}-{version(name)}"
    with zipfile.ZipFile(folder / f"{about}-py3-none-any.whl", "w") as archive:
        archive.writestr(
            f"{about}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version(name)}\n"
        )
        archive.writestr(f"{about}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}.dist-info/RECORD", "")


@pytest.mark.parametrize("how", ["pipx", "uvx"])
def test_pipx_installs_it_and_uvx_runs_it_and_both_serve(how: str, wheel: Path, tmp_path: Path) -> None:
    """The real ones, without a registry: the libraries are those that the tests have."""
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    for name in set(re.findall(r"(?m)^Requires-Dist: ([A-Za-z0-9_.-]+)(?!.*extra ==)", metadata)):
        stand_in(name, libraries)
    environment = {
        "HOME": str(tmp_path),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_FIND_LINKS": str(libraries),
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": sys.executable,
    }
    bin_ = Path(sys.executable).parent
    if how == "pipx":
        done([str(bin_ / "pipx"), "install", "--backend", "uv", str(wheel)], **environment)
        wagate, python = [str(tmp_path / "bin/wagate")], [str(tmp_path / "pipx/venvs/wagate/bin/python")]
        [packages] = (tmp_path / "pipx/venvs/wagate/lib").glob("*/site-packages")
        (packages / "libraries.pth").write_text(OFFLINE["PYTHONPATH"])  # what pipx installs looks at no PYTHONPATH
    else:
        uvx = [str(bin_ / "uvx"), "--from", str(wheel)]
        wagate, python = [*uvx, "wagate"], [*uvx, "python"]
    assert done([*wagate, "--version"], **environment) == f"wagate {version('wagate')}\n"
    where = done([*python, "-c", "import wagate; print(wagate.__file__)"], cwd=tmp_path, **environment)
    assert where.startswith(str(tmp_path)), "not the one that the tests have"
    (tmp_path / "empty").mkdir()
    served([*wagate, "serve"], tmp_path / "empty", environment)
    assert {path.name for path in (tmp_path / "empty").iterdir()} == {"data"}


def served(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Start a gateway there as one does in a terminal, ask for its health, and press Ctrl-C: it ends well."""
    port = free_port()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **OFFLINE, **environment, "WAGATE_SERVER__PORT": str(port), "WAGATE_LOG__FORMAT": "json"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process:
        said = list[str]()
        try:
            said += iter_until(process.stdout, '"event":"serving"')
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
                assert json.load(answer)["status"] == "healthy"
        finally:
            os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to uvx and to what uvx runs
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        said += process.stdout.readlines()
    assert process.returncode == 0, "".join(said)
    assert '"event":"stopped"' in said[-1]


def iter_until(lines: Iterable[str], wanted: str) -> Iterator[str]:
    """Lines up to the one that has this text, which must come."""
    seen = []
    for line in lines:
        seen.append(line)
        yield line
        if wanted in line:
            return
    raise AssertionError("".join(seen))


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where new ones are: of a connector and of a provider."""
    folder = tmp_path_factory.mktemp("projects")
    for name, options in (("crm", []), ("heron", ["--provider"])):
        done([sys.executable, "-m", "wagate", "plugins", "new", name, *options], cwd=folder)
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["crm", "heron"], ids=["connector", "provider"])
def test_a_new_plugin_is_built_installed_beside_wagate_and_passes_its_tests(
    name: str, projects: Path, wheel: Path, tmp_path: Path
) -> None:
    """Where only the two wheels and what they declare are; a connector's tests start a gateway, which events reach."""
    project, venv, home = tmp_path / f"wagate-{name}", tmp_path / "venv", tmp_path / "home"
    shutil.copytree(projects / project.name, project)
    done([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=project)
    [plugin] = tmp_path.glob("*.whl")
    clean_venv(venv, wheel, plugin, extras="test")
    shutil.rmtree(project / f"wagate_{name}")
    shutil.rmtree(project / "dist", ignore_errors=True)
    python = str(venv / "bin/python")
    where = "import wagate, msgspec, sys; print(wagate.__file__, *sys.path)"
    assert str(ROOT) not in done_alone([python, "-c", where], venv=venv, home=home, cwd=tmp_path)
    with pytest.raises(AssertionError, match="No module named"):  # which the tests have, and nobody declares
        done_alone([python, "-c", "import importlinter"], venv=venv, home=home, cwd=tmp_path)
    told = done_alone([python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], venv=venv, home=home, cwd=project)
    assert " passed" in told
    command = [str(venv / "bin/wagate"), "plugins", "list", "--json"]
    listed = json.loads(done_alone(command, venv=venv, home=home, cwd=tmp_path))
    [ours] = [each for each in listed if each["name"] == name]
    assert (ours["package"], ours["version"], ours["error"]) == (f"wagate-{name}", "0.1.0", None)
    assert "py.typed" in " ".join(zipfile.ZipFile(plugin).namelist())


@pytest.mark.parametrize("name", ["crm", "heron"], ids=["connector", "provider"])
def test_a_new_plugin_declares_all_that_it_imports(name: str, projects: Path) -> None:
    """Also where a library that is not declared comes with another one."""
    project = projects / f"wagate-{name}"
    told = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[<>=\[; ]", each)[0] for each in (*told["dependencies"], *told["optional-dependencies"]["test"])
    }
    known = {*sys.stdlib_module_names, f"wagate_{name}", *(each.replace("-", "_") for each in declared)}
    for file in project.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {each.partition(".")[0] for each in names} <= known, f"{file.name} imports {names}"


def test_new_projects_are_strictly_typed(projects: Path) -> None:
    """By our own settings, which are as strict as theirs: then what mypy knows of wagate is in its cache."""
    folders = [projects / "wagate-crm", projects / "wagate-heron"]
    for folder in folders:
        assert tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["mypy"]["strict"] is True
    sources = [str(path) for folder in folders for path in folder.rglob("*.py")]
    done([sys.executable, "-m", "mypy", *sources], cwd=ROOT, MYPYPATH=os.pathsep.join(map(str, folders)), PYTHONPATH="")


def test_ci_runs_every_python_of_the_classifiers_and_each_night_the_long_proofs() -> None:
    # YAML 1.1 reads the word "on" as true.
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    said = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in said]
    assert [each[1] for each in found if each] == jobs["checks"]["strategy"]["matrix"]["python"]
    assert workflow[True]["schedule"]
    nightly = {name for name, job in jobs.items() if job.get("if") == "github.event_name == 'schedule'"}
    assert nightly == {"proofs"}
    assert "scripts/test proofs" in [step.get("run") for step in jobs["proofs"]["steps"]]
