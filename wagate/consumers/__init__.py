"""The consumers' side: take keys, run handlers, settle, record, ack."""

from wagate.consumers.lifetime import Consumers, Setup
from wagate.rules.states import Policy

__all__ = ["Consumers", "Policy", "Setup"]
