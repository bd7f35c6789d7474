"""What a plugin logs too much is counted, not written."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import structlog

from wagate.process.logs import MOST_LINES, PERIOD, LogLimit

ODD = """
import structlog
from wagate.process.logs import configure_logs
configure_logs("info", "json", frozenset())
class Odd:
    def __repr__(self):
        raise ValueError
structlog.get_logger("wagate").info("odd", plugin="bad", value=Odd(), lone="\\ud800")
print("went on")
"""


class Lines:
    """Lines of plugins, through a limit, at a time that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limit = LogLimit(lambda: self.now)

    def write(self, count: int = 1, **about: Any) -> list[dict[str, Any]]:
        """What comes of so many equal lines."""
        written = []
        for _ in range(count):
            try:
                written.append(dict(self.limit(None, "info", {"event": "said", **about})))
            except structlog.DropEvent:
                continue
        return written


def test_a_flood_is_cut_and_the_next_line_says_how_many_were_suppressed() -> None:
    lines = Lines()
    written = lines.write(MOST_LINES + 500, plugin="bad")
    assert len(written) == MOST_LINES + 1
    assert written[-1] == {"event": "log limited", "plugin": "bad", "lines": MOST_LINES, "seconds": PERIOD}
    lines.now = PERIOD
    assert lines.write(2, plugin="bad") == [
        {"event": "said", "plugin": "bad", "suppressed": 500},
        {"event": "said", "plugin": "bad"},
    ]


def test_the_flood_of_one_plugin_costs_no_line_of_another_or_of_the_core() -> None:
    lines = Lines()
    lines.write(MOST_LINES * 2, plugin="bad")
    assert lines.write(plugin="good") == [{"event": "said", "plugin": "good"}]
    assert len(lines.write(MOST_LINES * 2)) == MOST_LINES * 2


def test_the_libraries_of_a_plugin_are_limited_as_one() -> None:
    lines = Lines()
    written = lines.write(MOST_LINES, logger="chatty.a") + lines.write(MOST_LINES, logger="chatty.b")
    assert len(written) == MOST_LINES + 1


def test_a_value_that_can_not_be_written_costs_nobody_his_work() -> None:
    done = subprocess.run([sys.executable, "-c", ODD], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"went on\n"
    line = json.loads(done.stderr)
    assert (line["event"], line["plugin"], line["lone"]) == ("'odd'", "'bad'", "'\\ud800'")
    assert line["unwritable"] == "ValueError"
