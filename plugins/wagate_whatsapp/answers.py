"""All that the provider can be asked beyond sending."""

from __future__ import annotations

from typing import Any

from wagate.clock import Clock
from wagate.hooks import ProviderAccount
from wagate.hooks.asks import Answer, Answers
from wagate_whatsapp.ask_groups import GROUPS
from wagate_whatsapp.ask_messages import MESSAGES
from wagate_whatsapp.ask_people import PEOPLE
from wagate_whatsapp.asking import Act, Asked
from wagate_whatsapp.reach import Reach
from wagate_whatsapp.send import Sender


def answers(reach: Reach, sender: Sender, clock: Clock) -> Answers:
    """For `Provider.answers`."""

    def bound(act: Act) -> Answer:
        async def answer(ask: Any, account: ProviderAccount) -> Any:
            return await act(Asked(reach, account, sender, clock), ask)

        return answer

    return {kind: bound(act) for kind, act in (GROUPS | PEOPLE | MESSAGES).items()}
