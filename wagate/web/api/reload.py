"""``POST /api/reload``: what ``wagate reload`` asks of the gateway that runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from quart import Blueprint

from wagate.errors import ConfigError, UnprocessableError
from wagate.hooks.routes import acts_on, endpoint
from wagate.web.access.identity import RequestAuth


class ReloadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller knows that the gateway can't."""

    environment: dict[str, str] = {}
    """Fresh values of variables that config.toml names as ``env:NAME``; others are ignored."""

    def __repr__(self) -> str:
        return f"ReloadRequest({', '.join(self.environment)})"


class ReloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What differed from the configuration that was in force."""

    taken_up: list[str]
    """Keys that count from now on, as in ``accounts.main``."""
    restart: list[str]
    """Keys that were changed and count after a restart."""


Take = Callable[[Mapping[str, str]], Awaitable[ReloadReport]]


def reload_routes(auth: RequestAuth, reload: Take) -> Blueprint:
    """For the admin token only."""
    routes = Blueprint("reload", __name__, url_prefix="/api/reload")

    @routes.post("")
    @endpoint(answers={200: ReloadReport}, body=ReloadRequest, body_optional=True, problems=(403, 422), act="reload")
    async def take(body: ReloadRequest) -> ReloadReport:
        """Read config.toml and its secrets again: all is checked, then what can be counts at once."""
        auth.admin()
        try:
            report = await reload(body.environment)
        except ConfigError as error:
            raise UnprocessableError(
                f"refused; the old one stays in use: {'; '.join(str(error).splitlines())}"
            ) from error
        acts_on("config.toml", detail=", ".join(report.taken_up))
        return report

    return routes
