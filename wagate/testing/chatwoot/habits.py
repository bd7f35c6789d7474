"""How a fake Chatwoot sends its webhooks: rightly, and every way in which it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wagate.testing.chatwoot.state import Json


def _never(_body: Json) -> bool:
    return False


@dataclass(kw_only=True)
class Habits:
    """Change them at any time; they hold for what is told from then on."""

    timeout: float = 5.0
    """Seconds for one webhook; then the message is marked as failed. There is no second try."""
    twice: bool = False
    """Each comes twice, with different delivery ids."""
    delay: float = 0.0
    """Seconds before each."""
    spread: float = 0.0
    """Each waits a random time of up to so many seconds on top: they come in any order."""
    drop: Callable[[Json], bool] = _never
    """Which are never sent."""
    late: bool = False
    """Bodies are made when they are sent, so that they show a later state, not when the change happens."""
    before_answer: bool = False
    """A request's webhooks are sent, and answered, before the request is."""
    other_message: bool = False
    """``conversation.messages[0]`` is another message than the one that the webhook is about."""
    sign: bool = True
    """Old servers don't."""
    wrong_secret: bool = False
    """Sign with another secret."""
    age: float = 0.0
    """Seconds by which the timestamp is too old."""
    escape: bool = True
    """Write ``< > &`` as Rails does: ``\\u003c``."""
    refuse_private: bool = False
    """Refuse to call private addresses, as Chatwoot does since 4.14.0: the message is marked as failed."""
