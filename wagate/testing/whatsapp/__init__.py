"""A fake WhatsApp server for tests of the provider ``whatsapp``; it needs the extra ``simulate``."""

from wagate.testing.whatsapp.run import Running, running_whatsapp
from wagate.testing.whatsapp.server import Arrived, FakeWhatsApp
from wagate.testing.whatsapp.world import World

__all__ = ["Arrived", "FakeWhatsApp", "Running", "World", "running_whatsapp"]
