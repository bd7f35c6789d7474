"""The plugin API: hooks, contracts, context. With `wagate.events` and `wagate.errors` it is all that a plugin needs."""

from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import AccountView, ClientView, Delivery, Handler, Identity, Receipt, Target, Task
from wagate.hooks.messages import (
    MEDIA_TYPES,
    MESSAGE_TYPES,
    MessageView,
    OutFile,
    OutLocation,
    OutMedia,
    OutMessage,
    OutReaction,
    Sent,
    Signal,
)
from wagate.hooks.providers import (
    Check,
    Finding,
    InboundRequest,
    MediaRequest,
    Outgoing,
    Provider,
    ProviderAccount,
    SendLimits,
    WebhookAnswer,
)
from wagate.hooks.routes import endpoint
from wagate.hooks.sessions import SESSION_ACTIONS, SessionAction, SessionView
from wagate.hooks.specs import hookimpl
from wagate.hooks.units import Duration, Rate, Size
from wagate.hooks.views import (
    AttemptView,
    DeliveryView,
    Endpoint,
    EndpointChange,
    EndpointSecret,
    Job,
    NewEndpoint,
    Page,
)

__all__ = [
    "MEDIA_TYPES",
    "MESSAGE_TYPES",
    "SESSION_ACTIONS",
    "AccountView",
    "AttemptView",
    "Check",
    "ClientView",
    "Delivery",
    "DeliveryView",
    "Duration",
    "Endpoint",
    "EndpointChange",
    "EndpointSecret",
    "Finding",
    "Handler",
    "Identity",
    "InboundRequest",
    "Job",
    "MediaRequest",
    "MessageView",
    "NewEndpoint",
    "OutFile",
    "OutLocation",
    "OutMedia",
    "OutMessage",
    "OutReaction",
    "Outgoing",
    "Page",
    "PluginContext",
    "Provider",
    "ProviderAccount",
    "Rate",
    "Receipt",
    "SendLimits",
    "Sent",
    "SessionAction",
    "SessionView",
    "Signal",
    "Size",
    "Target",
    "Task",
    "WebhookAnswer",
    "endpoint",
    "hookimpl",
]
