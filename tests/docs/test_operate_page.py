"""The pages about operating: their tables name what there is."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from wagate.config.convert import convert_settings
from wagate.config.tables import Server, Tables
from wagate.consumers.metrics import ConsumerMetrics
from wagate.metrics import HttpMetrics
from wagate.outbound.observed import SendMetrics
from wagate.process import doctor
from wagate.process.hard_end import GRACE
from wagate.process.health import StandingMetrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/operate.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference/logs-and-metrics.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_every_part_that_the_doctor_looks_at_is_in_the_table() -> None:
    table = PAGE.partition("| part | what it checks |")[2].partition("\n\n")[0]
    rows = set(re.findall(r"^\| (\w+) \|", table, flags=re.MULTILINE))
    parts = set(re.findall(r'yield f?"(\w+)', inspect.getsource(doctor)))
    assert {"database", "voice", "account"} <= parts
    assert not parts - rows


def test_every_check_of_health_is_told() -> None:
    checks = json.loads((ROOT / "tests/golden/api_health.json").read_text("utf-8"))["GET /health"]["body"]["checks"]
    text = (ROOT / "wagate/web/health.py").read_text("utf-8")
    assert f'"""Only with a token: {", ".join(checks)}."""' in text
    assert not [name for name in checks if not re.search(rf"\b{name}\b", REFERENCE, flags=re.IGNORECASE)]


def test_every_metric_is_on_the_page_and_the_page_names_no_other() -> None:
    registry = CollectorRegistry()
    ConsumerMetrics(registry)
    SendMetrics(registry)
    HttpMetrics(registry)
    StandingMetrics(registry)
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


def unit() -> str:
    return next(block for block in blocks("ini") if "[Service]" in block)


def test_the_unit_stops_the_gateway_alone_and_reloads_it_by_the_command() -> None:
    lines = dict(line.split("=", 1) for line in unit().splitlines() if "=" in line)
    serve, reload = lines["ExecStart"].split(), lines["ExecReload"].split()
    assert (serve[1], reload[1]) == ("serve", "reload")
    assert serve[0] == reload[0]
    assert serve[2:] == reload[2:]
    assert lines["KillMode"] == "mixed"
    assert int(lines["TimeoutStopSec"]) > Server().drain + GRACE


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    here = unit().replace("/opt/wagate/.venv/bin/wagate", "/bin/true").replace("User=wagate", "User=root")
    file = tmp_path / "wagate.service"
    file.write_text(here)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
