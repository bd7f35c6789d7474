"""What sending counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class SendMetrics:
    """Messages handed to providers, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "wagate_messages",
            "Messages handed to providers, by what came of it",
            ["provider", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "wagate_message_seconds", "Time that providers took", ["provider"], registry=registry, buckets=_SECONDS
        )

    def tried(self, provider: str, outcome: str, seconds: float) -> None:
        """One message was handed over."""
        self._messages.labels(provider, outcome).inc()
        self._seconds.labels(provider).observe(seconds)
