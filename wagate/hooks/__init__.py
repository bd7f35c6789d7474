"""The plugin API: hooks, contracts, context. With `wagate.events` and `wagate.errors` it is all that a plugin needs."""

from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import AccountView, ClientView, Delivery, Handler, Identity, Receipt, Target, Task
from wagate.hooks.routes import endpoint
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
    "AccountView",
    "AttemptView",
    "ClientView",
    "Delivery",
    "DeliveryView",
    "Duration",
    "Endpoint",
    "EndpointChange",
    "EndpointSecret",
    "Handler",
    "Identity",
    "Job",
    "NewEndpoint",
    "Page",
    "PluginContext",
    "Rate",
    "Receipt",
    "Size",
    "Target",
    "Task",
    "endpoint",
    "hookimpl",
]
