"""The plugin API: hooks, contracts, context. With `wagate.events` and `wagate.errors` it is all that a plugin needs."""

from typing import TYPE_CHECKING

from wagate.config.declared import SecretText
from wagate.config.units import Duration, Rate, Size
from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import (
    AccountView,
    ClientView,
    Delivery,
    Handler,
    Identity,
    Receipt,
    Target,
    TargetLimits,
    TargetName,
    Task,
)
from wagate.hooks.ending import replaced
from wagate.hooks.listening import Inlet, Sink
from wagate.hooks.messages import (
    MEDIA_TYPES,
    MESSAGE_TYPES,
    Edit,
    MessageView,
    OutFile,
    OutLocation,
    OutMedia,
    OutMessage,
    OutPoll,
    OutPreview,
    OutReaction,
    ReaderView,
    Sent,
    Signal,
    TextPart,
)
from wagate.hooks.panels import Figure, Panel, PanelAsked, PanelData
from wagate.hooks.providers import (
    Check,
    Finding,
    InboundRequest,
    MediaRequest,
    Outgoing,
    Profile,
    Provider,
    ProviderAccount,
    SendLimits,
    Simulation,
    WebhookAnswer,
)
from wagate.hooks.routes import acts_on, endpoint, finish
from wagate.hooks.sessions import SESSION_ACTIONS, SessionAction, SessionView
from wagate.hooks.specs import hookimpl
from wagate.hooks.views import (
    AttemptView,
    ChatView,
    DeliveryView,
    Endpoint,
    EndpointChange,
    EndpointSecret,
    Job,
    NewEndpoint,
    Page,
    PersonView,
    RequestView,
    WantingEndpoint,
)
from wagate.hooks.watch import NEEDS, Need
from wagate.rules.filters import DeliveryFilter, MessageFilter

__all__ = [
    "MEDIA_TYPES",
    "MESSAGE_TYPES",
    "NEEDS",
    "SESSION_ACTIONS",
    "AccountView",
    "AttemptView",
    "ChatView",
    "Check",
    "ClientView",
    "Delivery",
    "DeliveryFilter",
    "DeliveryView",
    "Duration",
    "Edit",
    "Endpoint",
    "EndpointChange",
    "EndpointSecret",
    "Figure",
    "Finding",
    "Handler",
    "Identity",
    "InboundRequest",
    "Inlet",
    "Job",
    "MediaRequest",
    "MessageFilter",
    "MessageView",
    "Need",
    "NewEndpoint",
    "OutFile",
    "OutLocation",
    "OutMedia",
    "OutMessage",
    "OutPoll",
    "OutPreview",
    "OutReaction",
    "Outgoing",
    "Page",
    "Panel",
    "PanelAsked",
    "PanelData",
    "PersonView",
    "PluginContext",
    "Profile",
    "Provider",
    "ProviderAccount",
    "Rate",
    "ReaderView",
    "Receipt",
    "RequestView",
    "SecretText",
    "SendLimits",
    "Sent",
    "SessionAction",
    "SessionView",
    "Signal",
    "Simulation",
    "Sink",
    "Size",
    "Target",
    "TargetLimits",
    "TargetName",
    "Task",
    "TextPart",
    "WantingEndpoint",
    "WebhookAnswer",
    "acts_on",
    "endpoint",
    "finish",
    "hookimpl",
]

ENDING: dict[str, tuple[str, str]] = {}
"""Names of here that end: old → (new, the version that deprecated it)."""

if not TYPE_CHECKING:  # a type checker would take any name for one of ours
    __getattr__ = replaced(__name__, ENDING)
