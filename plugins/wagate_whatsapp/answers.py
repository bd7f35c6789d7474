"""All that the provider can be asked beyond sending."""

from __future__ import annotations

from functools import partial
from typing import Any

from wagate.clock import Clock
from wagate.hooks import ProviderAccount
from wagate.hooks.asks import Answers
from wagate_whatsapp.ask_groups import GROUPS
from wagate_whatsapp.ask_people import PEOPLE
from wagate_whatsapp.asking import Act, Asked
from wagate_whatsapp.reach import Reach


def answers(reach: Reach, clock: Clock) -> Answers:
    """For `Provider.answers`."""
    return {kind: partial(_answer, act, reach, clock) for kind, act in (GROUPS | PEOPLE).items()}


async def _answer(act: Act, reach: Reach, clock: Clock, ask: Any, account: ProviderAccount) -> Any:
    return await act(Asked(reach, account, clock), ask)
