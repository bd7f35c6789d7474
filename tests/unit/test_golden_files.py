"""A golden file lets pass what differs from run to run, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import golden_files
from tests.golden_files import check, stable

UUID = "0193a5b0-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_files, "FOLDER", tmp_path)
    monkeypatch.setenv(golden_files.UPDATE, "update")
    check("kept", {"case": {"id": UUID, "text": "hi", "headers": {"x-team": "crm"}}})
    monkeypatch.delenv(golden_files.UPDATE)


def test_another_id_of_the_same_shape_passes() -> None:
    check("kept", {"case": {"id": UUID.replace("1", "2"), "text": "hi", "headers": {"x-team": "crm"}}})


@pytest.mark.parametrize(
    "changed",
    [
        {"id": UUID, "text": "hi", "headers": {"x-team": "crm"}, "more": 1},
        {"id": UUID, "text": "hi", "headers": {"x-team": "crm", "x-more": "1"}},
        {"id": UUID, "headers": {"x-team": "crm"}},
        {"id": UUID, "text": "ho", "headers": {"x-team": "crm"}},
        {"id": UUID.replace("-", ""), "text": "hi", "headers": {"x-team": "crm"}},
        {"text": "hi", "id": UUID, "headers": {"x-team": "crm"}},
    ],
    ids=[
        "one more field",
        "one more header",
        "a field less",
        "another value",
        "an id of another shape",
        "another order",
    ],
)
def test_any_change_fails(changed: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="WAGATE_GOLDEN=update writes it anew"):
        check("kept", {"case": changed})


def test_moments_of_this_run_differ_and_those_of_a_sample_do_not() -> None:
    now = datetime.now(UTC)
    assert stable({"at": f"{now:%Y-%m-%dT%H:%M:%S}Z", "ms": int(now.timestamp() * 1000)}) == {
        "at": "<time>",
        "ms": "<milliseconds>",
    }
    old = {"at": "2020-03-04T08:15:00Z", "phone": 15550000201, "s": 1583309700}
    assert stable(old) == old
    assert stable(f"{now:%Y-%m-%dT%H:%M:%S}+00:00") != "<time>"
