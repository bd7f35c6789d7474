"""The install script: what it writes below a folder, and all of it as root, where nothing of the machine is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.wheels import OFFLINE, ROOT, done, quick_python

pytestmark = pytest.mark.timeout(1200)
PACKAGING = ROOT / "packaging"
INSTALL = str(PACKAGING / "install")
HIDDEN = ("etc", "opt", "var/lib")
"""Folders of the machine that the script sees empty, or as a copy."""
AS_ROOT = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
"""
USERADD = STUB + "echo wagate:x:999:999::/var/lib/wagate:/usr/sbin/nologin >>/etc/passwd\n"
"""Who is not root can map no second user: then these stand in, and files belong to who runs the test."""


class Machine:
    """One whose /etc, /opt and /var/lib are folders of ours, in a mount namespace; systemctl only notes its calls."""

    def __init__(self, folder: Path, libraries: Path) -> None:
        self.root, self.bin, self.notes = folder / "root", folder / "bin", folder / "calls"
        self.environment = {"PYTHONPATH": str(libraries), "CALLS": str(self.notes)}
        self.environment["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        for name in HIDDEN:
            (self.root / name).mkdir(parents=True)
        subprocess.run(f"cp -r /etc/. {self.root / 'etc'}", shell=True, check=False, capture_output=True)
        shutil.rmtree(self.root / "etc/wagate", ignore_errors=True)
        quick_python(self.bin)
        stubs = {"systemctl": STUB} | ({} if os.geteuid() == 0 else {"chown": STUB, "useradd": USERADD})
        for name, text in stubs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def run(self, command: Sequence[str], umask: str = "022") -> subprocess.CompletedProcess[str]:
        """As root there."""
        binds = " && ".join(f"mount --bind {self.root / name} /{name}" for name in HIDDEN)
        return subprocess.run(
            [*AS_ROOT, "sh", "-ec", f'{binds} && umask {umask} && exec "$@"', "sh", *command],
            env={**os.environ, **OFFLINE, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )

    def install(self, *options: str, umask: str = "022") -> str:
        """The script's words; it must end with 0."""
        ran = self.run([INSTALL, *options], umask)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def calls(self) -> list[str]:
        """Of systemctl since the last look."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        self.notes.unlink(missing_ok=True)
        return [line for line in lines if line.startswith("systemctl ")]

    def mode(self, path: str) -> int:
        return (self.root / path).stat().st_mode & 0o7777

    def owner(self, path: str) -> str:
        """The name that its own /etc/passwd has for the owner."""
        uid = (self.root / path).stat().st_uid
        users = [line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()]
        return next((fields[0] for fields in users if fields[2] == str(uid)), str(uid))


@pytest.fixture
def machine(tmp_path: Path, libraries: Path) -> Machine:
    if any(Path(sys.base_prefix).is_relative_to(f"/{name}") for name in HIDDEN):
        pytest.skip("Python itself is in a folder that the test hides")
    made = Machine(tmp_path, libraries)
    ran = made.run(["true"])
    if ran.returncode:
        pytest.skip(f"no mount namespaces here: {ran.stderr.strip()}")
    return made


def test_as_root_it_makes_user_folders_and_service_and_again_it_only_updates(wheel: Path, machine: Machine) -> None:
    options = ["--from", str(wheel), "--domain", "wa.mine.example", "--proxy", "nginx"]
    said = machine.install(*options, umask="077")
    assert "made the user wagate" in said
    assert "is valid" in said
    [entry] = [each for each in (machine.root / "etc/passwd").read_text().splitlines() if each.startswith("wagate:")]
    _, _, uid, _, _, home, shell = entry.split(":")
    assert (int(uid) < 1000, home, shell) == (True, "/var/lib/wagate", "/usr/sbin/nologin")
    service = ["systemctl daemon-reload", "systemctl enable wagate", "systemctl restart wagate"]
    assert machine.calls() == service
    modes = {"etc/wagate": 0o700, "var/lib/wagate": 0o700, "etc/wagate/config.toml": 0o600}
    others = {"etc/wagate/environment": 0o600, "etc/systemd/system/wagate.service": 0o644}
    assert {name: machine.mode(name) for name in modes | others} == modes | others
    if os.geteuid() == 0:
        assert {name: machine.owner(name) for name in modes} == dict.fromkeys(modes, "wagate")
    assert list((machine.root / "var/lib/wagate").iterdir()) == [], "what root made there, the service could not write"
    # The service's user runs it: every folder on the way is open, whatever root's umask is.
    command = machine.root / "opt/wagate/.venv/bin/wagate"
    assert command.stat().st_mode & 0o055 == 0o055
    for folder in [each for each in (machine.root / "opt").rglob("*") if each.is_dir() and not each.is_symlink()]:
        assert folder.stat().st_mode & 0o055 == 0o055, folder
    [site] = (machine.root / "etc/nginx/conf.d").glob("wagate*")
    assert "server_name wa.mine.example" in site.read_text()
    if judged := shutil.which("systemd-analyze") is not None:
        ran = machine.run(["systemd-analyze", "verify", "--man=no", "/etc/systemd/system/wagate.service"])
        about = [line for line in (ran.stdout + ran.stderr).splitlines() if "wagate" in line]
        assert (ran.returncode, about) == (0, []), ran.stderr

    mine = {"etc/wagate/config.toml": "# mine\n[plugins.webhook]\n", "etc/wagate/environment": "WAGATE_A=1\n"}
    data = machine.root / "var/lib/wagate/wagate.db"
    data.write_bytes(b"messages")
    for name, text in mine.items():
        (machine.root / name).write_text(text)
    said = machine.install(*options)
    assert "made the user" not in said
    assert machine.calls() == service
    assert {name: (machine.root / name).read_text() for name in mine} == mine
    assert {name: machine.mode(name) for name in modes | others} == modes | others

    machine.install("--remove")
    assert machine.calls() == ["systemctl disable --now wagate", "systemctl daemon-reload"]
    assert data.read_bytes() == b"messages"
    assert {name: (machine.root / name).read_text() for name in mine} == mine
    for gone in ("etc/systemd/system/wagate.service", "etc/nginx/conf.d/wagate.conf", "opt/wagate"):
        assert not (machine.root / gone).exists()
    machine.install("--remove")
    assert machine.calls() == ["systemctl daemon-reload"]
    if not judged:
        pytest.skip("systemd-analyze is not installed: all but its judgement was tried")


def test_the_install_script_writes_all_that_a_service_needs(wheel: Path, libraries: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    script = [INSTALL, "--root", str(root), "--from", str(wheel), "--domain", "wa.mine.example"]
    path = f"{quick_python(tmp_path / 'bin')}:{os.environ['PATH']}"
    run = partial(done, PATH=path, PYTHONPATH=str(libraries))
    assert "is valid; plugins: webhook; accounts: none" in run([*script, "--proxy", "caddy"])
    config = root / "etc/wagate/config.toml"
    assert tomllib.loads(config.read_text("utf-8"))["server"] == {
        "public_url": "https://wa.mine.example",
        "trusted_proxies": ["127.0.0.1"],
    }
    assert (config.stat().st_mode & 0o777, config.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (root / "etc/systemd/system/wagate.service").read_text() == (PACKAGING / "wagate.service").read_text()
    config.write_text(config.read_text() + "# mine\n")
    run([*script, "--proxy", "nginx"])
    assert config.read_text().endswith("# mine\n"), "an update changes no configuration"
    for proxy in ("caddy", "nginx"):
        [site] = [each for each in (root / "etc" / proxy).rglob("*") if each.is_file()]
        assert "wa.mine.example" in site.read_text()
        assert "wa.example.org" not in site.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--proxy", "apache"], "--proxy is caddy or nginx, not apache"),
        (["--proxy", "caddy"], "--proxy needs --domain"),
        (["--domain", "https://wa.example.org/"], "--domain is a host name such as wa.example.org, not https://wa"),
        (["--sort", "x"], "unknown option --sort"),
        (["--from"], "--from needs a value"),
    ],
)
def test_the_install_script_says_what_is_wrong_and_writes_nothing(
    options: list[str], said: str, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [str(PACKAGING / "install"), "--root", str(tmp_path / "root"), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, said in ran.stderr) == (1, True), ran.stderr
    assert not (tmp_path / "root").exists()
