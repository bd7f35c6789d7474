"""``GET /api/stats``: how much was delivered, failed and came in, by minute or hour."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
import peewee
from quart import Blueprint

from wagate.clock import Clock
from wagate.errors import NotFoundError
from wagate.hooks.routes import endpoint
from wagate.storage.database import Database
from wagate.storage.minutes import HOUR, INCOMING, LAGS, MINUTE, Bucket, quantile, read_buckets
from wagate.storage.owners.live import LiveDirectory
from wagate.web.access.identity import RequestAuth

LONGEST = {MINUTE: 7 * 86400, HOUR: 90 * 86400}


class StatsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of what, and for how long."""

    target: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    """A receiver's id as in ``GET /api/targets``."""
    account: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    """An account's name: what came in through it. Neither: all receivers together."""
    step: Literal["minute", "hour"] = "minute"
    hours: Annotated[int, msgspec.Meta(ge=1, le=90 * 24)] = 1
    """How far back; minutes are kept for 7 days, hours for 90."""


class StatsPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One minute, or hour."""

    at: datetime
    """Its beginning."""
    done: int
    """Delivered; with ``account``, messages that came in."""
    failed: int
    """Tries that failed."""
    lag_p50: float | None
    """Seconds within which half were delivered, as the upper end of a bucket; null when nothing was, or above 120."""
    lag_p95: float | None


class StatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """By time; minutes and hours in which nothing happened are left out."""

    step: Literal["minute", "hour"]
    done: int
    failed: int
    lag_p50: float | None
    lag_p95: float | None
    lag_bounds: tuple[float, ...] = LAGS
    """Upper ends of the buckets, seconds."""
    data: list[StatsPoint]


def stats_routes(auth: RequestAuth, database: Database, live: LiveDirectory, clock: Clock) -> Blueprint:
    """A client's token sees its own figures, the admin token all."""
    routes = Blueprint("stats", __name__, url_prefix="/api/stats")

    @routes.get("")
    @endpoint(query=StatsQuery, answers={200: StatsAnswer}, problems=(404,))
    async def index(query: StatsQuery) -> StatsAnswer:
        """Figures of one receiver, of one number, or of all receivers together."""
        client_id = auth.identity().client_id
        subjects = None if query.target is None else [query.target]
        if query.account is not None:
            account = live.now.accounts.get(query.account)
            if account is None or not auth.may_see(account.client_id):
                raise NotFoundError(f"no account {query.account[:100]!r}")
            subjects = [INCOMING + account.id]
        step = MINUTE if query.step == "minute" else HOUR
        since = clock.now() - timedelta(seconds=min(query.hours * HOUR, LONGEST[step]))
        return await database.browse(_read, query.step, subjects, step=step, since=since, client_id=client_id)

    return routes


def _read(db: peewee.Database, step_name: Literal["minute", "hour"], *args: Any, **kwargs: Any) -> StatsAnswer:
    """In the reader's thread: a week has ten thousand minutes, and the loop has no time for them."""
    return answer_of(step_name, together(read_buckets(db, *args, **kwargs)))


def together(found: list[Bucket]) -> list[Bucket]:
    """One bucket for each time."""
    sums: dict[datetime, Bucket] = {}
    for each in found:
        total = sums.setdefault(each.at, Bucket(subject="", at=each.at, client_id=0))
        total.done += each.done
        total.failed += each.failed
        total.lags = [one + other for one, other in zip(total.lags, each.lags, strict=True)]
    return list(sums.values())


def answer_of(step: Literal["minute", "hour"], found: list[Bucket]) -> StatsAnswer:
    """As the API shows it."""
    lags = [sum(each.lags[number] for each in found) for number in range(len(LAGS) + 1)]
    return StatsAnswer(
        step=step,
        done=sum(each.done for each in found),
        failed=sum(each.failed for each in found),
        lag_p50=_finite(quantile(lags, 0.5)),
        lag_p95=_finite(quantile(lags, 0.95)),
        data=[
            StatsPoint(
                at=each.at,
                done=each.done,
                failed=each.failed,
                lag_p50=_finite(quantile(each.lags, 0.5)),
                lag_p95=_finite(quantile(each.lags, 0.95)),
            )
            for each in found
        ],
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value
