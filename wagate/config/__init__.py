"""The configuration: typed tables, loading, secrets and the lock of the data folder."""

from wagate.config.convert import convert_settings
from wagate.config.load import load, load_part
from wagate.config.redact import redact
from wagate.config.tables import Config
from wagate.config.units import Duration, Rate, Size

__all__ = ["Config", "Duration", "Rate", "Size", "convert_settings", "load", "load_part", "redact"]
