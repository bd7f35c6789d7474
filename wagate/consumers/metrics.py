"""What the consumers count."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LAG = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 600.0, 3600.0, 86400.0)


class ConsumerMetrics:
    """Counters of deliveries tried, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tried = Counter(
            "wagate_deliveries", "Delivery attempts, by outcome", ["handler", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "wagate_delivery_seconds", "Time spent in handlers", ["handler"], registry=registry, buckets=_SECONDS
        )
        self._lag = Histogram(
            "wagate_delivery_lag_seconds", "Time from stored to delivered", ["handler"], registry=registry, buckets=_LAG
        )
        self._running = Gauge("wagate_deliveries_running", "Running handlers", registry=registry)
        self._depth = Gauge("wagate_queue_depth", "Ids waiting in Redis", registry=registry)
        self._down = Counter("wagate_targets_down", "Targets that went down", ["handler"], registry=registry)

    def tried(self, handler: str, outcome: str, seconds: float) -> None:
        """One delivery was tried."""
        self._tried.labels(handler, outcome).inc()
        self._seconds.labels(handler).observe(seconds)

    def delivered(self, handler: str, lag: float) -> None:
        """One arrived, ``lag`` seconds after it was stored."""
        self._lag.labels(handler).observe(lag)

    def went_down(self, handler: str) -> None:
        """A target stopped answering."""
        self._down.labels(handler).inc()

    def now(self, *, running: int, depth: int) -> None:
        """How full it is."""
        self._running.set(running)
        self._depth.set(depth)
