"""``GET /api/doctor``: what `wagate doctor` shows, asked by the gateway that runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec
from quart import Blueprint

from wagate.hooks.routes import endpoint
from wagate.web.access.identity import RequestAuth


class DoctorLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    level: Literal["ok", "warn", "fail"]
    """fail: something does not work."""
    part: str
    """``redis``, ``disk``, ``account main`` …"""
    what: str
    """What was looked at: ``token``, ``reachable``, ``policy`` …"""
    detail: str
    """What was seen; secrets blotted out."""
    next_step: str = ""
    """What to do about it; '' when all is well."""


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that was looked at."""

    data: list[DoctorLine]
    """Part by part."""


Examine = Callable[[], Awaitable[Sequence[DoctorLine]]]


def doctor_routes(auth: RequestAuth, examine: Examine) -> Blueprint:
    """For the admin token only."""
    routes = Blueprint("doctor", __name__, url_prefix="/api/doctor")

    @routes.get("")
    @endpoint(answers={200: DoctorReport}, problems=(403,))
    async def report() -> DoctorReport:
        """Ask the real things: Redis, disk, database, clocks, and each account's provider. It may take some seconds."""
        auth.admin()
        return DoctorReport(data=list(await examine()))

    return routes
