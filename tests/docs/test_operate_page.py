"""The pages about operating: their backup is whole while somebody writes, their tables name what there is."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import tomllib
from contextlib import closing
from pathlib import Path

from prometheus_client import CollectorRegistry

from wagate.config.convert import convert_settings
from wagate.config.tables import Tables
from wagate.consumers.metrics import ConsumerMetrics
from wagate.metrics import HttpMetrics
from wagate.outbound.metrics import SendMetrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/operate.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference/logs-and-metrics.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_backup_takes_what_is_not_yet_in_the_database_file(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    backup.mkdir()
    (data / "secret_key").write_text("k")
    [script] = [block for block in blocks("sh") if "PYTHON" in block]
    command = script.replace("/var/lib/wagate", str(data)).replace("/backup", str(backup), 1)
    with closing(sqlite3.connect(data / "wagate.db")) as live:
        live.execute("PRAGMA journal_mode = wal")
        live.execute("CREATE TABLE t (a)")
        live.execute("INSERT INTO t VALUES (1)")
        live.commit()
        live.execute("INSERT INTO t VALUES (2)")
        subprocess.run(["bash", "-c", command], check=True, timeout=90)
    with closing(sqlite3.connect(backup / "wagate.db")) as copy:
        assert copy.execute("SELECT a FROM t").fetchall() == [(1,)]
    assert (backup / "secret_key").read_text() == "k"
    assert {each.name for each in backup.iterdir()} == {"wagate.db", "secret_key"}
    assert (backup / "wagate.db").stat().st_mode & 0o077 == 0


def test_every_metric_is_on_the_page_and_the_page_names_no_other() -> None:
    registry = CollectorRegistry()
    ConsumerMetrics(registry)
    SendMetrics(registry)
    HttpMetrics(registry)
    there = {each.name + ("_total" if each.type == "counter" else "") for each in registry.collect()}
    assert set(re.findall(r"^\| `(wagate_\w+)`", REFERENCE, flags=re.MULTILINE)) == there


def test_every_configuration_shown_is_right() -> None:
    for block in blocks("toml"):
        convert_settings(Tables, tomllib.loads(block), file="config.toml", key="")


def test_every_event_named_is_logged() -> None:
    table = REFERENCE.split("## Logs")[1].split("## Health")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    source = "".join(path.read_text("utf-8") for path in (ROOT / "wagate").rglob("*.py"))
    assert len(named) > 15
    assert [name for name in named if f'"{name}"' not in source] == []
