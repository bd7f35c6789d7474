"""``/``, ``/health``, ``/ping`` and ``/metrics``: for load balancers and those who watch."""

from __future__ import annotations

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from quart import Blueprint, Response, g, request

from wagate.errors import UnauthorizedError
from wagate.hooks.routes import endpoint
from wagate.metrics import CollectorRegistry, generate_latest
from wagate.web.health import Health, HealthDetails, HealthMonitor, Level, for_clients

FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded")
LOOPBACK = ("127.", "::1")


class Pong(msgspec.Struct, frozen=True):
    """The answer to a ping."""

    message: str = "pong"


def health_routes(monitor: HealthMonitor, registry: CollectorRegistry) -> Blueprint:
    """Open to all, with little in them; more with a token."""
    routes = Blueprint("health", __name__)

    @endpoint(answers={200: HealthDetails, 503: HealthDetails}, public=True)
    async def health() -> tuple[Health, int]:
        """How the gateway is. Open; a token also shows how each part is. 503: it takes in or delivers nothing."""
        report = await monitor.report()
        shown = report.checks if g.identity is not None and g.identity.admin else for_clients(report.checks)
        answer = HealthDetails(
            status=report.status,
            queue_size=report.queue_size,
            uptime=monitor.uptime(),
            checks=msgspec.UNSET if g.identity is None else shown,
        )
        return answer, 503 if report.status is Level.UNHEALTHY else 200

    routes.add_url_rule("/", "root", health, methods=["GET"])
    routes.add_url_rule("/health", "health", health, methods=["GET"])

    @routes.get("/ping")
    @endpoint(answers={200: Pong}, public=True)
    async def ping() -> Pong:
        """Whether anybody is there."""
        return Pong()

    @routes.get("/metrics")
    @endpoint(answers={200: None}, public=True, problems=(401,), media_type="text/plain")
    async def metrics() -> Response:
        """Figures for Prometheus: with the admin token, or from the machine itself, past no proxy."""
        if not (_is_local() or (g.identity is not None and g.identity.admin)):
            raise UnauthorizedError("metrics need the admin token, except from the machine itself")
        await monitor.report()  # sets what is looked up, not counted
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes


def _is_local() -> bool:
    """Whether the request came straight from this machine (a unix socket has no address)."""
    client = request.scope.get("client")
    address = str(client[0]) if client else ""
    return (not address or address.startswith(LOOPBACK)) and not any(name in request.headers for name in FORWARDED)
