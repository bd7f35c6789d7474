"""The consumers' side: take keys, run handlers, settle, record, ack."""

from wagate.consumers.lifetime import Consumers, Setup
from wagate.consumers.states import Policy, policy_of

__all__ = ["Consumers", "Policy", "Setup", "policy_of"]
