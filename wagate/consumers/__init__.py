"""The consumers' side: take keys, run handlers, settle, record, ack."""

from wagate.consumers.lifetime import Consumers, Setup, open_consumers
from wagate.consumers.states import Policy, policy_of

__all__ = ["Consumers", "Policy", "Setup", "open_consumers", "policy_of"]
