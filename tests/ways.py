"""The two ways in which the outgoing client speaks: what holds on one must hold on the other."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["as it comes", "answers by h11", "all by h11"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be plain, or no answer."""
    match request.param:
        case "answers by h11":
            monkeypatch.setattr("wagate.http.direct.plain_answer", lambda _: None)
        case "all by h11":
            monkeypatch.setattr("wagate.http.direct.plain_request", lambda *_: None)
