"""The kit for plugin authors: a context made of fakes, and events to hand to handlers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from wagate.testing.archive import FakeArchive
from wagate.testing.commands import FakeCommandLine
from wagate.testing.context import Fakes, fake_context
from wagate.testing.endpoints import FakeEndpoints
from wagate.testing.events import NOW, make_delivery, make_delivery_view, make_event
from wagate.testing.fakes import FakeAccounts, FakeAuth, FakeDeliveries, FakeJobs, FakeStore
from wagate.testing.http import FakeHttp, Sent, answered
from wagate.testing.listening import FakeInlet, ListeningContract
from wagate.testing.media import FakeFile, FakeMedia
from wagate.testing.messages import FakeMessages
from wagate.testing.routes import routes_client
from wagate.testing.sessions import FakeSessionStates
from wagate.testing.settings import make_settings
from wagate.testing.watch import FakeWatch

if TYPE_CHECKING:
    from wagate.testing.contracts import (
        SENTENCE,
        HandlerContract,
        HandlerUnderTest,
        ProviderContract,
        ProviderUnderTest,
        SendingContract,
        TargetsContract,
    )

__all__ = [
    "NOW",
    "SENTENCE",
    "FakeAccounts",
    "FakeArchive",
    "FakeAuth",
    "FakeCommandLine",
    "FakeDeliveries",
    "FakeEndpoints",
    "FakeFile",
    "FakeHttp",
    "FakeInlet",
    "FakeJobs",
    "FakeMedia",
    "FakeMessages",
    "FakeSessionStates",
    "FakeStore",
    "FakeWatch",
    "Fakes",
    "HandlerContract",
    "HandlerUnderTest",
    "ListeningContract",
    "ProviderContract",
    "ProviderUnderTest",
    "SendingContract",
    "Sent",
    "TargetsContract",
    "answered",
    "fake_context",
    "make_delivery",
    "make_delivery_view",
    "make_event",
    "make_settings",
    "routes_client",
]

_CONTRACTS: Final = frozenset(
    {
        "SENTENCE",
        "HandlerContract",
        "HandlerUnderTest",
        "ProviderContract",
        "ProviderUnderTest",
        "SendingContract",
        "TargetsContract",
    }
)
"""What needs pytest, so it is imported only when it is asked for: ``wagate simulate`` runs where there is none."""


def __getattr__(name: str) -> Any:
    if name in _CONTRACTS:
        return getattr(importlib.import_module("wagate.testing.contracts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
