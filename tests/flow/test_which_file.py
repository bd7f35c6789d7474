"""``wagate init x && wagate serve``: what is served, and from which file, is said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.forked import fork

WAGATE = [sys.executable, "-m", "wagate"]


@pytest.mark.parametrize("named", [False, True])
def test_serve_says_which_file_it_uses_and_how_to_use_the_one_of_init(named: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        folder = Path(short).resolve()
        assert "next: wagate serve --config x/config.toml\n" in init(folder, "x")
        command = [*WAGATE, "serve", *(["--config", "x/config.toml"] if named else [])]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment
            | {"WAGATE_SERVER__PORT": "0", "WAGATE_LOG__FORMAT": "json"}
            | ({"WAGATE_SERVER__HOST": "0.0.0.0"} if named else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0, log
    none = f"no config.toml in {folder}: all defaults, data in {folder}/data"
    hint = "; for another one: wagate serve --config x/config.toml"
    expected = str(folder / "x/config.toml") if named else none + hint
    assert lines[0].endswith(f" (configuration: {expected})")
    assert re.fullmatch(r"dashboard: http://127\.0\.0\.1:\d+/ui/ - sign in with the admin token.*", lines[1])
    assert "wagate pair main" in lines[2]
    [serving] = [each for each in map(json.loads, log.splitlines()) if each["event"] == "serving"]
    assert serving["config"] == expected


def test_init_in_the_current_folder_needs_no_option(tmp_path: Path) -> None:
    assert init(tmp_path).endswith("next: wagate serve\n")


def init(folder: Path, *arguments: str) -> str:
    """What it says beside the token."""
    with Path(os.devnull).open("r+b") as nothing, tempfile.TemporaryFile() as said:
        streams = (nothing.fileno(), nothing.fileno(), said.fileno())
        assert fork(["init", *arguments], os.environ, folder, streams, kind="command").wait(60) == 0
        said.seek(0)
        return said.read().decode()
