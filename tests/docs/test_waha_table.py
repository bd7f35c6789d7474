"""The page's table of WAHA's operations, and the counts, are what replays found; ``WAGATE_GOLDEN=update`` writes it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.waha_node import NODE
from tests.waha_operations import NODE_TABLE, OPERATIONS, Operation, Told, read_table

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-waha.md"
BEGIN, END = "<!-- operations: made by tests/docs/test_waha_table.py -->", "<!-- end of operations -->"
COLUMNS = {
    "whatsapp": "a linked number",
    "waha": "WAHA behind",
    "meta": "Meta, 360dialog",
    "infobip": "Infobip",
    "twilio": "Twilio",
    "session": "wwebjs-api",
}
CANT = ("can't do this: ", "can't publish stories", " a session", "can't link numbers")
"""In reasons that say no more than that this provider can't."""


def table() -> str:
    """Markdown, by topic."""
    told, of_node = read_table(), read_table(NODE_TABLE)
    columns = [each for each in COLUMNS if each in told]
    lines = ["| behind | answered of WAHA's operations | of those of its n8n node |", "|---|---|---|"]
    for provider in columns:
        all_, node = _answered(told, provider), _answered(of_node, provider)
        lines.append(f"| {COLUMNS[provider]} | {all_} of {len(OPERATIONS)} | {node} of {len(NODE)} |")
    heads = " | ".join(COLUMNS[each] for each in columns)
    for topic in dict.fromkeys(each.topic for each in OPERATIONS):
        lines += ["", f"### {topic}", "", f"| WAHA | {heads} | why not |", f"|---|{'---|' * len(columns)}---|"]
        lines += [_row(each, columns) for each in OPERATIONS if each.topic == topic]
    return "\n".join(lines)


def _answered(told: Told, provider: str) -> int:
    return sum(status < 300 for status, _ in told[provider].values())


def _row(operation: Operation, columns: list[str]) -> str:
    told = read_table()
    answers = [told[each][operation.name] for each in columns]
    marks = " | ".join("yes" if status < 300 else str(status) for status, _ in answers)
    reasons = {reason for _, reason in answers if reason and not any(each in reason for each in CANT)}
    path = operation.path.removeprefix("/api")
    return f"| `{operation.method} {path}` | {marks} | {'; '.join(sorted(reasons))} |"


def test_the_page_has_the_table_of_the_replay() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    shown, _, after = rest.partition(END)
    wanted = f"\n\n{table()}\n\n"
    if os.environ.get("WAGATE_GOLDEN") == "update":
        PAGE.write_text(f"{before}{BEGIN}{wanted}{END}{after}")
    else:
        assert shown == wanted


def test_360dialog_answers_as_meta_does_and_has_its_column() -> None:
    for told in (read_table(), read_table(NODE_TABLE)):
        statuses = {each: {name: status for name, (status, _) in told[each].items()} for each in ("meta", "dialog360")}
        assert statuses["meta"] == statuses["dialog360"]
