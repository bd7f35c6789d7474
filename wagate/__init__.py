"""wagate: a WhatsApp gateway in one process."""

from importlib.metadata import version

__version__ = version("wagate")
