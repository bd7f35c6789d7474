"""Durations, sizes and rates for a plugin's settings, written as everywhere: ``"24h"``, ``"10MiB"``, ``"600/min"``."""

from wagate.config.units import Duration, Rate, Size

__all__ = ["Duration", "Rate", "Size"]
