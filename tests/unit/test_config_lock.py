"""The lock of the data folder, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wagate.config.lock import find_holder, hold
from wagate.errors import AlreadyRunningError, ConfigError

HOLD = """
import sys
from pathlib import Path
from wagate.config.lock import hold
with hold(Path(sys.argv[1]), port=8080):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        with pytest.raises(AlreadyRunningError) as caught, hold(tmp_path, port=1):
            pass
        holder = find_holder(tmp_path)
    assert holder is not None
    assert (holder.pid, holder.port) == (process.pid, 8080)
    since = holder.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    assert str(caught.value) == (
        f"{tmp_path} is in use: wagate runs there as process {process.pid} on {os.uname().nodename}, "
        f"port 8080, since {since}"
    )


def test_a_killed_process_leaves_the_folder_free(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        assert find_holder(tmp_path) is None
        with hold(tmp_path, port=9) as holder:
            assert holder.pid == os.getpid()
            assert find_holder(tmp_path) == holder


def test_children_do_not_keep_the_lock(tmp_path: Path) -> None:
    with hold(tmp_path, port=1):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert find_holder(tmp_path) is None
    finally:
        child.kill()
        child.communicate(timeout=60)


def test_the_end_of_the_context_lets_go(tmp_path: Path) -> None:
    with hold(tmp_path / "new", port=1):
        assert find_holder(tmp_path / "new") is not None
    assert find_holder(tmp_path / "new") is None
    with hold(tmp_path / "new", port=2) as holder:
        assert holder.port == 2


def test_a_folder_nobody_ever_used_has_no_holder(tmp_path: Path) -> None:
    assert find_holder(tmp_path / "never") is None


def test_a_folder_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "wagate.lock").mkdir()
    with (
        pytest.raises(ConfigError, match=r"data\.dir: can't write .*wagate\.lock: Is a directory"),
        hold(tmp_path, port=1),
    ):
        pass
