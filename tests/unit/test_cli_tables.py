"""What tables of commands look like on a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wagate.cli import show

ID = "01a227ff-1248-7694-bb0a-717f02fbdec1"
TARGET = "webhook:01a227fe-ec3c-7454-be90-89b524050dae"
URL = f"https://n8n.example.org/webhook/{ID}/whatsapp?{'x' * 60}"
DELIVERY = {"id": ID, "target": TARGET, "state": "pending", "error": "Server error (503)"}

Shown = Callable[..., tuple[str, str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """A table with one row, on a terminal: what is drawn, and what is said beside it."""

    def show_it(columns: int, row: dict[str, str], **options: Any) -> tuple[str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        show.table(list(row), [list(row.values())], empty="", **options)
        drawn, beside = capsys.readouterr()
        return re.sub(r"\x1b\[\d*m", "", drawn), beside

    return show_it


def test_an_id_is_whole_where_another_column_has_no_room(shown: Shown) -> None:
    drawn, beside = shown(80, DELIVERY, wraps=["error"], spare=["target"])
    assert [line.split() for line in drawn.splitlines()] == [
        ["id", "state", "error"],
        [ID, "pending", "Server", "error", "(503)"],
    ]
    assert beside == "this terminal is too narrow to show: target\n"


def test_a_wide_terminal_shows_every_column(shown: Shown) -> None:
    drawn, beside = shown(150, DELIVERY, wraps=["error"], spare=["target"])
    assert TARGET in drawn
    assert beside == ""


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_a_long_url_goes_on_below_and_loses_nothing(columns: int, shown: Shown) -> None:
    drawn, _ = shown(columns, {"url": URL}, wraps=["url"])
    assert "".join(drawn.split()) == f"url{URL}"


def test_a_terminal_narrower_than_an_id_still_gets_all_of_it(shown: Shown) -> None:
    drawn, _ = shown(30, {"id": ID})
    assert "".join(drawn.split()) == f"id{ID}"
