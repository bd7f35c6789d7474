"""What Prometheus can ask: one registry a process, filled by the parts themselves."""

from __future__ import annotations

import re
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

__all__ = ["Collector", "CollectorRegistry", "Counter", "Gauge", "Histogram", "HttpMetrics", "generate_latest"]

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_WORDS = re.compile(r"\(\?P<(\w+)>[^)]*\)|\[[^]]*\][+*]?")


class HttpMetrics:
    """Requests taken in, by the shape of their path and the status answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("wagate_intake_requests", "Webhooks accepted", ["path", "status"], registry=registry)
        self._seconds = Histogram(
            "wagate_intake_seconds",
            "Time to the answer, including the commit",
            ["path"],
            registry=registry,
            buckets=_BUCKETS,
        )

        self._refused = Counter(
            "wagate_webhooks_refused",
            "Refused webhooks from providers",
            ["provider", "reason"],
            registry=registry,
        )

    def refuse(self, provider: str, reason: str) -> None:
        """One request refused at a provider's door: ``signature``, ``challenge`` or ``body``."""
        self._refused.labels(provider, reason).inc()

    def count(self, pattern: str, status: int, seconds: float) -> None:
        """One request answered; ``pattern`` is the door's regular expression."""
        requests, observed = self._children(pattern, status)
        requests.inc()
        observed.observe(seconds)

    @cache  # noqa: B019  (one object a process, few patterns and statuses; a look-up by labels costs more than the count)
    def _children(self, pattern: str, status: int) -> tuple[Counter, Histogram]:
        path = _WORDS.sub("*", pattern)
        return self._requests.labels(path, str(status)), self._seconds.labels(path)
