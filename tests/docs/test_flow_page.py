"""The page about the flow: each invariant names a file that keeps it, and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_docs import PROOF, names_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/flow.md").read_text("utf-8")
INVARIANTS = re.findall(r"^\*\*\d+\. .*?(?=\n\n|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_each_invariant_names_what_keeps_it_and_what_shows_it() -> None:
    assert len(INVARIANTS) == 11
    for text in INVARIANTS:
        kept, shown = text.split("Kept by")[1].split("Shown by")
        assert "](../wagate/" in kept
        assert PROOF.search(shown)


def test_every_test_named_is_there() -> None:
    named = PROOF.findall(PAGE)
    missing = [path + name for path, name in named if name.removeprefix("::") not in names_of(ROOT / path)]
    assert not missing
